"""Larger batches need fewer steps, in proportion at first and hardly so in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import adamas

from ..statistics import median, steps_to_target
from ..style import COLOURS
from ..trial import run_trial
from . import Outcome, study
from ._training import digits, label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS, TARGET, SEEDS = 1077, 0.25, (0, 1, 2)
BATCHES = (1, 4, 8, 16, 32, 64, 128, 512, 1077)
RATES = (3e-3, 1e-2, 3e-2, 1e-1)


def steps_needed(batch_size: int) -> tuple[float, float]:
    """Median steps to the target loss at the best rate, and that rate; the budget is three epochs, or 60 steps."""
    problem = digits(batch_size)
    budget = max(60, min(2000, 3 * ROWS // batch_size))
    every = max(1, budget // 60)
    found = {}
    for rate in RATES:
        runs = [run_trial(problem, adamas.Adam(lr=rate), seed, budget, evaluate_every=every) for seed in SEEDS]
        found[rate] = median([steps_to_target(run.steps, run.train, TARGET) for run in runs])
    rate = min(found, key=lambda each: found[each])
    return found[rate], rate


@study(
    claim="Larger batches, computed in parallel, cut the number of steps in proportion only up to a point.",
    source="principle and practice of Adam, a tutorial, on parallel computing; Shallue et al. 2019, Measuring the "
    "effects of data parallelism",
    criterion="Steps of Adam to a training loss of 0.25, each batch size at its best rate: from 1 to 8 they fall at "
    "least by 4, from 128 to 1 077 at most by 2.",
)
def run() -> Outcome:
    """The digits, one hidden layer, batch sizes 1 to all 1 077 rows, median of three seeds."""
    found = {size: steps_needed(size) for size in BATCHES}
    steps = {size: count for size, (count, _) in found.items()}
    early, late = steps[1] / steps[8], steps[128] / steps[1077]
    finding = (
        f"From batch size 1 to 8 steps fall from {steps[1]:g} to {steps[8]:g} ({early:.1f} times fewer), from 128 to "
        f"1 077 from {steps[128]:g} to {steps[1077]:g} ({late:.1f} times fewer)."
    )

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.loglog(BATCHES, [steps[size] for size in BATCHES], "o-", color=COLOURS[0], label="Adam at its best rate")
        ideal = [steps[1] / size for size in BATCHES]
        axes.loglog(BATCHES, ideal, "--", color="grey", label="in proportion")
        axes.set_ylim(min(steps.values()) / 2, 2 * steps[1])
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:g}")
        label(axes, f"Steps to a training loss of {TARGET:g}, median of {len(SEEDS)} seeds", "batch size", "steps")

    numbers: dict[str, Any] = {
        "batch_size": list(BATCHES),
        "steps": [steps[size] for size in BATCHES],
        "best_rate": [rate for _, rate in found.values()],
        "fall_1_to_8": early,
        "fall_128_to_1077": late,
    }
    return Outcome(numbers, bool(early >= 4 and late <= 2), finding, draw)
