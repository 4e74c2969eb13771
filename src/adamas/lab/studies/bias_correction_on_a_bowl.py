"""Bias correction on the tutorial's bowl: who arrives first depends on the learning rate."""

from __future__ import annotations

from typing import Any

import numpy as np

import adamas

from ..statistics import steps_to_target
from ..surfaces import SURFACES
from ._declare import Outcome, study
from ._drawing import curves, paths
from ._uncorrected import Uncorrected

BOWL = SURFACES["t0-bowl"]
RATES = (0.05, 0.1, 0.2, 0.3, 0.5)
SHOWN = 0.1
STEPS = 300
TARGET = 1e-2
RULES = {"Adam": adamas.Adam, "uncorrected": Uncorrected}


@study(
    claim="Bias correction makes Adam converge faster.",
    source="optimizer tutorial series, part 4",
    criterion="On x^2/20 + y^2 from (-7, 2) Adam falls below f = 0.01 in fewer steps than the same rule without "
    "correction at each of the rates 0.1, 0.3 and 0.5.",
)
def run() -> Outcome:
    """Steps until the first point with f <= 0.01, and until three in a row, by learning rate."""
    runs = {(name, lr): _run(make, lr) for lr in RATES for name, make in RULES.items()}
    first = {key: steps_to_target(range(STEPS + 1), run.losses, TARGET, 1) for key, run in runs.items()}
    stays = {key: float(np.nonzero(run.losses > TARGET)[0][-1] + 1) for key, run in runs.items()}
    longest = {key: float(np.abs(np.diff(run.trajectory, axis=0)).max()) for key, run in runs.items()}
    judged = (0.1, 0.3, 0.5)
    numbers: dict[str, Any] = {"rates": list(RATES)}
    for name in RULES:
        numbers[f"steps_to_0.01_{name}"] = [first[name, lr] for lr in RATES]
        numbers[f"steps_until_it_stays_below_{name}"] = [stays[name, lr] for lr in RATES]
        numbers[f"longest_step_over_lr_{name}"] = [longest[name, lr] / lr for lr in RATES]
    pairs = "; ".join(f"lr {lr:g}: {first['Adam', lr]:.0f} against {first['uncorrected', lr]:.0f}" for lr in judged)
    finding = (
        f"Steps to f = 0.01 with and without correction: {pairs}. The order turns between 0.1 and 0.5: without "
        f"correction single steps are up to {longest['uncorrected', 0.1] / 0.1:.1f} lr long, which helps a rate that "
        "is too small and overshoots with a large one."
    )

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        shown = {name: runs[name, SHOWN].trajectory for name in RULES}
        paths(left, BOWL, shown, title=f"Paths on x²/20 + y², lr {SHOWN:g}", reference="Adam")
        lines = {name: (RATES, [first[name, lr] for lr in RATES]) for name in RULES}
        title = "Who is faster depends on the rate"
        curves(
            right, lines, title=title, x="learning rate", y="steps to f = 0.01", reference="Adam", log="x", marker="o"
        )
        right.set_xticks(RATES, [f"{lr:g}" for lr in RATES])
        right.minorticks_off()
        right.set_ylim(bottom=0)

    return Outcome(numbers, all(first["Adam", lr] < first["uncorrected", lr] for lr in judged), finding, draw)


def _run(make: Any, lr: float) -> adamas.MinimizeResult:
    return adamas.minimize(BOWL.value, BOWL.start, jac=BOWL.gradient, optimizer=make(lr=lr), steps=STEPS)
