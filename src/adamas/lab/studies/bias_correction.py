"""Bias correction: how long the first steps are without it."""

from __future__ import annotations

from typing import Any

import numpy as np

import adamas

from ._declare import Outcome, study
from ._drawing import curves
from ._terms import corrected
from ._uncorrected import Uncorrected

STEPS = 2000
BETA1 = 0.9
BETA2S = (0.95, 0.99, 0.999, 0.9999)
DEFAULT = 0.999


@study(
    claim="Without bias correction Adam's first steps are too small, because its averages start at zero.",
    source="common belief; optimizer tutorial series, part 4",
    criterion="At beta1 = 0.9, beta2 = 0.999 and a constant gradient each of the first 100 uncorrected steps is "
    "shorter than the corrected one.",
)
def run() -> Outcome:
    """Both rules on a constant gradient, where the corrected step is exactly lr."""
    t = np.arange(1, STEPS + 1)
    ratios = {beta2: _lengths(Uncorrected, beta2) / _lengths(adamas.Adam, beta2) for beta2 in BETA2S}
    formula = {beta2: 1 / corrected(t, 1.0, BETA1, beta2, "folded")[0] for beta2 in BETA2S}
    error = max(float(np.abs(r / formula[beta2] - 1).max()) for beta2, r in ratios.items())
    default = ratios[DEFAULT]
    peak = int(default.argmax())
    numbers: dict[str, Any] = {
        "ratio_at_steps_1_12_100_1000": [float(default[k - 1]) for k in (1, 12, 100, 1000)],
        "smallest_ratio_of_the_first_100_steps": float(default[:100].min()),
        "peak_ratio": float(default[peak]),
        "peak_step": peak + 1,
        "first_and_largest_ratio_by_beta2": {f"{b:g}": [float(r[0]), float(r.max())] for b, r in ratios.items()},
        "relative_error_of_the_formula": error,
    }
    finding = (
        f"They are too long: {default[0]:.2f} times the corrected step at t = 1, {default[peak]:.2f} times at t = "
        f"{peak + 1}, {default[99]:.2f} at 100, {default[999]:.2f} at 1000, that is (1 - beta1^t)/sqrt(1 - beta2^t) "
        f"to {error:.0e}. Only where sqrt(1 - beta2) > 1 - beta1, beta2 < 0.99, is the first step too short."
    )

    def draw(figure: Any) -> None:
        labels = {b: rf"$\beta_2$ = {b:g}" + (" (default)" if b == DEFAULT else "") for b in BETA2S}
        axis = figure.subplots()
        lines = {labels[b]: (t, r) for b, r in ratios.items()}
        title = r"Without bias correction every step is multiplied by $(1-\beta_1^t)\,/\,(1-\beta_2^t)^{1/2}$"
        curves(
            axis, lines, title=title, x="step t", y="uncorrected / corrected step", reference=labels[DEFAULT], log="xy"
        )
        axis.axhline(1, color="0.5", linewidth=0.8)
        text = f"{default[peak]:.2f} at t = {peak + 1}"
        axis.annotate(text, (peak + 1, default[peak]), xytext=(0, 6), textcoords="offset points", ha="center")

    return Outcome(numbers, bool((default[:100] < 1).all()), finding, draw)


def _lengths(make: Any, beta2: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Length of each step in units of lr while the gradient is 1 all the time."""
    optimizer = make(lr=1.0, betas=(BETA1, beta2), eps=0.0)
    x, gradient = np.zeros(1), np.ones(1)
    lengths = np.empty(STEPS)
    for k in range(STEPS):
        x[:] = 0  # read from zero, so that no digits are lost to the way behind
        optimizer.step(x, gradient)
        lengths[k] = -x[0]
    return lengths
