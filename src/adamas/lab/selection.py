"""How a tuning trial is judged: stated once for the race and for its summary."""

from __future__ import annotations

from collections.abc import Sequence

from .statistics import median, steps_to_target
from .trial import Trial


def judge(trials: Sequence[Trial], hardest: float, floor: float) -> tuple[float, float]:
    """The smaller, the better: median final validation loss, then median steps to the hardest target.

    Args:
        trials: Runs of one learning rate, one per tuning seed.
        hardest: The hardest target of the problem.
        floor: Losses below it count as equal to it.
    """
    loss = median([floored(trial.final_valid, floor) for trial in trials])
    return loss, median([steps_to_target(trial.steps, trial.valid, hardest) for trial in trials])


def floored(loss: float, floor: float) -> float:
    """The loss, or the floor below which nothing is gained."""
    return max(loss, floor)
