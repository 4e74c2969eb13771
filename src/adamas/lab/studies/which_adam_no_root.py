"""A tutorial of Adam and Momentum whose update lacks the root of v."""

from __future__ import annotations

from typing import Any

import adamas
from adamas.rules import average

from ._declare import Outcome, study
from ._drawing import curves, paths
from ._tutorial import BOWL, LR, apart, tutorial_path

SCALES = (0.01, 1.0, 100.0)


@adamas.rule
def no_root(p: Any, g: Any, m: Any, t: Any, *, lr: Any = 1e-3, beta1: Any = 0.9) -> Any:
    """A corrected mean of the gradients and no second moment; not Adam."""
    m = average(beta1, m, g)
    return p - lr / (1 - beta1**t) * m, m


def first_stride(result: Any) -> float:
    """Largest coordinate of the first step over lr."""
    return float(abs(result.trajectory[1] - result.trajectory[0]).max()) / LR


@study(
    claim="Adam's update is theta - lr * m_hat.",
    source="tutorial of Adam and Momentum combined",
    criterion="On the bowl x^2/20 + y^2 (lr 0.3, 30 steps) the path stays within 0.001 of Algorithm 1's, and "
    "multiplying the function by 100 moves no point by more than 0.001.",
)
def run() -> Outcome:
    """The printed rule and Algorithm 1 on the bowl, and on the bowl in other units."""
    adam = {s: tutorial_path("adam", scale=s) for s in SCALES}
    printed = {s: tutorial_path(no_root, scale=s) for s in SCALES}
    distance = apart(printed[1.0].trajectory, adam[1.0].trajectory)
    moved = {
        "Adam": apart(adam[100.0].trajectory, adam[1.0].trajectory),
        "printed": apart(printed[100.0].trajectory, printed[1.0].trajectory),
    }
    momentum = tutorial_path("momentum", averaged=True)
    numbers = {
        "largest_distance_from_adam": distance,
        "largest_distance_from_averaged_momentum": apart(printed[1.0].trajectory, momentum.trajectory),
        "moved_by_scaling_the_function_by_100": moved,
        "first_step_over_lr_by_scale": {
            "Adam": {f"{s:g}": first_stride(adam[s]) for s in SCALES},
            "printed": {f"{s:g}": first_stride(printed[s]) for s in SCALES},
        },
    }

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        shown = {"Algorithm 1": adam[1.0].trajectory, "printed": printed[1.0].trajectory}
        paths(left, BOWL, shown, title=f"Paths on x²/20 + y², lr {LR}", reference="Algorithm 1")
        lines = {f"printed, f times {s:g}": (range(len(r.losses)), r.losses / s) for s, r in printed.items()}
        lines |= {"Algorithm 1, any factor": (range(31), adam[1.0].losses)}
        curves(
            right,
            lines,
            title="The same function in other units",
            x="step",
            y="x²/20 + y²",
            reference="Algorithm 1, any factor",
            log="y",
        )
        right.set_ylim(1e-4, 1e4)  # f times 100 goes on to 1e52

    finding = (
        f"The printed path leaves Adam's by up to {distance:.2f}. Its first step is {first_stride(printed[1.0]):.2g} "
        f"lr, and {first_stride(printed[100.0]):.3g} lr when the function is multiplied by 100, after which it "
        f"diverges (Adam: moved by {moved['Adam']:.0e}). It is Momentum with a corrected mean."
    )
    return Outcome(numbers, distance <= 1e-3 and moved["printed"] <= 1e-3, finding, draw)
