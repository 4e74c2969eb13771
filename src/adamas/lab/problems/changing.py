"""Gradients that belong to another function or another place than the one that is measured."""

from __future__ import annotations

from collections import deque

import numpy as np

from .base import Gradient, Losses, Params, Problem
from .function import SMALL, Vector


class Circling(Problem):
    """f = ½|x - c|² whose gradient points at a target that circles about c: the mean over a period is measured.

    The mean over a period of ½|x - c(t)|² is f and a constant, so f is the whole objective.

    Args:
        period: Steps of one turn; long ones are hard, because an optimizer follows instead of averaging.
        radius: Of the circle; c is 5 away from the start.
    """

    loss_name = "f(x)"
    tags = ("closed form", "convex", "changing")
    source = "a loss that oscillates: momentum averages it out, if the period is short"
    targets = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3)
    steps = 2000
    evaluate_every = 10

    def __init__(self, *, period: int, radius: float = 2.0) -> None:
        self.period, self.radius = period, radius
        self.name = f"oscillating-{period}"
        self.title = f"{self.name}: ½|x - c|², gradients of a target that circles about c in {period} steps"
        self.noise = f"periodic, {period} steps"
        self.cycle = period
        self.centre = np.array([3.0, -4.0])

    def start(self, seed: int) -> Params:
        return {"x": np.random.default_rng([seed, 0]).uniform(-0.2, 0.2, 2)}

    def gradients(self, seed: int, steps: int) -> Gradient:
        def gradient(params: Params, step: int) -> Params:
            angle = 2 * np.pi * step / self.period
            turn = self.radius * np.array([np.cos(angle), np.sin(angle)])
            return {"x": params["x"] - self.centre - turn}

        return gradient

    def evaluate(self, params: Params) -> Losses:
        value = float(0.5 * np.sum((params["x"] - self.centre) ** 2))
        return Losses(value, value)

    def optimum(self) -> Params:
        return {"x": self.centre.copy()}


class MovingTarget(Problem):
    """f = ½|x - c(t)|² with c on the unit circle of six planes, measured at the time of the last gradient.

    The instance keeps that time: one run at a time, which `start` begins. `get_problem` makes fresh instances.

    Args:
        period: Steps of one turn; short ones are hard.
    """

    loss_name = "f(x, t)"
    tags = ("closed form", "convex", "changing")
    source = "tracking: a long memory follows a quick target too late"
    targets = (0.3, 1e-1, 3e-2, 1e-2, 3e-3)
    steps = 2000
    evaluate_every = 10
    planes = 6
    noise = "the minimum moves"
    cycle = 1  # at one time: the evaluation is that of the same time

    def __init__(self, *, period: int) -> None:
        self.period = period
        self.name = f"moving-target-{period}"
        self.title = f"{self.name}: ½|x - c(t)|², c turns once in {period} steps"
        self._time = 0

    def place(self, time: int) -> Vector:
        """The target, shape (12,)."""
        angle = 2 * np.pi * (time / self.period + np.arange(self.planes) / self.planes)
        return np.concatenate([np.cos(angle), np.sin(angle)])

    def start(self, seed: int) -> Params:
        self._time = 0
        return {"x": np.random.default_rng([seed, 0]).uniform(3.0, 4.0, 2 * self.planes)}

    def gradients(self, seed: int, steps: int) -> Gradient:
        def gradient(params: Params, step: int) -> Params:
            self._time = step
            return {"x": params["x"] - self.place(step)}

        return gradient

    def evaluate(self, params: Params) -> Losses:
        value = float(0.5 * np.sum((params["x"] - self.place(self._time)) ** 2))
        return Losses(value, value)

    def optimum(self) -> Params:
        return {"x": self.place(self._time)}


class Delayed(Problem):
    """A quadratic whose gradients arrive late, as in asynchronous training.

    Args:
        delay: Age of the gradients in steps; the first ones are those of the start.
    """

    loss_name = "f(x)"
    tags = ("closed form", "convex", "changing")
    source = "stale gradients bound the rate; the more momentum, the sooner"
    targets = SMALL
    steps = 3000  # a rate of 1e-3 must not fail for want of steps: late gradients are larger ones, and would spare some
    evaluate_every = 15
    cycle = 1  # at a point where one stays, all gradients are the same

    def __init__(self, *, delay: int) -> None:
        self.delay = delay
        self.name = f"delay-{delay}"
        self.title = f"{self.name}: a quadratic of condition 10, gradients {delay} steps old"
        self.noise = f"gradients {delay} steps old" if delay else "none"
        self.curvature = np.geomspace(1, 10, 8)

    def start(self, seed: int) -> Params:
        return {"x": 1 / np.sqrt(self.curvature) * np.random.default_rng([seed, 0]).uniform(0.9, 1.1, 8)}

    def gradients(self, seed: int, steps: int) -> Gradient:
        late: deque[Vector] = deque(maxlen=self.delay + 1)

        def gradient(params: Params, step: int) -> Params:
            if step == 0:
                late.clear()
            late.append(self.curvature * params["x"])
            return {"x": late[0].copy()}

        return gradient

    def evaluate(self, params: Params) -> Losses:
        value = float(0.5 * np.sum(self.curvature * params["x"] ** 2))
        return Losses(value, value)

    def optimum(self) -> Params:
        return {"x": np.zeros(8)}


def changing() -> list[Problem]:
    """All of them, easiest first."""
    return [
        *(Circling(period=period) for period in (4, 100)),
        *(MovingTarget(period=period) for period in (4000, 400)),
        *(Delayed(delay=delay) for delay in (4, 16)),
    ]
