"""Per-step scalars of many groups by compiled code: the bits of Python's arithmetic, for every rule and form."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import adamas
from adamas.engine.cpu import plan as cpu_plan
from adamas.rules import HOST_RULES, MEMBERS, Rule

RNG = np.random.default_rng(11)


def forms(rule: Rule) -> list[dict[str, Any]]:
    return [dict(zip(rule.options, chosen, strict=True)) for chosen in itertools.product(*rule.options.values())]


CASES = [(rule, form) for rule in (*MEMBERS, *HOST_RULES) for form in forms(rule)]


def settings(rule: Rule, k: int) -> dict[str, float]:
    """Settings of group k, away from round numbers."""
    out = {"weight_decay": 0.01 * RNG.random()}
    for h in rule.hyper:
        high = min(h.high, 1.0) if np.isfinite(h.high) else max(1.0, 2 * abs(h.default))
        out[h.name] = float(h.low if np.isfinite(h.low) else 0.0) + (high - max(h.low, 0.0)) * (
            0.05 + 0.9 * RNG.random()
        )
    return out


@pytest.mark.parametrize(
    ("rule", "form"), CASES, ids=lambda x: getattr(x, "name", None) or "-".join(map(str, x.values()))
)
def test_batched_groups_have_the_bits_of_single_ones(
    rule: Rule, form: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 2 * cpu_plan.MIN_GROUPS
    base = settings(rule, 0)
    overrides = {f"p{k:02d}": settings(rule, k) for k in range(count)}
    make = adamas.optimizer(rule)
    paths = []
    for smallest in (cpu_plan.MIN_GROUPS, 10**9):
        monkeypatch.setattr(cpu_plan, "MIN_GROUPS", smallest)
        opt = make(**base, **form, overrides=overrides)
        rng = np.random.default_rng(5)
        params = {name: rng.standard_normal(3) for name in overrides}
        for _ in range(7):
            opt.step(params, {name: rng.standard_normal(3) for name in overrides})
        batches = opt._plan.batches
        assert (batches is not None) == (smallest < 10**9)
        paths.append((params, opt.state_dict()))
    (p, state), (q, twin) = paths
    for name in p:
        assert p[name].tobytes() == q[name].tobytes(), name
        for slot, values in state["state"][name].items():
            assert values.tobytes() == twin["state"][name][slot].tobytes(), (name, slot)
    assert state["scalars"] == twin["scalars"]


def test_a_value_that_is_not_finite_is_left_to_python() -> None:
    overrides = {f"p{k:02d}": {"lr": 0.1 + k} for k in range(cpu_plan.MIN_GROUPS)}
    opt = adamas.Adam(overrides=overrides)
    params = {name: np.ones(2) for name in overrides}
    opt.step(params, {name: np.ones(2) for name in overrides})
    opt.beta1 = lambda step: 0.9999999999999999999 if step > 0 else 0.5  # 1.0: the correction divides by 0
    before = {name: p.copy() for name, p in params.items()}
    with pytest.raises(ValueError, match=r"beta1|Adam"):
        opt.step(params, {name: np.ones(2) for name in overrides})
    assert all(np.array_equal(params[name], before[name]) for name in params)


def test_schedules_reach_every_group() -> None:
    names = [f"p{k:02d}" for k in range(cpu_plan.MIN_GROUPS)]
    opt = adamas.SGD(lr=0.5, overrides={n: {"lr": lambda step, k=k: 0.1 * k + step} for k, n in enumerate(names)})
    params = {n: np.zeros(1) for n in names}
    for step in range(3):
        before = {n: p.copy() for n, p in params.items()}
        opt.step(params, {n: np.ones(1) for n in names})
        for k, n in enumerate(names):
            assert params[n][0] == before[n][0] - (0.1 * k + step)
