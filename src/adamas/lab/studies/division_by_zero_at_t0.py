"""What happens when the step counter starts at 0."""

from __future__ import annotations

from typing import Any

import numpy as np

import adamas
from adamas.rules import average, corrected, ratio, sqrt

from ._declare import Outcome, study
from ._drawing import curves

LR = 0.1
STEPS = 50
START = (3.0, -2.0)


@adamas.rule
def from_zero(
    p: Any, g: Any, m: Any, v: Any, t: Any, *, lr: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-8
) -> Any:
    """Adam with a counter that is one behind; not Adam."""
    m = average(beta1, m, g)
    v = average(beta2, v, g * g)
    first, second = 1 - beta1 ** (t - 1), 1 - beta2 ** (t - 1)
    # 0 * m makes arrays of them, which NumPy divides by as in the tutorial
    return p - lr * (m / (first + 0 * m)) / (sqrt(v / (second + 0 * m)) + eps), m, v


@adamas.rule
def refused(
    p: Any, g: Any, m: Any, v: Any, t: Any, *, lr: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-8
) -> Any:
    """The same with the corrections as numbers of the step, which is how adamas computes them."""
    m = average(beta1, m, g)
    v = average(beta2, v, g * g)
    step_size, root_scale = corrected(t - 1, lr, beta1, beta2, "paper")
    return p - ratio(step_size, m, v, root_scale, eps), m, v


def path(make: Any) -> Any:
    """Parameters after each step on the bowl of half the squared length."""
    x, optimizer = np.array(START), make(lr=LR, backend="reference")
    places = [x.copy()]
    with np.errstate(all="ignore"):  # the division by zero is what is looked at
        for _ in range(STEPS):
            optimizer.step(x, x.copy())
            places.append(x.copy())
    return np.array(places)


@study(
    claim="With a step counter that starts at 0 the bias correction divides by zero.",
    source="gradient descent series, part 5",
    criterion="One step at t = 0 leaves no finite parameter and no later step mends one; counted from 1 the first step "
    "is lr to 1e-8 in every coordinate; adamas refuses a rule that counts from 0.",
)
def run() -> Outcome:
    """The same run with the counter one behind, in NumPy's arithmetic, and as a rule of adamas."""
    zero, one = path(adamas.optimizer(from_zero)), path(adamas.Adam)
    finite = [int(np.isfinite(row).sum()) for row in zero]
    first = np.abs(one[1] - one[0])
    numbers: dict[str, Any] = {
        "finite_parameters_counted_from_0": finite,
        "first_step_counted_from_1": first.tolist(),
        "half_squared_length_at_the_end_counted_from_1": float(0.5 * one[-1] @ one[-1]),
    }
    try:
        path(adamas.optimizer(refused))
        numbers["adamas_says"] = ""
    except ValueError as error:
        numbers["adamas_says"] = str(error)
    broken = finite[0] == len(START) and not any(finite[1:])
    right = bool(np.all(np.abs(first - LR) <= 1e-8))

    def draw(figure: Any) -> None:
        lines = {
            "t = 1, 2, 3, ...": (range(STEPS + 1), 0.5 * (one**2).sum(axis=1)),
            "t = 0, 1, 2, ... (NaN after the first step)": (range(STEPS + 1), 0.5 * (zero**2).sum(axis=1)),
        }
        axis, title = figure.subplots(), "(x² + y²)/2 from (3, -2), lr 0.1"
        curves(axis, lines, title=title, x="step", y="value", log="y", marker=".", above=list(lines)[1])
        axis.lines[1].set(marker="X", markersize=9)  # one point is all that there is of it

    finding = (
        f"Counted from 0, {finite[1]} of {len(START)} parameters are finite after the first step and {finite[-1]} "
        f"after {STEPS}: m_hat and v_hat are divided by 1 - beta^0 = 0. Counted from 1 the first step is "
        f"{first[0]:.9f}. adamas {'refuses' if numbers['adamas_says'] else 'takes'} such a rule."
    )
    return Outcome(numbers, broken and right and bool(numbers["adamas_says"]), finding, draw)
