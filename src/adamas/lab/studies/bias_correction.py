"""Bias correction: what the first steps are without it."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

import adamas

from ..style import looks, plain_log
from . import Outcome, study
from ._uncorrected import Uncorrected

STEPS = 2000
BETA1 = 0.9
BETA2S = (0.95, 0.99, 0.999, 0.9999)


@study(
    claim="Without bias correction Adam's first steps are too small, because m starts at zero.",
    source="optimizer tutorial series, part 4, and common belief",
    criterion="measured ratio of the uncorrected to the corrected step equals (1-beta1^t)/sqrt(1-beta2^t) to 1e-12 for "
    "t = 1..2000, and at the defaults (.9, .999) every one of the first 100 steps is smaller than the corrected one",
)
def run() -> Outcome:
    """Both rules on a constant gradient, where the corrected step is exactly lr."""
    t = np.arange(1, STEPS + 1)
    ratios = {beta2: _steps(Uncorrected, beta2) / _steps(adamas.Adam, beta2) for beta2 in BETA2S}
    formula = {beta2: (1 - BETA1**t) / np.sqrt(1 - beta2**t) for beta2 in BETA2S}
    error = max(float(np.abs(ratios[b] / formula[b] - 1).max()) for b in BETA2S)
    default = ratios[0.999]
    peak = int(default.argmax())
    numbers: dict[str, Any] = {
        "relative_error_of_the_formula": error,
        "peak_step": peak + 1,
        "peak_ratio": float(default[peak]),
        "ratio_at_1_12_100_1000": [float(default[k - 1]) for k in (1, 12, 100, 1000)],
        "smallest_ratio_of_first_100": float(default[:100].min()),
        "first_and_peak_by_beta2": {f"{b:g}": [float(r[0]), float(r.max())] for b, r in ratios.items()},
    }
    return Outcome(
        numbers=numbers,
        passed=error <= 1e-12 and bool((default[:100] < 1).all()),
        finding=f"At the defaults they are too large: {default[0]:.2f} times the corrected step at t = 1, "
        f"{default[peak]:.2f} times at t = {peak + 1}, {default[999]:.2f} times at t = 1000 "
        f"(formula met to {error:.0e}). Too small at t = 1 only where sqrt(1-beta2) > 1-beta1, that is beta2 < 0.99.",
        draw=lambda figure: _draw(figure, t, ratios),
    )


def _steps(make: Any, beta2: float) -> np.ndarray:
    """Length of each step in units of lr while the gradient is 1 all the time."""
    optimizer = make(lr=1.0, betas=(BETA1, beta2), eps=0.0)
    x, one = np.zeros(1), np.ones(1)
    moves = []
    for _ in range(STEPS):
        x[:] = 0.0  # steps are read from zero: no rounding of a long way
        optimizer.step(x, one)
        moves.append(-float(x[0]))
    return np.array(moves)


def _draw(figure: Figure, t: np.ndarray, ratios: dict[float, np.ndarray]) -> None:
    axis = figure.subplots()
    labels = {beta2: rf"$\beta_2$ = {beta2:g}" for beta2 in ratios}
    look = looks(list(labels.values()), labels[0.999])
    for beta2, ratio in ratios.items():
        axis.plot(t, ratio, label=labels[beta2], **look[labels[beta2]])
    peak = int(ratios[0.999].argmax())
    axis.annotate(
        f"{ratios[0.999][peak]:.2f} at t = {peak + 1}",
        (t[peak], ratios[0.999][peak]),
        xytext=(10, 6),
        textcoords="offset points",
    )
    axis.axhline(1, color="0.5", linewidth=0.8)
    axis.set(xscale="log", yscale="log", xlabel="step t", ylabel="uncorrected step / corrected step")
    axis.set_title(r"Without bias correction the step is multiplied by $(1-\beta_1^t)/\sqrt{1-\beta_2^t}$")
    plain_log(axis.xaxis)
    plain_log(axis.yaxis)
    axis.legend()
