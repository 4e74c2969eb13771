"""The optimizer tutorial's moments: powers of beta in the averages, and a gradient that is not squared."""

from __future__ import annotations

from typing import Any

import numpy as np

import adamas
from adamas.rules import average, corrected, ratio, sqrt

from ._declare import Outcome, study
from ._drawing import curves, paths
from ._tutorial import BOWL, apart, tutorial_path


@adamas.rule
def as_printed(
    p: Any, g: Any, m: Any, v: Any, t: Any, *, lr: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-8
) -> Any:
    """The three formulas as they stand in the tutorial; not Adam."""
    m = beta1 * m + (1 - beta1**t) * g
    v = beta2 * v + (1 - beta2**t) * g
    return p - lr * m / sqrt(v + eps), m, v


@adamas.rule
def powers(
    p: Any, g: Any, m: Any, v: Any, t: Any, *, lr: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-8
) -> Any:
    """Adam but for the powers of beta in the averages."""
    m = beta1 * m + (1 - beta1**t) * g
    v = beta2 * v + (1 - beta2**t) * g * g
    step_size, root_scale = corrected(t, lr, beta1, beta2, "paper")
    return p - ratio(step_size, m, v, root_scale, eps), m, v


@adamas.rule
def unsquared(
    p: Any, g: Any, m: Any, v: Any, t: Any, *, lr: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-8
) -> Any:
    """Adam but for the gradient that is not squared."""
    m = average(beta1, m, g)
    v = average(beta2, v, g)
    step_size, root_scale = corrected(t, lr, beta1, beta2, "paper")
    return p - ratio(step_size, m, v, root_scale, eps), m, v


RULES = {"as printed": as_printed, "only the powers": powers, "only g not squared": unsquared}


@study(
    claim="Adam averages by m = beta1 m + (1 - beta1^t) g and v = beta2 v + (1 - beta2^t) g.",
    source="optimizer tutorial series, part 4",
    criterion="On the tutorial's bowl (lr 0.3, 30 steps) the path stays within 0.001 of Kingma & Ba's Algorithm 1.",
)
def run() -> Outcome:
    """The printed lines, together and one at a time, beside Algorithm 1."""
    adam = tutorial_path("adam")
    printed = {name: tutorial_path(rule) for name, rule in RULES.items()}
    distance = {name: apart(r.trajectory, adam.trajectory) for name, r in printed.items()}
    finite = {name: int(np.isfinite(r.trajectory).all(axis=1).sum()) - 1 for name, r in printed.items()}
    stride = float(np.abs(np.diff(printed["only the powers"].trajectory, axis=0)).max())
    numbers = {
        "steps_with_finite_parameters": finite,
        "largest_distance_from_adam": {name: d if np.isfinite(d) else None for name, d in distance.items()},
        "final_value_adam": adam.fun_last,
        "final_value_only_powers": printed["only the powers"].fun_last,
        "largest_step_over_lr_only_powers": stride / 0.3,
    }

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        shown = {"Adam": adam.trajectory, "only the powers": printed["only the powers"].trajectory}
        paths(left, BOWL, shown, title="Paths on x²/20 + y²: Algorithm 1 and the powers alone", reference="Adam")
        values = {"Adam": adam, **printed}
        lines = {name: (range(len(r.losses)), r.losses) for name, r in values.items()}
        curves(
            right,
            lines,
            title="The two that do not square g end in NaN at once",
            x="step",
            y="x²/20 + y²",
            reference="Adam",
            log="y",
            marker=".",
        )

    finding = (
        f"As printed the parameters are finite for {finite['as printed']} steps: v takes the sign of the gradient and "
        f"its root is NaN. With g squared, the powers alone lead {distance['only the powers']:.2f} away from Adam and "
        f"make steps of up to {stride / 0.3:.1f} lr."
    )
    return Outcome(numbers, distance["as printed"] <= 1e-3, finding, draw)
