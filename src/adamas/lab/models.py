"""The two models of `fit`: mean losses with gradients by hand, and their closed or independent solutions."""

from __future__ import annotations

import warnings
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Params = dict[str, Floats]


class Model(Protocol):
    """A linear model; `weight` has shape (features, outputs), `bias` (outputs,)."""

    def start(self) -> Params:
        """Zeros."""
        ...

    def loss(self, params: Params, rows: Any = slice(None)) -> float:
        """Mean loss over the rows."""
        ...

    def gradient(self, params: Params, rows: Any = slice(None)) -> Params:
        """Its gradient, divided by the number of rows."""
        ...

    def solution(self) -> Params:
        """The minimum, found by another method."""
        ...


class Linear:
    """Mean squared error of y ~ x weight + bias.

    Args:
        x: Shape (rows, features).
        y: Shape (rows,).
    """

    def __init__(self, x: Floats, y: Floats) -> None:
        self.x, self.y = x, y[:, None]

    def start(self) -> Params:
        return {"weight": np.zeros((self.x.shape[1], 1)), "bias": np.zeros(1)}

    def _error(self, params: Params, rows: Any) -> Floats:
        error: Floats = self.x[rows] @ params["weight"] + params["bias"] - self.y[rows]
        return error

    def loss(self, params: Params, rows: Any = slice(None)) -> float:
        return float(np.mean(self._error(params, rows) ** 2))

    def gradient(self, params: Params, rows: Any = slice(None)) -> Params:
        error = self._error(params, rows) * (2 / len(self.y[rows]))
        return {"weight": self.x[rows].T @ error, "bias": error.sum(axis=0)}

    def solution(self) -> Params:
        """Least squares by singular values; the shortest solution where many fit."""
        found = np.linalg.lstsq(np.hstack([self.x, np.ones_like(self.y)]), self.y, rcond=None)[0]
        return {"weight": found[:-1], "bias": found[-1]}


class Logistic:
    """Mean cross-entropy; one output for two classes, one per class for more.

    Args:
        x: Shape (rows, features).
        y: Class numbers from 0, shape (rows,).
        classes: Number of classes, 2 or more.
    """

    def __init__(self, x: Floats, y: NDArray[np.intp], classes: int) -> None:
        self.x = x
        self.y = y
        self.classes = classes
        self.outputs = 1 if classes == 2 else classes

    def start(self) -> Params:
        return {"weight": np.zeros((self.x.shape[1], self.outputs)), "bias": np.zeros(self.outputs)}

    def scores(self, params: Params, rows: Any = slice(None)) -> Floats:
        """One score per class; with two classes the first is the zero."""
        z: Floats = self.x[rows] @ params["weight"] + params["bias"]
        return np.hstack([np.zeros_like(z), z]) if self.outputs == 1 else z

    def _log_chances(self, params: Params, rows: Any) -> Floats:
        z = self.scores(params, rows)
        z = z - z.max(axis=1, keepdims=True)
        chances: Floats = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        return chances

    def loss(self, params: Params, rows: Any = slice(None)) -> float:
        chosen = np.take_along_axis(self._log_chances(params, rows), self.y[rows][:, None], axis=1)
        return float(-np.mean(chosen))

    def gradient(self, params: Params, rows: Any = slice(None)) -> Params:
        y = self.y[rows]
        error = np.exp(self._log_chances(params, rows))
        error[np.arange(len(y)), y] -= 1
        error = error[:, -self.outputs :] / len(y)
        return {"weight": self.x[rows].T @ error, "bias": error.sum(axis=0)}

    def solution(self) -> Params:
        """scikit-learn's solution without penalty; it may stop short where classes are separable."""
        from sklearn.linear_model import LogisticRegression

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # separable classes have no finite solution; fit says so itself
            found = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(self.x, self.y)
        return {"weight": found.coef_.T.copy(), "bias": found.intercept_.copy()}

    def accuracy(self, params: Params) -> float:
        """Share of rows whose largest score is at their class."""
        return float(np.mean(self.scores(params).argmax(axis=1) == self.y))

    def separated(self, params: Params) -> list[int]:
        """Classes whose rows all have a chance above 0.999 of their class, and all others one below 0.001."""
        chances = np.exp(self._log_chances(params, slice(None)))
        own = self.y[:, None] == np.arange(self.classes)
        sure = np.where(own, chances > 0.999, chances < 0.001).all(axis=0)
        return [int(k) for k in np.flatnonzero(sure)]
