"""Problems made so that a method fails by design."""

from __future__ import annotations

import numpy as np

from .base import Gradient, Losses, Params, Problem
from .function import Vector
from .wilson import Wilson


class Reddi(Problem):
    """A rare large gradient against many small ones: Adam with a short memory of v walks the wrong way.

    One coordinate between two walls: the mean slope is positive, so the minimum lies at the left one.
    f = mean slope * x + stiffness/2 * (what x exceeds ±1 by)², raised so that its minimum is 0. The walls replace the
    projection of the paper, which optimizers do not have.

    Args:
        big: Slope of the rare steps; -1 is that of the others.
        chance: Of a rare step; None: every third step, in a fixed cycle.
    """

    loss_name = "f(x)"
    source = "S. J. Reddi, S. Kale, S. Kumar, On the convergence of Adam and beyond, ICLR 2018, theorems 1 and 3"
    stiffness = 10.0
    steps = 6000
    evaluate_every = 30
    targets = (5e-3, 2e-3, 1e-3, 5e-4, 2e-4)

    def __init__(self, name: str, *, big: float, chance: float | None) -> None:
        self.name, self.big, self.chance = name, big, chance
        share = 1 / 3 if chance is None else chance
        self.mean = share * big - (1 - share)
        self.left = -1 - self.mean / self.stiffness
        self.lowest = self.mean * self.left + self.stiffness / 2 * (self.left + 1) ** 2
        when = "every third step" if chance is None else f"with chance {chance:g}"
        self.title = f"{name}: slope {big:g} {when}, else -1; walls at ±1"
        self.noise = "the slope changes in a cycle of 3" if chance is None else "the slope is drawn per step"
        self.cycle = 3 if chance is None else None
        self.tags = ("closed form", "convex", "adversarial", "noisy")
        self.subtracted = self.lowest

    def start(self, seed: int) -> Params:
        return {"x": np.random.default_rng([seed, 0]).uniform(0.8, 0.95, 1)}

    def _wall(self, x: Vector) -> Vector:
        return self.stiffness * (x - np.clip(x, -1, 1))

    def gradients(self, seed: int, steps: int) -> Gradient:
        rng = np.random.default_rng([seed, 1])
        rare = np.arange(steps) % 3 == 0 if self.chance is None else rng.random(steps) < self.chance
        slopes = np.where(rare, self.big, -1.0)
        return lambda params, step: {"x": slopes[step] + self._wall(params["x"])}

    def evaluate(self, params: Params) -> Losses:
        x = params["x"]
        value = self.mean * x[0] + self._wall(x)[0] ** 2 / (2 * self.stiffness) - self.lowest
        return Losses(float(value), float(value))

    def optimum(self) -> Params:
        return {"x": np.array([self.left])}


class LabelImbalance(Problem):
    """Softmax regression in which frequent and rare classes make up the same share of the examples together.

    Each class has an input of its own, which names the class but for a smoothing; so the parameter is a table of
    scores, and the logarithm of the smoothed chances its optimum. The loss is the mean cross-entropy above the minimum.

    Args:
        groups: Class frequencies halve from group to group; group k holds 2^k classes (each group the same share).
        batch: Examples per step.
    """

    name = "label-imbalance"
    loss_name = "excess cross-entropy"
    source = "F. Kunstner et al., Heavy-tailed class imbalance and why Adam outperforms gradient descent, NeurIPS 2024"
    tags = ("convex", "noisy", "imbalance")
    steps = 1500
    evaluate_every = 15
    targets = (2e-2, 1e-2, 5e-3, 2e-3, 1e-3)
    smoothing = 0.02

    def __init__(self, *, groups: int = 6, batch: int | None = None) -> None:
        sizes = 2 ** np.arange(groups)
        self.share = np.repeat(1 / (groups * sizes), sizes)
        self.classes = int(sizes.sum())
        self.batch = batch
        self.noise = "none" if batch is None else "mini-batches"
        self.title = f"{self.name}: softmax, {self.classes} classes in {groups} groups, each half as frequent"
        right = 1 - self.smoothing
        other = self.smoothing / (self.classes - 1)
        self.goal = np.full((self.classes, self.classes), other) + (right - other) * np.eye(self.classes)
        self.subtracted = float(-np.sum(self.goal[0] * np.log(self.goal[0])))

    def start(self, seed: int) -> Params:
        return {"scores": np.random.default_rng([seed, 0]).uniform(-0.01, 0.01, (self.classes, self.classes))}

    def _log_chances(self, scores: Vector) -> Vector:
        shifted = scores - scores.max(axis=1, keepdims=True)
        found: Vector = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return found

    def gradients(self, seed: int, steps: int) -> Gradient:
        rng = np.random.default_rng([seed, 1])

        def gradient(params: Params, step: int) -> Params:
            share = self.share if self.batch is None else rng.multinomial(self.batch, self.share) / self.batch
            return {"scores": (np.exp(self._log_chances(params["scores"])) - self.goal) * share[:, None]}

        return gradient

    def evaluate(self, params: Params) -> Losses:
        gap = self.goal * (np.log(self.goal) - self._log_chances(params["scores"]))
        value = float(np.sum(gap.sum(axis=1) * self.share))
        return Losses(value, value)

    def optimum(self) -> Params:
        return {"scores": np.log(self.goal)}


def adversarial() -> list[Problem]:
    """All of them."""
    return [
        Reddi("reddi-cycle", big=3.0, chance=None),
        Reddi("reddi-random", big=101.0, chance=0.02),
        LabelImbalance(),
        Wilson(),
    ]
