"""How beta2 should follow the batch size: by a constant half-life counted in samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

import adamas

from ..style import COLOURS, INK, plain_log
from . import Outcome, study
from ._training import Maker, best, digits, final_losses, label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REFERENCE_BATCH, REFERENCE_BETA2 = 512, 0.95
ROWS, EPOCHS, SEEDS = 1077, 4, (0, 1, 2)
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
    criterion="At batch size 1 and each at its best rate, Adam with the half-life of beta2 = 0.95 at 512 has a lower "
    "final loss than with beta2 = 0.95 in each of 3 seeds; and the ratio of SGD's loss to Adam's is smaller at batch "
    "size 1 than at 512.",
)
def run() -> Outcome:
    """The digits, one hidden layer, four epochs at every batch size, constant rates tuned on one grid."""
    ends: dict[str, list[list[float]]] = {"fixed beta2": [], "fixed half-life": [], "SGD": []}
    rates: dict[str, list[float]] = {name: [] for name in ends}
    for size in BATCHES:
        problem, steps = digits(size), EPOCHS * math.ceil(ROWS / size)
        for name, kept in ends.items():
            make = _maker(name, size)
            runs = [final_losses(make, lr, problem, steps, SEEDS) for lr in GRIDS[name]]
            rate, _ = best(GRIDS[name], [float(np.mean(run)) for run in runs])
            rates[name].append(rate)
            kept.append(runs[GRIDS[name].index(rate)])
    mean = {name: [float(np.mean(run)) for run in kept] for name, kept in ends.items()}
    wins = sum(a < b for a, b in zip(ends["fixed half-life"][0], ends["fixed beta2"][0], strict=True))
    gap = [s / a for s, a in zip(mean["SGD"], mean["fixed half-life"], strict=True)]
    passed = wins == len(SEEDS) and gap[0] < gap[-1]
    finding = (
        f"At batch size 1 the loss is {mean['fixed half-life'][0]:.3g} with beta2 = {scaled_beta2(1):.4f} and "
        f"{mean['fixed beta2'][0]:.3g} with 0.95 (better in {wins} of {len(SEEDS)} seeds); SGD's loss is "
        f"{gap[0]:.2f} times Adam's there and {gap[-1]:.2f} times at {BATCHES[-1]}."
    )

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for colour, (name, line) in zip((COLOURS[1], INK, COLOURS[0]), mean.items(), strict=True):
            axes.loglog(BATCHES, line, marker="o", label=name if name == "SGD" else f"Adam, {name}", color=colour)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xticks(BATCHES)
        axes.minorticks_off()
        plain_log(axes.yaxis)
        label(axes, f"Training loss after {EPOCHS} epochs, each at its best rate", "batch size", "cross-entropy (nats)")

    numbers: dict[str, Any] = {
        "batch_size": list(BATCHES),
        "scaled_beta2": [scaled_beta2(size) for size in BATCHES],
        "rate": rates,
        "mean_loss": mean,
        "seeds_won_at_batch_1": wins,
        "sgd_over_adam": gap,
    }
    return Outcome(numbers, passed, finding, draw)


def _maker(name: str, batch_size: int) -> Maker:
    if name == "SGD":
        return lambda lr: adamas.SGD(lr=lr)
    beta2 = REFERENCE_BETA2 if name == "fixed beta2" else scaled_beta2(batch_size)
    return lambda lr: adamas.Adam(lr=lr, betas=(0.9, beta2))
