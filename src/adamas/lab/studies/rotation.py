"""A rotated bowl: gradient descent does not notice, Adam does."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import adamas

from ..statistics import median, steps_to_target
from ._declare import Outcome, study
from ._drawing import curves

DIM, STEPS, TARGET = 50, 3000, 1e-6
CURVATURES = np.logspace(0, 4, DIM)
RATES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
SEEDS = (0, 1, 2)
SGD_RATE = 1e-4  # 1 / largest curvature
Floats = NDArray[np.float64]


@study(
    claim="Adam's advantage hangs on the coordinates: rotated, it needs several times the steps; gradient descent "
    "does not notice.",
    source="Understanding Adam requires better rotation dependent assumptions, 2024 (arXiv 2410.19964)",
    criterion="On sum of lambda_i x_i^2 / 2, lambda from 1 to 1e4, d = 50, three random starts and rotations: the "
    "losses of gradient descent agree to 1e-9 with and without rotation, and Adam, at its best rate of six for each, "
    "needs at least 3 times the steps to a millionth of the first loss.",
)
def run() -> Outcome:
    """The bowl along the axes and in random orthogonal coordinates, from the same point."""
    straight: list[float] = []
    turned: list[float] = []
    errors: list[float] = []
    pictures: dict[str, tuple[Any, Any]] = {}
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        rotation, _ = np.linalg.qr(rng.standard_normal((DIM, DIM)))
        start = rng.standard_normal(DIM)
        bowls = {
            "": (np.diag(CURVATURES), start),
            ", rotated": (rotation.T * CURVATURES @ rotation, rotation.T @ start),
        }
        plain, rotated = (_losses(adamas.SGD(lr=SGD_RATE), *bowl) for bowl in bowls.values())
        errors.append(float(np.abs(rotated / plain - 1).max()))
        for name, bowl in bowls.items():
            runs = [_losses(adamas.Adam(lr=lr), *bowl) for lr in RATES]
            reached = [steps_to_target(range(STEPS + 1), run / run[0], TARGET) for run in runs]
            (turned if name else straight).append(min(reached))
            if seed == SEEDS[0]:
                best = runs[int(np.argmin(reached))]
                pictures[f"Adam{name}"] = (range(STEPS + 1), best / best[0])
        if seed == SEEDS[0]:
            pictures["gradient descent"] = (range(STEPS + 1), plain / plain[0])
            pictures["gradient descent, rotated"] = (range(STEPS + 1), rotated / rotated[0])
    ratios = [after / before for before, after in zip(straight, turned, strict=True)]
    numbers: dict[str, Any] = {
        "gradient_descent_relative_difference": max(errors),
        "adam_steps_along_the_axes": straight,
        "adam_steps_rotated": turned,
        "adam_ratio_of_steps": ratios,
    }
    finding = (
        f"Gradient descent: the same losses to {max(errors):.0e}. Adam at its best rate: {median(straight):.0f} steps "
        f"along the axes, {median(turned):.0f} rotated, {median(ratios):.1f} times as many (medians of {len(SEEDS)})."
    )

    def draw(figure: Any) -> None:
        axis = figure.subplots()
        title = "A bowl with curvatures 1 to 10 000, along the axes and rotated"
        curves(axis, pictures, title=title, x="step", y="loss / first loss", reference="Adam", log="y")
        axis.axhline(TARGET, color="0.5", linewidth=0.8)
        axis.annotate("target", (1000, TARGET), (-3, 3), textcoords="offset points", ha="right")
        axis.set_ylim(1e-9, 1e3)  # room for the legend above the spikes
        axis.set_xlim(0, 1000)
        axis.legend(loc="upper center", ncols=4)

    return Outcome(numbers, max(errors) <= 1e-9 and min(ratios) >= 3, finding, draw)


def _losses(optimizer: adamas.Optimizer, hessian: Floats, start: Floats) -> Floats:
    """Loss at the start and after each step, shape (steps + 1,)."""
    x = start.copy()
    losses = np.empty(STEPS + 1)
    for k in range(STEPS + 1):
        gradient = hessian @ x
        losses[k] = 0.5 * x @ gradient
        optimizer.step(x, gradient)
    return losses
