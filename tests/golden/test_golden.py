"""Every member in float64 gives the golden values, on both CPU back ends.

Tolerance. A step of a member is about 20 roundings between its inputs and the new parameter, each of
relative size 2**-53: 5 steps make at most 5 * 20 * 2**-53 = 1.1e-14, if nothing cancels. The bar is
1e-14, relative to the golden number itself, element by element, for parameters and state. That it is fair
on these inputs is not left to a rule of thumb: ``generate.py`` follows the rounding error of every
operation (``golden_numbers``) and refuses a case whose bound for a parameter is above half the bar. The
few state slots whose bound is above the bar (differences of nearly equal numbers, and 1 - beta3 during a
warm-up) are compared to that bound, which is in the file.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adamas

HERE = Path(__file__).parent
BAR = 1e-14
CASES: list[dict[str, Any]] = json.loads((HERE / "values.json").read_text(encoding="ascii"))
BY_NAME = {case["name"]: case for case in CASES}
BACKENDS = ("reference", "cpu")


def _schedule(values: list[float]) -> Callable[[int], float]:
    return lambda step: values[step]


def _argument(value: Any) -> Any:
    if isinstance(value, dict):
        return _schedule(value["per_step"])
    if isinstance(value, list):
        return tuple(_argument(x) for x in value)
    return value


def _pieces(case: dict[str, Any], vector: list[float]) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    ends = np.cumsum(case["split"])[:-1]
    return {f"w{k}": x.copy() for k, x in enumerate(np.split(np.array(vector, dtype=np.float64), ends))}


def _joined(pieces: Any) -> list[float]:
    return [float(x) for key in sorted(pieces) for x in np.ravel(pieces[key])]


# Where the state's name for a slot is not the paper's.
STATE_NAMES = {"AdEMAMix": {"m1": "m", "m2": "s"}}


def _slots(opt: Any, wanted: list[str]) -> dict[str, list[float]]:
    """The state by the papers' names; a number of the whole optimizer stands for every element.

    A slot that the chosen form of a member does not use may be there, at its start.
    """
    state = opt.state_dict()
    tensors = [state["state"][key] for key in sorted(state["state"])]
    held = tensors[0] if tensors else {}
    found = {name: [float(x) for t in tensors for x in np.ravel(t[name])] for name in held}
    found |= {name: [float(x)] * 7 for name, x in state["scalars"][""].items()}
    names = {name: STATE_NAMES.get(opt.rule.name, {}).get(name, name) for name in wanted}
    idle = set(found) - set(names.values())
    assert all(set(found[slot.name]) == {slot.start} for slot in opt.rule.slots if slot.name in idle)
    return {name: found[own] for name, own in names.items()}


def off_by(found: list[float], wanted: list[str]) -> float:
    """The largest relative difference; infinite where a golden zero is not met exactly."""
    worst = Decimal(0)
    for x, text in zip(found, wanted, strict=True):
        golden = Decimal(text)
        gap = abs(Decimal(x) - golden)
        worst = max(worst, gap / abs(golden) if golden else gap * Decimal("Infinity") if gap else gap)
    return float(worst)


def run(case: dict[str, Any], backend: str, **changed: Any) -> tuple[list[list[float]], Any]:
    """The parameters after every step of a case, and the optimizer after the last."""
    arguments = {k: _argument(v) for k, v in {**case["arguments"], **changed}.items()}
    opt = adamas.get(case["optimizer"])(**arguments, backend=backend)
    params = _pieces(case, case["p0"])
    history = []
    for gradient in case["gradients"]:
        opt.step(params, _pieces(case, gradient))
        history.append(_joined(params))
    return history, opt


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", list(BY_NAME))
def test_golden(name: str, backend: str) -> None:
    """Parameters after every step and state after the last are the golden ones."""
    case = BY_NAME[name]
    history, opt = run(case, backend)
    for t, (p, wanted) in enumerate(zip(history, case["p"], strict=True), 1):
        assert off_by(p, wanted) <= BAR, f"parameters after step {t}"
    slots = _slots(opt, list(case["slots"]))
    for slot, numbers in case["slots"].items():
        bar = float(case["bounds"].get(slot, BAR))
        assert off_by(slots[slot], numbers) <= bar, f"state slot {slot}"


def test_every_member_has_golden_values() -> None:
    """A new member cannot join without its values."""
    assert {case["optimizer"] for case in CASES} >= set(adamas.members())


def test_generator_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is what the generator writes, so nobody has bent a value by hand."""
    pytest.importorskip("mpmath")
    monkeypatch.syspath_prepend(str(HERE))
    spec = importlib.util.spec_from_file_location("golden_generate", HERE / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert generate.render().encode("ascii") == (HERE / "values.json").read_bytes()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("Adam coupled", {"betas": [0.87, 0.963 * (1 + 1e-10)]}),
        ("Adam coupled", {"weight_decay": 0.0137 * (1 + 1e-10)}),
        ("RMSprop coupled", {"eps": 1.3e-3 * (1 + 1e-10)}),
        ("NAdam coupled", {"momentum_decay": 0.0319 * (1 + 1e-8)}),
        ("Adam coupled", {"compat": "folded"}),
        ("AMSGrad coupled", {"maximum": "after"}),
        ("AdamW", {"decay": "independent"}),
    ],
)
def test_a_small_error_is_seen(name: str, changed: dict[str, Any], backend: str) -> None:
    """A hyper-parameter off by 1e-10 of itself, or a sister form, fails the comparison."""
    case = BY_NAME[name]
    history, _ = run(case, backend, **changed)
    assert any(off_by(p, wanted) > BAR for p, wanted in zip(history, case["p"], strict=True))


def test_the_comparison_can_fail() -> None:
    """Off by more than the bar, a wrong sign, a zero which is not zero: all are seen."""
    assert off_by([1.0], ["1"]) == 0.0
    assert BAR < off_by([1.0 + 2**-46], ["1"]) < 2 * BAR
    assert off_by([-1e-300], ["1e-300"]) == 2.0
    assert off_by([5e-324], ["0.0"]) == float("inf")
