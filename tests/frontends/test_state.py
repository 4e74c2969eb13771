"""Saving, loading, copying: an optimizer goes on from any step bit for bit."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adamas
from family import AWAY, cases, same_bits
from snapshots import bits, python

SAVED_AT, STEPS = 3, 7
EVERY = [*((name, {}) for name in adamas.members()), *cases()]
"""Every class at its defaults, and every form of every member with hyper-parameters away from neutral."""


def gradients(step: int, dtype: Any = np.float64) -> dict[str, Any]:
    """Gradients of a step; a fresh process makes the same."""
    rng = np.random.default_rng(1000 + step)
    return {"w": rng.standard_normal((5, 7)).astype(dtype), "b": rng.standard_normal(3).astype(dtype)}


def parameters(dtype: Any = np.float64) -> dict[str, Any]:
    """Parameters at the start; the matrix in Fortran order."""
    rng = np.random.default_rng(999)
    return {
        "w": np.asfortranarray(rng.standard_normal((5, 7)).astype(dtype)),
        "b": rng.standard_normal(3).astype(dtype),
    }


def go(opt: Any, p: Any, first: int, last: int) -> Any:
    """Steps first, ..., last - 1; momentum-like numbers change on the way."""
    for k in range(first, last):
        opt.lr = 0.01 + 0.003 * k
        opt.step(p, gradients(k, p["b"].dtype))
    return p


def exactly(opt: Any, p: Any) -> Any:
    return bits((p, opt.state_dict()))


RESUME = """
import pathlib, pickle, sys
import adamas
jobs = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())
adamas.set_num_threads(2)
sys.path.insert(0, sys.argv[3])
from test_state import go
done = []
for name, arguments, p, state, first, last in jobs:
    opt = adamas.get(name)(**arguments)
    opt.load_state_dict(state)
    go(opt, p, first, last)
    done.append((p, opt.state_dict()))
pathlib.Path(sys.argv[2]).write_bytes(pickle.dumps(done))
"""


def test_every_member_goes_on_in_a_fresh_process(tmp_path: Path) -> None:
    """Saved after step 3 on one thread, loaded by another process on two, changed rates on the way: the same bits."""
    jobs, expected = [], []
    before = adamas.get_num_threads()
    adamas.set_num_threads(1)
    for number, (name, arguments) in enumerate(EVERY):
        dtype = (np.float32, np.float64)[number % 2] if arguments else np.float32
        opt, p = adamas.get(name)(**arguments), parameters(dtype)
        go(opt, p, 0, SAVED_AT)
        state, kept = opt.state_dict(), copy.deepcopy(p)
        expected.append((go(opt, p, SAVED_AT, STEPS), opt.state_dict()))
        jobs.append((name, arguments, kept, state, SAVED_AT, STEPS))
    adamas.set_num_threads(before)
    (tmp_path / "jobs").write_bytes(pickle.dumps(jobs))
    python(RESUME, str(tmp_path / "jobs"), str(tmp_path / "done"), str(Path(__file__).parent), folder=tmp_path)
    found = pickle.loads((tmp_path / "done").read_bytes())
    assert len(found) == len(expected) == len(EVERY) > 60
    for (name, arguments), one, other in zip(EVERY, found, expected, strict=True):
        assert bits(one) == bits(other), (name, arguments)


def test_comparison_sees_a_forgotten_slot() -> None:
    """Dropping what one slot holds changes the next step: the test above can fail."""
    for name, arguments in EVERY:
        opt, p = adamas.get(name)(**arguments), parameters()
        go(opt, p, 0, SAVED_AT)
        state = opt.state_dict()
        for slot in state["state"].get("w", {}):
            q, other = copy.deepcopy(p), adamas.get(name)(**arguments)
            broken = copy.deepcopy(state)
            broken["state"]["w"][slot] *= 0.5
            other.load_state_dict(broken)
            go(other, q, SAVED_AT, STEPS)
            r, same = copy.deepcopy(p), adamas.get(name)(**arguments)
            same.load_state_dict(state)
            go(same, r, SAVED_AT, STEPS)
            assert bits(q) != bits(r), (name, arguments, slot)
        used = {} if arguments.get("form") == "dozat" else state["scalars"][""]  # Dozat's form reads no product
        for scalar in used:
            broken = copy.deepcopy(state)
            broken["scalars"][""][scalar] *= 0.5
            other = adamas.get(name)(**arguments)
            other.load_state_dict(broken)
            q, r, same = copy.deepcopy(p), copy.deepcopy(p), adamas.get(name)(**arguments)
            same.load_state_dict(state)
            assert bits(go(other, q, SAVED_AT, STEPS)) != bits(go(same, r, SAVED_AT, STEPS)), (name, scalar)


@pytest.mark.parametrize("step", range(5))
@pytest.mark.parametrize("name", ["NAdam", "Adan", "ADOPT", "AdEMAMix", "Momentum"])
def test_saved_at_any_step(name: str, step: int) -> None:
    """Before the first step, after it, later; through plain arrays and numbers in an .npz file's manner."""
    opt, p = adamas.get(name)(), parameters()
    go(opt, p, 0, step)
    other, q = adamas.get(name)(), copy.deepcopy(p)
    other.load_state_dict(opt.state_dict())
    go(opt, p, step, 5)
    go(other, q, step, 5)
    assert exactly(opt, p) == exactly(other, q)
    assert opt.t == other.t == 5


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for v in value.values() for leaf in leaves(v)]
    return [value]


def test_state_is_plain(tmp_path: Path) -> None:
    """Only dicts with text keys, numbers, texts and float arrays; survives numpy.savez, with no pickle in it."""
    opt, p = adamas.NAdam(overrides={"b": {"lr": 0.5}}), parameters(np.float32)
    go(opt, p, 0, 2)
    state = opt.state_dict()
    assert all(type(leaf) in (int, float, str, np.ndarray) for leaf in leaves(state))
    arrays = {f"{path}/{slot}": a for path, slots in state["state"].items() for slot, a in slots.items()}
    np.savez(tmp_path / "state.npz", **arrays)
    with np.load(tmp_path / "state.npz", allow_pickle=False) as held:
        back = {path: {slot: held[f"{path}/{slot}"] for slot in slots} for path, slots in state["state"].items()}
    other, q = adamas.NAdam(overrides={"b": {"lr": 0.5}}), copy.deepcopy(p)
    other.load_state_dict({**state, "state": back})
    assert exactly(opt, go(opt, p, 2, 5)) == exactly(other, go(other, q, 2, 5))


def test_state_is_a_copy_both_ways() -> None:
    opt, p = adamas.NAdam(overrides={"b": {"eps": 0.5}}), parameters()
    go(opt, p, 0, 2)
    state = opt.state_dict()
    kept = bits(state)
    go(opt, p, 2, 4)
    assert bits(state) == kept  # steps do not reach what was saved
    other = adamas.NAdam(overrides={"b": {"eps": 0.5}})
    other.load_state_dict(state)
    go(other, parameters(), 2, 4)
    assert bits(state) == kept  # nor do those of the optimizer that loaded it
    before = bits(opt.state_dict())
    ruined = opt.state_dict()
    for slots in ruined["state"].values():
        for a in slots.values():
            a.fill(np.nan)
    for part in ("hyper", "scalars", "overrides", "counters", "options", "state"):
        ruined[part].clear()
    assert bits(opt.state_dict()) == before  # what is saved may be changed freely
    loaded = copy.deepcopy(state)
    other.load_state_dict(loaded)
    for a in loaded["state"]["w"].values():
        a.fill(np.nan)
    loaded["overrides"]["b"]["eps"] = 9.0
    loaded["scalars"][""]["mu_product"] = 9.0
    assert bits(other.state_dict()) == kept  # and what was loaded as well


COPIES: dict[str, Any] = {
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "pickle": lambda opt: pickle.loads(pickle.dumps(opt)),
    "pickle 2": lambda opt: pickle.loads(pickle.dumps(opt, protocol=2)),
}


def falling(step: int) -> float:
    return 0.1 / (step + 1)


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("NAdam", {"overrides": {"b": {"lr": 0.5, "eps": falling}}, "clip_norm": 1.0}),
        ("Adam", {"lr": falling, "weight_decay": 0.1, "decay": "independent", "maximize": True, "nonfinite": "skip"}),
        ("RMSprop", {"momentum": 0.9, "centered": True, "cautious": True}),
        ("AMSGradW", {"betas": (0.8, 0.9), "maximum": "after", "backend": "reference"}),
    ],
    ids=lambda v: v if isinstance(v, str) else "-".join(v),
)
def test_copies_go_on_alike_and_apart(how: str, name: str, arguments: dict[str, Any]) -> None:
    opt, p = adamas.get(name)(**arguments), parameters()
    for k in range(3):
        opt.step(p, gradients(k))
    opt.eps = 0.01
    twin, q = COPIES[how](opt), copy.deepcopy(p)
    assert type(twin) is type(opt)
    assert (repr(twin), twin.hyper, twin.t) == (repr(opt), opt.hyper, opt.t)
    for k in range(3, 6):
        opt.step(p, gradients(k))
    assert twin.t == 3
    for k in range(3, 6):
        twin.step(q, gradients(k))
    assert exactly(opt, p) == exactly(twin, q)
    opt.lr = 0.7
    assert twin.lr != 0.7


def test_schedules_stay_with_the_optimizer() -> None:
    """A schedule is not saved; the optimizer that loads goes on with its own, at the right step."""
    seen: list[int] = []

    def schedule(step: int) -> float:
        seen.append(step)
        return 0.1 / (step + 1)

    opt, p = adamas.Adam(lr=schedule), parameters()
    for k in range(3):
        opt.step(p, gradients(k))
    state = opt.state_dict()
    assert "lr" not in state["hyper"]
    other, q = adamas.Adam(lr=schedule), copy.deepcopy(p)
    other.load_state_dict(state)
    seen.clear()
    other.step(q, gradients(3))
    assert seen == [3]
    opt.step(p, gradients(3))
    assert exactly(opt, p) == exactly(other, q)


def test_saved_numbers_replace_present_ones() -> None:
    """In the optimizer and in its overrides, also where a step was made with the present ones."""
    saved = adamas.Momentum(
        lr=0.5, momentum=0.25, weight_decay=0.125, overrides={"b": {"lr": 2.0, "momentum": 0.5, "weight_decay": 0.5}}
    )
    p = parameters()
    saved.step(p, gradients(0))
    other, q = (
        adamas.Momentum(lr=0.1, overrides={"b": {"lr": 0.1, "momentum": 0.1, "weight_decay": 0.1}}),
        copy.deepcopy(p),
    )
    for k in range(2):
        other.step(parameters(), gradients(k))
    other.load_state_dict(saved.state_dict())
    assert other.hyper == {"lr": 0.5, "momentum": 0.25, "weight_decay": 0.125}
    for opt, x in ((saved, p), (other, q)):
        opt.step(x, gradients(1))
    assert exactly(saved, p) == exactly(other, q)
    saved.lr, other.lr = 0.75, 0.75  # reaches "w", not "b"
    for opt, x in ((saved, p), (other, q)):
        opt.step(x, gradients(2))
    assert exactly(saved, p) == exactly(other, q)


def test_overrides_keep_their_own_scalars() -> None:
    """NAdam's product of momenta is per group; it is saved and restored per group."""
    overrides = {"b": {"momentum_decay": 0.5}, "w": {"beta1": 0.5}}
    opt, p = adamas.NAdam(overrides=overrides), parameters()
    go(opt, p, 0, 3)
    scalars = opt.state_dict()["scalars"]
    assert len({s["mu_product"] for s in scalars.values()}) == len(scalars) == 3
    other, q = adamas.NAdam(overrides=overrides), copy.deepcopy(p)
    other.load_state_dict(opt.state_dict())
    assert exactly(other, q) == exactly(opt, p)
    assert exactly(opt, go(opt, p, 3, 6)) == exactly(other, go(other, q, 3, 6))


@pytest.mark.parametrize("name", ["NAdam", "Adan", "RMSprop"])
def test_reference_state_continues_on_cpu(name: str) -> None:
    arguments = {n: AWAY[n] for n in ("lr", "eps")} | ({"momentum": 0.5} if name == "RMSprop" else {})
    opt, p = adamas.get(name)(**arguments, backend="reference"), parameters(np.float32)
    go(opt, p, 0, 3)
    other, q = adamas.get(name)(**arguments, backend="cpu"), copy.deepcopy(p)
    other.load_state_dict(opt.state_dict())
    assert exactly(other, go(other, q, 3, 6)) == exactly(opt, go(opt, p, 3, 6))
    back, r = adamas.get(name)(**arguments, backend="reference"), copy.deepcopy(q)
    back.load_state_dict(other.state_dict())
    assert exactly(back, go(back, r, 6, 8)) == exactly(other, go(other, q, 6, 8))


def test_loading_into_a_used_optimizer_forgets_its_past() -> None:
    opt, p = adamas.NAdam(), parameters()
    go(opt, p, 0, 3)
    used = adamas.NAdam()
    used.step([np.ones(3), np.ones((2, 2))], [np.ones(3), np.ones((2, 2))])
    used.load_state_dict(opt.state_dict())
    q = copy.deepcopy(p)
    assert exactly(opt, go(opt, p, 3, 5)) == exactly(used, go(used, q, 3, 5))


@pytest.mark.parametrize("name", ["NAdam", "Yogi", "SGD"])
def test_reset_begins_anew(name: str) -> None:
    opt, p = adamas.get(name)(nonfinite="skip"), parameters()
    go(opt, p, 0, 3)
    opt.step(p, {n: g * np.nan for n, g in gradients(3).items()})
    assert (opt.t, opt.counters["skipped"]) == (3, 1)
    opt.reset()
    assert (opt.t, opt.counters["skipped"], opt.last_norm) == (0, 0, None)
    assert opt.state_dict()["state"] == {}
    fresh, q = adamas.get(name)(nonfinite="skip"), parameters()
    r = parameters()
    assert exactly(opt, go(opt, r, 0, 4)) == exactly(fresh, go(fresh, q, 0, 4))
    opt.reset()
    opt.step(np.ones(4), np.ones(4))  # other parameters than before


LAYOUTS = {
    "C": lambda a: a.copy(order="C"),
    "Fortran": lambda a: a.copy(order="F"),
    "strided": lambda a: np.repeat(np.repeat(a, 2, 0), 3, 1)[::2, ::3],
    "reversed": lambda a: a[::-1, ::-1].copy(order="C")[::-1, ::-1],
}


@pytest.mark.filterwarnings("ignore::adamas.PerformanceWarning")
@pytest.mark.parametrize("after", LAYOUTS)
@pytest.mark.parametrize("before", LAYOUTS)
def test_state_fits_any_layout(before: str, after: str) -> None:
    """State saved beside one memory layout continues beside another, element for element."""
    rng = np.random.default_rng(0)
    start, gs = rng.standard_normal((5, 7)), [rng.standard_normal((5, 7)) for _ in range(4)]
    opt, p = adamas.Adam(), LAYOUTS[before](start)
    plain, q = adamas.Adam(), start.copy()
    for g in gs[:2]:
        opt.step(p, g)
        plain.step(q, g)
    state = opt.state_dict()
    assert all(same_bits(state["state"][""][n], plain.state_dict()["state"][""][n]) for n in ("m", "v"))
    other, r = adamas.Adam(), LAYOUTS[after](p)
    assert np.shares_memory(r, p) is False
    other.load_state_dict(state)
    moved = LAYOUTS[after](p)
    for g in gs[2:]:
        plain.step(q, g)
        other.step(r, g)
        opt.step(moved, g)  # the live optimizer meets the other layout as well
    assert same_bits(r, q)
    assert same_bits(moved, q)
