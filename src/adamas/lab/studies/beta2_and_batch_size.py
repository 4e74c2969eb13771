"""How beta2 should follow the batch size: by a constant half-life counted in samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

import adamas

from ..statistics import log_ratios, median, median_ratio
from ..style import COLOURS, INK, plain_log
from . import Outcome, study
from ._training import Maker, best, digits, final_losses, label, sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REFERENCE_BATCH, REFERENCE_BETA2 = 512, 0.95
ROWS, EPOCHS = 1077, 4
TUNING, JUDGED = (0, 1), tuple(range(100, 106))
BATCHES = (1, 8, 64, 512)
ADAM_RATES = (1e-3, 3e-3, 1e-2, 3e-2)
GRIDS = {"fixed beta2": ADAM_RATES, "fixed half-life": ADAM_RATES, "SGD": (1e-2, 3e-2, 1e-1, 3e-1, 1.0)}


def scaled_beta2(batch_size: int) -> float:
    """The beta2 that forgets half of the past after as many samples as the reference does."""
    return float(REFERENCE_BETA2 ** (batch_size / REFERENCE_BATCH))


@study(
    claim="beta2 should be scaled with the batch size to keep its half-life in samples; small batches then train "
    "well, even with plain SGD.",
    source="Marek et al. 2025, Small batch size training for language models",
    criterion="Rates tuned alike on 2 seeds, final losses of 6 other seeds, paired: at batch size 1 Adam with the "
    "half-life of beta2 = 0.95 at 512 ends lower than with beta2 = 0.95, and SGD's loss over Adam's is smaller at "
    "batch size 1 than at 512: both 95 % intervals of the ratio lie below 1.",
)
def run() -> Outcome:
    """The digits, one hidden layer, four epochs at every batch size, constant rates tuned on one grid."""
    ends: dict[str, dict[int, list[float]]] = {name: {} for name in GRIDS}
    rates: dict[str, list[float]] = {name: [] for name in GRIDS}
    for size in BATCHES:
        problem, steps = digits(size), EPOCHS * math.ceil(ROWS / size)
        for name, grid in GRIDS.items():
            rate, _ = best(grid, sweep(_maker(name, size), grid, problem, steps, TUNING))
            rates[name].append(rate)
            ends[name][size] = final_losses(_maker(name, size), rate, problem, steps, JUDGED)
    middle = {name: [median(by[size]) for size in BATCHES] for name, by in ends.items()}
    gap = {size: log_ratios(ends["SGD"][size], ends["fixed half-life"][size]) for size in BATCHES}
    scaling = median_ratio(log_ratios(ends["fixed half-life"][1], ends["fixed beta2"][1]))
    closing = median_ratio(gap[1] - gap[REFERENCE_BATCH])
    wins = sum(a < b for a, b in zip(ends["fixed half-life"][1], ends["fixed beta2"][1], strict=True))
    gaps = {size: math.exp(median(logs)) for size, logs in gap.items()}
    finding = (
        f"At batch size 1 the loss with beta2 = {scaled_beta2(1):.4f} is {_told(scaling)} times that with 0.95 (lower "
        f"in {wins} of {len(JUDGED)} seeds). SGD's loss is {gaps[1]:.2f} times Adam's at batch size 1 and "
        f"{gaps[REFERENCE_BATCH]:.2f} times at {REFERENCE_BATCH}; paired by seed the former is {_told(closing)} "
        "times the latter."
    )

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for colour, (name, by), shift in zip((COLOURS[1], INK, COLOURS[0]), ends.items(), (0.94, 1, 1.06), strict=True):
            seeds = np.array([by[size] for size in BATCHES])
            spread = np.abs(np.array([seeds.min(axis=1), seeds.max(axis=1)]) - middle[name])
            said = name if name == "SGD" else f"Adam, {name}".replace("beta2", "β₂ = 0.95")
            places = shift * np.array(BATCHES)  # side by side
            axes.errorbar(places, middle[name], spread, marker="o", capsize=3, label=said, color=colour)
        axes.set(xscale="log", yscale="log")
        axes.set_xticks(BATCHES, [str(size) for size in BATCHES])
        axes.xaxis.minorticks_off()
        plain_log(axes.yaxis)
        title = f"After {EPOCHS} epochs, each at its best rate: median and range of {len(JUDGED)} seeds"
        label(axes, title, "batch size", "training loss (nats)")

    numbers: dict[str, Any] = {
        "batch_size": list(BATCHES),
        "scaled_beta2": [scaled_beta2(size) for size in BATCHES],
        "rate": rates,
        "median_loss": middle,
        "seeds_won_at_batch_1": wins,
        "half_life_over_fixed_beta2_at_batch_1": dict(zip(("median", "low", "high"), scaling, strict=True)),
        "sgd_over_adam": list(gaps.values()),
        "sgd_over_adam_at_1_over_that_at_512": dict(zip(("median", "low", "high"), closing, strict=True)),
    }
    return Outcome(numbers, scaling[2] < 1 and closing[2] < 1, finding, draw)


def _told(ratio: tuple[float, float, float]) -> str:
    return "{:.2f} (95 % interval {:.2f} to {:.2f})".format(*ratio)


def _maker(name: str, batch_size: int) -> Maker:
    if name == "SGD":
        return lambda lr: adamas.SGD(lr=lr)
    beta2 = REFERENCE_BETA2 if name == "fixed beta2" else scaled_beta2(batch_size)
    return lambda lr: adamas.Adam(lr=lr, betas=(0.9, beta2))
