"""The optimizer tutorial puts eps under the root."""

from __future__ import annotations

from typing import Any

import numpy as np

import adamas
from adamas.rules import average, sqrt

from ._declare import Outcome, study
from ._drawing import curves
from ._tutorial import EPS, LR, apart, tutorial_path

SCALES = [10.0**-k for k in range(10)]


@adamas.rule
def eps_inside(
    p: Any, g: Any, m: Any, v: Any, t: Any, *, lr: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-8
) -> Any:
    """Adam but for the place of eps; not Adam where gradients are small."""
    m = average(beta1, m, g)
    v = average(beta2, v, g * g)
    return p - lr / (1 - beta1**t) * m / sqrt(v / (1 - beta2**t) + eps), m, v


def first_step(make: Any, gradient: float) -> float:
    """Length of the first step over lr, the gradient being the same in all coordinates."""
    p = np.zeros(1)
    make(lr=1.0, eps=EPS, backend="reference").step(p, np.full(1, gradient))
    return float(-p[0])


@study(
    claim="Adam's step is m / sqrt(v + eps): it makes no difference that eps stands under the root.",
    source="optimizer tutorial series, part 4",
    criterion="With eps = 1e-7 the path on the tutorial's bowl stays within 0.001 of Algorithm 1's, and gradients of "
    "1e-5 still give a first step within 10 % of Algorithm 1's.",
)
def run() -> Outcome:
    """Three places of eps: paths on the bowl, and first steps under ever smaller gradients."""
    distance = apart(tutorial_path(eps_inside).trajectory, tutorial_path("adam").trajectory)
    folded = apart(tutorial_path("adam", compat="folded").trajectory, tutorial_path("adam").trajectory)
    makers = {
        "Algorithm 1": adamas.Adam,
        "folded (the tutorial's code)": lambda **kw: adamas.Adam(compat="folded", **kw),
        "eps under the root (its text)": adamas.optimizer(eps_inside),
    }
    steps = {name: [first_step(make, g) for g in SCALES] for name, make in makers.items()}
    at = SCALES.index(1e-5)
    ratio = steps["eps under the root (its text)"][at] / steps["Algorithm 1"][at]
    numbers = {
        "largest_distance_on_the_bowl": distance,
        "largest_distance_on_the_bowl_folded": folded,
        "gradients": SCALES,
        "first_step_over_lr": steps,
        "first_step_ratio_at_1e-5": ratio,
    }

    def draw(figure: Any) -> None:
        lines = {name: (SCALES, values) for name, values in steps.items()}
        curves(
            figure.subplots(),
            lines,
            title=f"Where eps = {EPS:g} stands decides how small a gradient still counts",
            x="gradient",
            y="first step / lr",
            reference="Algorithm 1",
            log="xy",
            marker="o",
        )

    finding = (
        f"On the bowl (lr {LR}) the paths lie {distance:.1e} apart, but with gradients of 1e-5 the first step is "
        f"{ratio:.3f} of Algorithm 1's: under the root eps acts like sqrt(eps) = {EPS**0.5:.1e} beside it. The "
        "tutorial's code has a third form (eps-hat, as in Keras)."
    )
    return Outcome(numbers, distance <= 1e-3 and abs(ratio - 1) <= 0.1, finding, draw)
