"""A tutorial whose update multiplies by the bias corrections, and whose example has the gradient's sign turned."""

from __future__ import annotations

from typing import Any

import numpy as np

import adamas
from adamas.rules import average, sqrt

from ._declare import Outcome, study
from ._drawing import curves

LR = 0.01
STEPS = 1000
SLOPE = 2.0
X = np.linspace(0.1, 2.0, 20)


@adamas.rule
def wrong_product(
    p: Any, g: Any, m: Any, v: Any, t: Any, *, lr: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-8
) -> Any:
    """Multiplied by both corrections; not Adam."""
    m = average(beta1, m, g)
    v = average(beta2, v, g * g)
    return p - lr * m / (sqrt(v) + eps) * (1 - beta1**t) * (1 - beta2**t), m, v


def fit(make: Any, *, printed_gradient: bool = False) -> list[float]:
    """Slopes of y = theta x, from 0, after every step; the data lie on y = 2 x."""
    theta, optimizer, seen = np.zeros(1), make(lr=LR, backend="reference"), [0.0]
    for _ in range(STEPS):
        error = SLOPE * X - theta * X
        slope = 2 * error.mean() if printed_gradient else -2 * (error * X).mean()
        optimizer.step(theta, np.full(1, slope))
        seen.append(float(theta[0]))
    return seen


def strides(make: Any) -> Any:
    """Steps over lr under a gradient that is 1 always."""
    p, optimizer = np.zeros(1), make(lr=1.0, backend="reference")
    places = [0.0]
    for _ in range(STEPS):
        optimizer.step(p, np.ones(1))
        places.append(float(-p[0]))
    return np.diff(places)


@study(
    claim="Adam's update is theta - alpha m / sqrt(v) (1 - beta1^t) (1 - beta2^t), its gradient 2 (y - theta x).",
    source="principle and practice of Adam",
    criterion="Under a constant gradient each of the first 100 steps is within 1 % of Algorithm 1's, and with its "
    "gradient the slope of y = 2 x is found from 0 to 0.05 (lr 0.01, 1000 steps), x being 0.1 to 2.",
)
def run() -> Outcome:
    """The printed factor under a constant gradient, and the printed gradient in a fit."""
    printed = adamas.optimizer(wrong_product)
    ratio = strides(printed) / strides(adamas.Adam)
    slopes = {
        "Algorithm 1": fit(adamas.Adam),
        "printed factor, right gradient": fit(printed),
        "printed gradient, Algorithm 1": fit(adamas.Adam, printed_gradient=True),
        "both as printed": fit(printed, printed_gradient=True),
    }
    reached = {name: next((t for t, s in enumerate(path) if s >= 0.9 * SLOPE), None) for name, path in slopes.items()}
    numbers = {
        "step_over_algorithm_1_at_t": {str(t): float(ratio[t - 1]) for t in (1, 10, 100, 1000)},
        "slope_after_1000_steps": {name: path[-1] for name, path in slopes.items()},
        "steps_to_90_percent_of_the_slope": reached,
    }
    within = bool(np.all(np.abs(ratio[:100] - 1) <= 0.01))
    found = abs(slopes["both as printed"][-1] - SLOPE) <= 0.05

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        length = {"printed / Algorithm 1": (range(1, STEPS + 1), ratio)}
        curves(left, length, title="Constant gradient", x="step t", y="length of the step, ratio", log="xy")
        lines = {name: (range(STEPS + 1), path) for name, path in slopes.items()}
        curves(right, lines, title="Fit of y = 2 x", x="step", y="slope", reference="Algorithm 1")

    finding = (
        f"The printed step is {ratio[0]:.1e} of Algorithm 1's at t = 1 and {ratio[99]:.2f} at t = 100: multiplied "
        f"where it should divide. The printed gradient lacks x and has the wrong sign: the slope goes to "
        f"{slopes['both as printed'][-1]:.1f} instead of 2 (Algorithm 1: {slopes['Algorithm 1'][-1]:.3f})."
    )
    return Outcome(numbers, within and found, finding, draw)
