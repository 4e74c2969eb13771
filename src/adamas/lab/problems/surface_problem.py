"""A surface over two coordinates as a problem."""

from __future__ import annotations

import numpy as np

from ..surfaces import SURFACES, Surface
from .base import Gradient, Losses, Params, Problem


class SurfaceProblem(Problem):
    """A surface over two coordinates, float64, no noise.

    The seed moves the start by up to 5 % of the plot window in each coordinate (or the surface's own
    spread), so that a result does not hang on one lucky start.
    """

    loss_name = "f(x, y)"

    def __init__(
        self,
        surface: Surface,
        *,
        tags: tuple[str, ...] = (),
        smooth: bool = True,
    ) -> None:
        self.surface: Surface = surface
        self.name = surface.name
        self.title = f"{surface.name}: {surface.formula}"
        self.source = surface.source
        self.steps = surface.steps
        self.evaluate_every = max(1, surface.steps // 500)
        self.targets = surface.targets
        self.tags = ("surface", "closed form", *tags)
        self.smooth = smooth

    def start(self, seed: int) -> Params:
        shift = np.random.default_rng([seed, 0]).uniform(-1, 1, 2) * self.surface.start_spread
        return {"z": np.asarray(self.surface.start) + shift}

    def gradients(self, seed: int, steps: int) -> Gradient:
        slope = self.surface.gradient
        return lambda params, step: {"z": slope(params["z"])}

    def evaluate(self, params: Params) -> Losses:
        value = float(self.surface.value(params["z"]))
        return Losses(value, value)

    def optimum(self) -> Params:
        return {"z": np.array(self.surface.optimum)}


def surface_problems() -> list[Problem]:
    """Every surface."""
    local = {"rastrigin", "ackley"}
    return [
        SurfaceProblem(surface, tags=("local minima",) if name in local else (), smooth=name != "ackley")
        for name, surface in SURFACES.items()
    ]
