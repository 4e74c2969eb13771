"""What the page reads from a rule: its moments, their corrections, and whether t serves nothing else."""

from __future__ import annotations

from typing import Any

import pytest

import adamas
from adamas.lab.play.members import forms, rule_function
from adamas.rules import MEMBERS, ROLL

READ: dict[str, tuple[str, bool]] = {
    "SGD": ("", False),
    "Momentum": ("v", False),
    "Nesterov": ("v", False),
    "Adagrad": ("√v", False),
    "RMSprop": ("√v b", False),
    "Adadelta": ("√v √u", False),
    "Adam": ("m/beta1 √v/beta2", True),
    "AdamW": ("m/beta1 √v/beta2", True),
    "AMSGrad": ("m/beta1 √x/beta2", True),
    "Adamax": ("m/beta1 u", True),
    "NAdam": ("m=m_hat √v/beta2", False),
    "RAdam": ("m/beta1 √v/beta2", False),
    "AdaBelief": ("m/beta1 √s/beta2", True),
    "Yogi": ("m √v", False),
    "Lion": ("m", False),
    "Adan": ("m/beta1 v/beta2 √n/beta3", False),
    "ADOPT": ("m √v", False),
    "AdEMAMix": ("m/beta1 s √v/beta2", False),
}


def read(rule: Any, form: int = 0) -> tuple[str, bool]:
    """Moments in short: a root where the rule takes it, the decay rate that corrects, the line of the rule itself."""
    function = rule_function(rule, forms(rule)[form])
    texts = [
        f"{'√' * m.root}{m.slot}{f'/{m.beta}' if m.beta else ''}{f'={m.line}' if m.line else ''}"
        for m in function.moments
    ]
    assert all(m.size for m in function.moments if m.root)
    return " ".join(texts), function.switchable


@pytest.mark.parametrize("name", READ)
def test_moments_of_a_member(name: str) -> None:
    assert read(ROLL[name]) == READ[name]


def test_every_member_was_read_by_eye() -> None:
    assert {*(rule.name for rule in MEMBERS), "AdamW"} == set(READ)


def test_forms_that_differ() -> None:
    assert read(ROLL["Yogi"], 1) == ("m/beta1 √v/beta2", True)
    after = rule_function(ROLL["AMSGrad"], {"compat": "paper", "maximum": "after"})
    assert [(m.slot, m.beta, m.corrected) for m in after.moments] == [("m", "beta1", False), ("x", None, True)]


def test_a_rule_of_ones_own_is_read_likewise() -> None:
    @adamas.rule
    def own(p: Any, g: Any, mean: Any, last: Any, t: Any, *, lr: Any = 0.1, rate: Any = 0.9) -> Any:
        mean = rate * mean + (1 - rate) * (g + last)
        return p - lr * mean / (1 - rate**t), mean, g

    assert read(own) == ("mean/rate", True)
