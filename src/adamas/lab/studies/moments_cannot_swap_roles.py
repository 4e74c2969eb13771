"""The first moment gives the direction and the second the size: what happens when they change places."""

from __future__ import annotations

from typing import Any

import numpy as np

import adamas
from adamas.rules import abs, average, sqrt

from ._declare import Outcome, study
from ._drawing import bars, paths
from ._rates import finite, grid
from ._tutorial import BOWL, STEPS, tutorial_path

RATES = grid(1e-4, 1.0)


@adamas.rule
def swapped(
    p: Any, g: Any, m: Any, v: Any, t: Any, *, lr: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-8
) -> Any:
    """The letters exchanged in Adam's update: v_hat over the root of m_hat; not Adam."""
    m = average(beta1, m, g)
    v = average(beta2, v, g * g)
    return p - lr * (v / (1 - beta2**t)) / (sqrt(m / (1 - beta1**t)) + eps), m, v


@adamas.rule
def swapped_sizes(
    p: Any, g: Any, m: Any, v: Any, t: Any, *, lr: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-8
) -> Any:
    """The same with all units right: the root of v_hat over the size of m_hat; not Adam."""
    m = average(beta1, m, g)
    v = average(beta2, v, g * g)
    return p - lr * sqrt(v / (1 - beta2**t)) / (abs(m) / (1 - beta1**t) + eps), m, v


def lowest_end(rule: Any) -> float:
    """Lowest final value over the rates; infinite where none stays finite."""
    ends = [tutorial_path(rule, lr=rate).losses for rate in RATES]
    return min(float(losses[-1]) if np.isfinite(losses).all() else np.inf for losses in ends)


@study(
    claim="The two moments of Adam cannot swap roles: direction from the first, size from the second.",
    source="deep-learning course notes on Adam",
    criterion="On the bowl x^2/20 + y^2 in 30 steps, at the best of 13 rates from 1e-4 to 1, Adam ends below 10 % of "
    "the start's value, and two rules with the roles swapped do not.",
)
def run() -> Outcome:
    """Adam and two swapped rules over a grid of rates."""
    start = float(BOWL.value(np.asarray(BOWL.start)))
    ends = {
        "Adam": lowest_end("adam"),
        "v / sqrt(m)": lowest_end(swapped),
        "sqrt(v) / |m|": lowest_end(swapped_sizes),
    }
    share = {name: end / start for name, end in ends.items()}
    adam, sizes = tutorial_path("adam", lr=0.3), tutorial_path(swapped_sizes, lr=0.1)
    kept = BOWL.window
    inside = [bool(kept[0][0] <= x <= kept[0][1] and kept[1][0] <= y <= kept[1][1]) for x, y in sizes.trajectory]
    numbers = {
        "rates": RATES,
        "value_at_the_start": start,
        "best_final_value": {name: finite(end) for name, end in ends.items()},
        "share_of_the_start": {name: finite(s) for name, s in share.items()},
        "finite_steps_of_v_over_sqrt_m": len(tutorial_path(swapped, lr=0.1).losses) - 2,
        "steps_inside_the_picture_of_sqrt_v_over_m": sum(inside),
    }

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        shown = {"Adam, lr 0.3": adam.trajectory, "sqrt(v) / |m|, lr 0.1": sizes.trajectory}
        paths(left, BOWL, shown, title="Swapped, every step goes down and left", reference="Adam, lr 0.3")
        finite_ends = {name: s for name, s in share.items() if np.isfinite(s)}
        missing = "; ".join(f"{name}: NaN" for name, s in share.items() if not np.isfinite(s))
        title = f"After {STEPS} steps at the best rate ({missing})"
        bars(
            right, list(finite_ends), list(finite_ends.values()), title=title, x="value / value at the start", log=True
        )

    text = {
        name: f"{100 * s:.2g} % of the start" if np.isfinite(s) else "NaN at every rate" for name, s in share.items()
    }
    finding = (
        f"Best final value: Adam {text['Adam']}; v / sqrt(m) {text['v / sqrt(m)']} (the root of a negative mean); "
        f"sqrt(v) / |m| {text['sqrt(v) / |m|']}: squares have no sign, so every coordinate only ever falls."
    )
    passed = share["Adam"] < 0.1 and all(s >= 0.1 for name, s in share.items() if name != "Adam")
    return Outcome(numbers, passed, finding, draw)
