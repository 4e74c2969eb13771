"""The page's rules equal the engine to 1e-12: 1 000 steps of every member in every form.

Default settings, other decays than a member's own, clipping and the mask take 250 steps; the slow test takes 1 000 of
these too. The page's own scripts walk, in Node.js and in Chromium, whichever there are; all cases run in one go.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from runtime import RUNTIMES, evaluate

import adamas
from adamas.lab.example_rule import grams
from adamas.lab.play.around import around_source
from adamas.lab.play.members import form_key, forms, members_source
from adamas.rules import DECAYS, ROLL, Rule
from family import away

STEPS = 1000
FEWER = 250
TOLERANCE = 1e-12
START = [1.5, -2.5]
AROUND: dict[str, dict[str, Any]] = {
    "clip_value": {"clip_value": 0.7},
    "clip_norm": {"clip_norm": 0.9},
    "cautious": {"cautious": True},
    "all three": {"clip_value": 2.0, "clip_norm": 1.1, "cautious": True},
}


def _rules() -> dict[str, Rule]:
    """The members, a rule of a user's own, and every member with the kinds of decay that it does not have by itself."""
    known = {**ROLL, "grams": grams}
    others = [
        replace(rule, name=f"{name}_{decay}", decay=decay)
        for name, rule in known.items()
        if not name.endswith("W")  # a twin is its base with another decay
        for decay in DECAYS
        if decay != rule.decay and not (decay == "decoupled" and name + "W" in known)
    ]
    return {**known, **{rule.name: rule for rule in others}}


RULES = _rules()


@cache
def gradients() -> list[list[float]]:
    """Both signs, six decades of size, exact zeros, a long silence and a shock; the coordinates are out of step."""
    one = [math.sin(1.7 * k * k) * 10.0 ** (3 * math.sin(0.05 * k)) for k in range(STEPS)]
    one[300:340] = [0.0] * 40
    one[700] = 1e4
    return [[a, 0.3 * b] for a, b in zip(one, one[::-1], strict=True)]


def settings(rule: Rule, kind: str) -> dict[str, float]:
    if kind == "default":
        return {h.name: h.default for h in rule.hyper} | {"weight_decay": rule.weight_decay}
    if rule.name.startswith("grams"):
        return {"lr": 0.0137, "beta1": 0.83, "beta2": 0.957, "eps": 3e-4, "weight_decay": 0.037}
    return away(replace(rule, name=rule.name.split("_")[0]))


def cases() -> list[tuple[str, dict[str, object], dict[str, float], dict[str, Any]]]:
    """(member, form, hyper-parameters, what acts around the rule)."""
    out: list[tuple[str, dict[str, object], dict[str, float], dict[str, Any]]] = []
    for name, rule in RULES.items():
        every = forms(rule) if name in ROLL and not name.endswith("W") else forms(rule)[:1]
        out += [(name, form, settings(rule, "away"), {}) for form in every]
        if name in ROLL:
            out.append((name, every[0], settings(rule, "default"), {}))
            out.append((name, every[0], settings(rule, "away"), AROUND["all three"]))
    out += [("Adam", forms(ROLL["Adam"])[0], settings(ROLL["Adam"], "away"), around) for around in AROUND.values()]
    return out


CASES = cases()
QUICK = range(len(CASES))
CASES += [  # the other forms of twins and of decays that are not a member's own
    (name, form, settings(rule, "away"), {})
    for name, rule in RULES.items()
    if name not in ROLL or name.endswith("W")
    for form in forms(rule)[1:]
]


def run_page(chosen: list[Any], runtime: str = "", change: Callable[[str], str] = str) -> Any:
    """Both coordinates after every step, by the scripts of the page."""
    scripts = [
        files("adamas.lab.play").joinpath("assets", f"{name}.js").read_text("utf-8") for name in ("state", "runs")
    ]
    members = change(members_source(RULES[name] for name in {case[0]: None for case in chosen}))
    expression = f"""(() => {{ const LAB = {{ members: {members}, around: {around_source()} }};
        {" ".join(scripts)}
        return given.runners.map((runner) => {{
          const gradient = (_, k) => given.gradients[k];
          const problem = {{ start: given.start, steps: given.gradients.length, value: () => 0, gradient }};
          return simulate(completeRunner(runner), problem, () => 1).coordinates.slice(1).map((c) => c.map((one) => one.p));
        }}); }})()"""
    runners = [{"member": n, "form": form_key(form), "hyper": hyper, **around} for n, form, hyper, around in chosen]
    return evaluate(expression, {"runners": runners, "gradients": gradients(), "start": START}, runtime)


def fewer(case: int) -> int:
    """Steps of a case in the quick test."""
    name, _, hyper, around = CASES[case]
    return FEWER if around or name not in ROLL or hyper == settings(ROLL[name], "default") else STEPS


@cache
def run_engine(case: int, steps: int) -> Any:
    name, form, hyper, around = CASES[case]
    rule = RULES[name]
    optimizer = adamas.optimizer(rule)(**hyper, **form, **around, backend="reference")
    p = np.array(START)
    path = np.empty((steps, 2))
    for k, g in enumerate(gradients()[:steps]):
        optimizer.step(p, np.array(g))
        path[k] = p
    return path


def largest_error(ours: Any, theirs: Any) -> float:
    """Largest difference relative to the engine's value, element by element."""
    assert np.isfinite(theirs).all()
    assert np.shape(ours) == np.shape(theirs)
    return float(np.max(np.abs(np.array(ours) - theirs) / np.abs(theirs)))


def test_every_member_has_a_case() -> None:
    assert {name for name, *_ in CASES} >= {*ROLL, "grams"}


def disagreements(runtime: str, numbers: range, steps: Callable[[int], int]) -> list[str]:
    paths = run_page([CASES[k] for k in numbers], runtime)
    errors = {
        k: largest_error(path[: steps(k)], run_engine(k, steps(k))) for k, path in zip(numbers, paths, strict=True)
    }
    return [f"{CASES[k]}: {error:.2e}" for k, error in errors.items() if not error <= TOLERANCE]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_printed_rules_equal_the_engine(runtime: str) -> None:
    assert disagreements(runtime, QUICK, fewer) == []


@pytest.mark.slow
@pytest.mark.javascript
def test_every_case_for_all_steps() -> None:
    assert disagreements("", range(len(CASES)), lambda _: STEPS) == []


@pytest.mark.javascript
@pytest.mark.parametrize("name", AROUND)
def test_what_acts_around_a_rule_changes_its_path(name: str) -> None:
    plain, acted = (next(c for c in CASES if c[0] == "Adam" and c[3] == around) for around in ({}, AROUND[name]))
    one, two = run_page([plain, acted])
    assert largest_error(two, np.array(one)) > 0.01


@pytest.mark.javascript
def test_a_fault_of_one_part_in_a_billion_is_seen() -> None:
    k = next(k for k, case in enumerate(CASES) if case[0] == "Adam" and not case[3])
    (path,) = run_page([CASES[k]], change=lambda text: text.replace("Math.sqrt(", "(1 + 1e-9) * Math.sqrt("))
    assert largest_error(path, run_engine(k, STEPS)) > TOLERANCE
