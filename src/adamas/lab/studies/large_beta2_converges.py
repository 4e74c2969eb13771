"""The same game with a longer memory: from some beta2 on Adam goes the right way."""

from __future__ import annotations

from typing import Any

import numpy as np

import adamas

from ._alternating import LONG, falling, thinned
from ._declare import Outcome, study
from ._drawing import curves

BETA2S = (0.99, 0.999, 0.9995, 0.9999)
STEPS, MIDDLE = 30_000, 10_000
LR = 0.5


@study(
    claim="Adam converges after all if beta2 is large enough for the problem.",
    source="Zhang, Chen, Shi, Sun & Luo 2022, Adam can converge without any modification on update rules",
    criterion="Losses 1010x, then 100 times -10x, lr 0.5/sqrt(t): at beta2 = 0.99 x rises between steps 10 000 and "
    "30 000 or stays above 0.9; at beta2 = 0.9999 it falls, and is below -0.5 at the end (the best point is -1).",
)
def run() -> Outcome:
    """Where x goes after the first steps, by beta2; the sign alone would show only where the first steps led."""
    points = {b: LONG.play(adamas.Adam(lr=falling(LR), betas=(0.9, b)), STEPS) for b in BETA2S}
    period = LONG.period  # means over a period: x moves to and fro within one
    middle = {b: float(np.mean(x[MIDDLE : MIDDLE + period])) for b, x in points.items()}
    end = {b: float(np.mean(x[-period:])) for b, x in points.items()}
    numbers = {
        "beta2": list(BETA2S),
        "x_at_10000": list(middle.values()),
        "x_at_30000": list(end.values()),
        "drift": [end[b] - middle[b] for b in BETA2S],
    }
    wrong = [b for b in BETA2S if end[b] > middle[b] or end[b] > 0.9]
    right = [b for b in BETA2S if b not in wrong]
    ways = ", ".join(f"{b:g}: {middle[b]:+.2f} to {end[b]:+.2f}" for b in BETA2S)
    finding = (
        f"x from step 10 000 to 30 000 by beta2: {ways}. It moves the right way from {min(right, default=1):g} on; "
        f"up to {max(wrong, default=0):g} it still drifts to the worst point, although x may be negative for long."
    )

    def draw(figure: Any) -> None:
        lines = {rf"$\beta_2$ = {b:g}": thinned(x) for b, x in points.items()}
        title = "Losses 1010x, then 100 times -10x; lr 0.5/√t, β₁ = 0.9"
        axis = figure.subplots()
        curves(axis, lines, title=title, x="step", y="x (best -1, worst +1)", log="x")
        axis.set_ylim(-1.05, 1.05)

    return Outcome(numbers, 0.99 in wrong and 0.9999 in right and end[0.9999] < -0.5, finding, draw)
