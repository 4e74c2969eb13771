"""Short runs on the handwritten digits that several studies of learning share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..problems import DigitsProblem
from ..trial import Stepper, run_trial

Maker = Callable[[float], Stepper]


def digits(batch_size: int = 64, hidden: tuple[int, ...] = (32,)) -> DigitsProblem:
    """The digits and a dense network, with mini-batches of any size from 1 to 1 077."""
    problem = DigitsProblem("digits", hidden, targets=(1.0, 0.5, 0.3, 0.2, 0.15))
    problem.batch_size = batch_size
    return problem


def final_losses(make: Maker, rate: float, problem: DigitsProblem, steps: int, seeds: Sequence[int]) -> list[float]:
    """Training loss after the last step, one per seed; infinite where the run broke down."""
    runs = (run_trial(problem, make(rate), seed, steps, evaluate_every=steps) for seed in seeds)
    return [run.final_train for run in runs]


def sweep(make: Maker, rates: Sequence[float], problem: DigitsProblem, steps: int, seeds: Sequence[int]) -> list[float]:
    """Mean final training loss at every learning rate."""
    return [float(np.mean(final_losses(make, rate, problem, steps, seeds))) for rate in rates]


def best(rates: Sequence[float], losses: Sequence[float]) -> tuple[float, float]:
    """The rate with the lowest loss, and that loss."""
    place = int(np.argmin(losses))
    return float(rates[place]), float(losses[place])


def label(axes: Any, title: str, x: str, y: str, *, legend: bool = True) -> None:
    """Title, axis names and a legend, as every figure of a study has them."""
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if legend:
        axes.legend(loc="best")
