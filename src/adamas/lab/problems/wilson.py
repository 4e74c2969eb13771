"""Many solutions fit the training data; which one an optimizer finds decides about fresh examples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .base import Gradient, Losses, Params, Problem
from .function import Vector

SHARED = 3
"""Features that fresh examples share with the training data."""


def examples(y: Vector) -> NDArray[np.float64]:
    """Feature 0 is the label, 1 and 2 are 1, then every example has its own: one if positive, five if negative.

    Args:
        y: Labels -1 and 1, shape (rows,).

    Returns:
        Shape (rows, features).
    """
    own = np.where(y > 0, 1, 5)
    x = np.zeros((len(y), SHARED + int(own.sum())))
    x[:, 0], x[:, 1:SHARED] = y, 1.0
    first = SHARED + np.cumsum(own) - own
    for i in range(len(y)):
        x[i, first[i] : first[i] + own[i]] = 1.0
    return x


class Wilson(Problem):
    """Least squares on labels -1 and 1 with more features than rows, started near 0; validated on fresh examples.

    A fresh example brings features of its own, whose weights nobody has trained (0), so it is predicted from the first
    three; the validation loss is the exact mean over fresh examples of the same two classes. Gradient descent from 0
    finds the shortest solution, which relies on the label; sign-like steps spread the weight evenly.

    Args:
        rows: Training examples; 37 in 60 are positive.
    """

    name = "wilson"
    loss_name = "half squared error"
    source = "A. C. Wilson et al., The marginal value of adaptive gradient methods, NeurIPS 2017, section 3"
    tags = ("closed form", "convex", "adversarial", "generalisation")
    targets = (4e-3, 2e-3, 1e-3, 5e-4, 3e-4)
    steps = 600
    evaluate_every = 10

    def __init__(self, *, rows: int = 240) -> None:
        positive = round(rows * 37 / 60)
        self.y = np.random.default_rng(0).permutation(np.where(np.arange(rows) < positive, 1.0, -1.0))
        self.x = examples(self.y)
        self.title = f"{self.name}: {rows} rows of {self.x.shape[1]} features; a fresh row shares {SHARED} of them"
        fresh = np.unique(self.y)
        self._fresh, self._share = examples(fresh)[:, :SHARED], np.array([np.mean(self.y == label) for label in fresh])
        self._labels = fresh

    def start(self, seed: int) -> Params:
        return {"weight": np.random.default_rng([seed, 0]).uniform(-1e-3, 1e-3, self.x.shape[1:])}

    def gradients(self, seed: int, steps: int) -> Gradient:
        def gradient(params: Params, step: int) -> Params:
            error: Vector = self.x @ params["weight"] - self.y
            error /= len(error)
            return {"weight": self.x.T @ error}

        return gradient

    def evaluate(self, params: Params) -> Losses:
        weight = params["weight"]
        train = float(np.mean((self.x @ weight - self.y) ** 2)) / 2
        valid = float(self._share @ (self._fresh @ weight[:SHARED] - self._labels) ** 2) / 2
        return Losses(train, valid)

    def optimum(self) -> Params:
        """The label alone: right on every training row and on every fresh one."""
        weight = np.zeros(self.x.shape[1])
        weight[0] = 1.0
        return {"weight": weight}
