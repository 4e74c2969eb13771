"""The run of the optimizer tutorial that its misprints are measured on: a bowl, a start, a rate, 30 steps."""

from __future__ import annotations

from typing import Any

import numpy as np

import adamas
from adamas.rules import Rule

from ..surfaces import SURFACES

BOWL = SURFACES["t0-bowl"]
LR = 0.3
EPS = 1e-7
STEPS = 30


def tutorial_path(rule: Rule | str, *, scale: float = 1.0, **hyper: Any) -> adamas.MinimizeResult:
    """The tutorial's run, x^2/20 + y^2 from (-7, 2), by a rule or a member's name.

    Args:
        rule: Made by `@adamas.rule`, or a name.
        scale: The function is multiplied by it.
        hyper: Other settings; lr is 0.3 and eps 1e-7 where the rule has one.

    Returns:
        The result, its path ending where a number is no longer finite.
    """
    make = adamas.get(rule) if isinstance(rule, str) else adamas.optimizer(rule)
    known = {h.name for h in make.rule.hyper}
    settings = {"lr": LR, **({"eps": EPS} if "eps" in known else {}), **hyper}
    with np.errstate(all="ignore"):  # a run that diverges is a result
        return adamas.minimize(
            lambda z: scale * BOWL.value(z),
            BOWL.start,
            jac=lambda z: scale * BOWL.gradient(z),
            optimizer=make(**settings, backend="reference"),  # the same bits, and nothing to compile for 30 steps
            steps=STEPS,
        )


def apart(path: Any, reference: Any) -> float:
    """Largest distance between two paths, step by step; infinite if one ends early or is not finite."""
    if len(path) != len(reference) or not np.isfinite(path).all():
        return float("inf")
    return float(np.linalg.norm(path - reference, axis=1).max())
