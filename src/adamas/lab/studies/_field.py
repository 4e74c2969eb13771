"""A small field of problems and runs on it at many learning rates, for the studies that compare members."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

import adamas

from ..statistics import steps_to_target
from ..trial import Trial, run_trial
from ._rates import grid

STEPS = {"t0-bowl": 300, "rosenbrock": 1000, "digits-softmax": 200, "digits-mlp": 200}
TARGETS = {"t0-bowl": 1e-3, "rosenbrock": 1e-2, "digits-softmax": 0.3, "digits-mlp": 0.3}
"""Losses to be reached: the function's value, or the cross-entropy of the validation images."""
RATES = grid(1e-4, 10, 2)
TUNING_SEED = 0


@cache
def run(problem: str, member: str, lr: float, seed: int) -> Trial:
    """One run of a member, its other settings by default; each is done once."""
    from ..problems import get_problem

    every = 1 if problem == "t0-bowl" else 5
    return run_trial(get_problem(problem), adamas.get(member)(lr=lr), seed, STEPS[problem], evaluate_every=every)


def steps_to(problem: str, member: str, lr: float, seed: int) -> float:
    """Steps to the problem's target, infinite where the budget ends first."""
    found = run(problem, member, lr, seed)
    return steps_to_target(found.steps, found.valid, TARGETS[problem])


def final(problem: str, member: str, lr: float, seed: int) -> float:
    """Training loss (or value) at the end, infinite for a failed run."""
    return run(problem, member, lr, seed).final_train


def finals(problem: str, member: str, rates: Sequence[float] = RATES, seed: int = TUNING_SEED) -> list[float]:
    """`final` at each rate."""
    return [final(problem, member, lr, seed) for lr in rates]


def start(problem: str, seed: int = TUNING_SEED) -> float:
    """Training loss before the first step."""
    from ..problems import get_problem

    chosen = get_problem(problem)
    return float(np.float64(chosen.evaluate(chosen.start(seed)).train))
