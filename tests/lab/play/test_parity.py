"""The page's rules equal the engine: 1 000 steps of every member in every form, to 1e-12."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adamas
from adamas.lab.example_rule import grams
from adamas.lab.play.members import form_key, forms, member_source
from adamas.rules import ROLL, Rule
from family import away

NODE = shutil.which("node")
DRIVER = Path(__file__).with_name("driver.js")
STEPS = 1000
TOLERANCE = 1e-12
RULES: dict[str, Rule] = {**ROLL, "grams": grams}

pytestmark = pytest.mark.skipif(NODE is None, reason="needs Node.js to run the printed rules")


def gradients() -> list[float]:
    """Both signs, six decades of size, exact zeros, a long silence and a shock."""
    out = [math.sin(1.7 * k * k) * 10.0 ** (3 * math.sin(0.05 * k)) for k in range(STEPS)]
    out[300:340] = [0.0] * 40
    out[700] = 1e4
    return out


def run_javascript(source: str, cases: list[dict[str, Any]]) -> Any:
    assert NODE is not None
    given = json.dumps({"source": source, "cases": cases})
    done = subprocess.run([NODE, str(DRIVER)], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def settings(rule: Rule, kind: str) -> dict[str, float]:
    if kind == "default":
        return {h.name: h.default for h in rule.hyper} | {"weight_decay": rule.weight_decay}
    if rule.name == "grams":
        return {"lr": 0.0137, "beta1": 0.83, "beta2": 0.957, "eps": 3e-4, "weight_decay": 0.037}
    return away(rule)


def steps(rule: Rule, form: dict[str, object]) -> int:
    """All for the default form; other forms share most of its lines."""
    return STEPS if form == forms(rule)[0] else 200


def run_engine(rule: Rule, form: dict[str, object], hyper: dict[str, float], sequence: list[float]) -> list[float]:
    optimizer = adamas.optimizer(rule)(**hyper, **form, backend="reference")
    p = np.array([1.5])
    path = []
    for g in sequence:
        optimizer.step(p, np.array([g]))
        path.append(float(p[0]))
    return path


def largest_error(ours: list[float], theirs: list[float]) -> float:
    """Largest difference relative to the engine's value, element by element."""
    a, b = np.array(ours), np.array(theirs)
    assert np.isfinite(b).all()
    return float(np.max(np.abs(a - b) / np.abs(b)))


@pytest.mark.parametrize("name", RULES)
def test_a_printed_rule_equals_the_engine(name: str) -> None:
    rule, sequence = RULES[name], gradients()
    all_forms = forms(rule)[:1] if rule.name.endswith("W") else forms(rule)  # a twin differs in its decay only
    chosen = [(form, settings(rule, "away")) for form in all_forms]
    chosen.append((forms(rule)[0], settings(rule, "default")))
    cases = [
        {"member": name, "form": form_key(form), "hyper": hyper, "gradients": sequence[: steps(rule, form)]}
        for form, hyper in chosen
    ]
    results = run_javascript(f"({{ {json.dumps(name)}: {member_source(rule)} }})", cases)
    for (form, hyper), states in zip(chosen, results, strict=True):
        engine = run_engine(rule, form, hyper, sequence[: steps(rule, form)])
        error = largest_error([s["p"] for s in states], engine)
        assert error <= TOLERANCE, f"{name} {form} {hyper}: {error:.2e}"


def test_a_fault_of_one_part_in_a_billion_is_seen() -> None:
    rule, sequence = ROLL["Adam"], gradients()
    hyper = settings(rule, "default")
    case = {"member": "Adam", "form": "compat=paper", "hyper": hyper, "gradients": sequence}
    source = member_source(rule).replace("Math.sqrt(", "(1 + 1e-9) * Math.sqrt(")
    (states,) = run_javascript(f"({{ Adam: {source} }})", [case])
    engine = run_engine(rule, {"compat": "paper"}, hyper, sequence)
    assert largest_error([s["p"] for s in states], engine) > TOLERANCE
