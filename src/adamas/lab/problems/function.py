"""Problems stated by a closed formula over one vector, with a choice of noise on the gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Gradient, Losses, Params, Problem

Vector = NDArray[np.floating[Any]]
Noise = Callable[[np.random.Generator, Vector], Vector]
"""(generator, exact gradient) -> gradient as the optimizer sees it, right on average."""

SMALL = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


class FunctionProblem(Problem):
    """A function of one vector `x`, float64; its minimum is 0.

    Args:
        name: Name on the command line.
        title: One line for tables.
        value: f(x), shape (n,) to a number.
        slope: Its gradient.
        start_point: Where runs start, shape (n,).
        optimum_point: Where the minimum lies; one of them, where there are several.
        steps: Budget.
        targets: Values of f, easiest first.
        source: Who posed it.
        spread: Largest relative shift of every coordinate of the start by the seed.
        noise: Makes the optimizer's gradient of the exact one; None: exact.
        noise_name: The noise in words.
        tags: Words to choose problems by.
        smooth: False if the gradient jumps at the optimum.
    """

    loss_name = "f(x)"

    def __init__(
        self,
        name: str,
        title: str,
        *,
        value: Callable[[Vector], float],
        slope: Callable[[Vector], Vector],
        start_point: Vector,
        optimum_point: Vector,
        source: str,
        steps: int = 1000,
        targets: tuple[float, ...] = SMALL,
        spread: float = 0.05,
        noise: Noise | None = None,
        noise_name: str = "none",
        tags: tuple[str, ...] = (),
        smooth: bool = True,
    ) -> None:
        if (noise is None) != (noise_name == "none"):
            raise ValueError(f"{name}: noise_name = {noise_name!r}: give noise and its name together, or neither")
        if start_point.shape != optimum_point.shape or start_point.ndim != 1:
            raise ValueError(f"{name}: start {start_point.shape} and optimum {optimum_point.shape}: give equal vectors")
        self.name, self.title, self.source = name, f"{name}: {title}", source
        self.value, self.slope, self.perturb = value, slope, noise
        self.start_point, self.optimum_point, self.spread = start_point, optimum_point, spread
        self.steps, self.targets = steps, targets
        self.evaluate_every = max(1, steps // 200)
        self.noise = noise_name
        self.tags = ("closed form", *tags)
        self.smooth = smooth

    def start(self, seed: int) -> Params:
        shift = np.random.default_rng([seed, 0]).uniform(-1, 1, self.start_point.size)
        return {"x": self.start_point * (1 + self.spread * shift)}

    def gradients(self, seed: int, steps: int) -> Gradient:
        slope, perturb = self.slope, self.perturb
        if perturb is None:
            return lambda params, step: {"x": slope(params["x"])}
        rng = np.random.default_rng([seed, 1])
        return lambda params, step: {"x": perturb(rng, slope(params["x"]))}

    def evaluate(self, params: Params) -> Losses:
        value = float(self.value(params["x"]))
        return Losses(value, value)

    def optimum(self) -> Params:
        return {"x": self.optimum_point.copy()}


def quadratic(curvature: Vector, basis: Vector | None = None) -> dict[str, Any]:
    """Value and slope of 1/2 sum of curvature_i (Q x)_i², Q an orthogonal matrix or none."""

    def value(x: Vector) -> float:
        y = x if basis is None else basis @ x
        return float(0.5 * np.sum(curvature * y * y))

    def slope(x: Vector) -> Vector:
        found: Vector = curvature * x if basis is None else basis.T @ (curvature * (basis @ x))
        return found

    return {"value": value, "slope": slope}
