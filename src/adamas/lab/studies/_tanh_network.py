"""One hidden tanh layer under squared error, with gradient and Hessian products written by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class TanhNetwork:
    """Mean over rows of half the squared error of tanh(x A + a) B + b; parameters are one flat vector.

    Args:
        x: Inputs, shape (rows, inputs).
        y: Targets, shape (rows, outputs).
        hidden: Units of the hidden layer.
    """

    def __init__(self, x: Floats, y: Floats, hidden: int) -> None:
        self.x, self.y = x, y
        inputs, outputs = x.shape[1], y.shape[1]
        self.shapes = ((inputs, hidden), (hidden,), (hidden, outputs), (outputs,))
        self.ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])

    @classmethod
    def of_digits(cls, hidden: int) -> TanhNetwork:
        """The training digits, targets one-hot."""
        from .. import digits

        train = digits.load("float64").train
        return cls(np.asarray(train.x, np.float64), np.eye(10)[train.y], hidden)

    def start(self, seed: int) -> Floats:
        """Normal weights of variance 1/inputs, zero biases."""
        rng = np.random.default_rng(seed)
        parts = [
            rng.standard_normal(shape) / np.sqrt(shape[0]) if len(shape) == 2 else np.zeros(shape)
            for shape in self.shapes
        ]
        return np.concatenate([part.ravel() for part in parts])

    def _parts(self, p: Floats) -> list[Any]:
        return [part.reshape(s) for part, s in zip(np.split(p, self.ends[:-1]), self.shapes, strict=True)]

    def _forward(self, p: Floats) -> tuple[Floats, Floats]:
        """Hidden values, and errors of the outputs over the number of rows."""
        a, a0, b, b0 = self._parts(p)
        h = np.tanh(self.x @ a + a0)
        return h, (h @ b + b0 - self.y) / len(self.x)

    def loss(self, p: Floats) -> float:
        """Half the squared error, summed over outputs, mean over rows."""
        return float(np.sum(self._forward(p)[1] ** 2) * len(self.x) / 2)

    def gradient(self, p: Floats) -> Floats:
        """Of `loss`."""
        h, error = self._forward(p)
        return self._backward(h, error, (error @ self._parts(p)[2].T) * (1 - h * h))

    def _backward(self, h: Floats, error: Floats, below: Floats) -> Floats:
        parts = (self.x.T @ below, below.sum(axis=0), h.T @ error, error.sum(axis=0))
        return np.concatenate([part.ravel() for part in parts])

    def curvature(self, p: Floats) -> Callable[[Floats], Floats]:
        """The product of the Hessian at p with a vector: the derivative of `gradient` along it."""
        b = self._parts(p)[2]
        h, error = self._forward(p)
        slope = 1 - h * h
        above = error @ b.T

        def product(direction: Floats) -> Floats:
            da, da0, db, db0 = self._parts(direction)
            dh = slope * (self.x @ da + da0)
            derror = (dh @ b + h @ db + db0) / len(self.x)
            dbelow = (derror @ b.T + error @ db.T) * slope - 2 * above * h * dh
            change = self._backward(h, derror, dbelow)
            change[self.ends[1] : self.ends[2]] += (dh.T @ error).ravel()
            return change

        return product
