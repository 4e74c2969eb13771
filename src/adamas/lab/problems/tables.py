"""Convex models of tables of numbers: mean losses with gradients by row, above their minimum, which is known."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..models import Floats, Logistic, Params
from .base import Gradient, Losses, Problem, batches

Rows = Any


class RowModel(Protocol):
    """A mean loss over rows."""

    rows: int

    def start(self) -> Params:
        """Zeros."""
        ...

    def loss(self, params: Params, rows: Rows = slice(None)) -> float:
        """Mean loss over the rows."""
        ...

    def gradient(self, params: Params, rows: Rows = slice(None)) -> Params:
        """Its gradient."""
        ...

    def solution(self) -> Params:
        """The minimum, found by another method."""
        ...


class LeastSquares:
    """½ mean over rows of |x W + b - y|², any number of outputs.

    Args:
        x: Shape (rows, features).
        y: Shape (rows, outputs).
    """

    def __init__(self, x: Floats, y: Floats) -> None:
        self.x, self.y, self.rows = x, y, len(x)

    def start(self) -> Params:
        return {"weight": np.zeros((self.x.shape[1], self.y.shape[1])), "bias": np.zeros(self.y.shape[1])}

    def _error(self, params: Params, rows: Rows) -> Floats:
        error: Floats = self.x[rows] @ params["weight"] + params["bias"] - self.y[rows]
        return error

    def loss(self, params: Params, rows: Rows = slice(None)) -> float:
        error = self._error(params, rows)
        return float(np.sum(error**2) / (2 * len(error)))

    def gradient(self, params: Params, rows: Rows = slice(None)) -> Params:
        error = self._error(params, rows)
        error /= len(error)
        return {"weight": self.x[rows].T @ error, "bias": error.sum(axis=0)}

    def solution(self) -> Params:
        """Least squares by singular values."""
        found = np.linalg.lstsq(np.hstack([self.x, np.ones((self.rows, 1))]), self.y, rcond=None)[0]
        return {"weight": found[:-1], "bias": found[-1]}


class PenalisedLogistic(Logistic):
    """Mean cross-entropy and penalty/2 |W|²: the minimum exists and is unique even if the classes can be told apart.

    Args:
        x: Shape (rows, features).
        y: Class numbers from 0, shape (rows,).
        classes: Number of classes, 2 or more.
        penalty: Weight of the penalty; more than 0.
    """

    def __init__(self, x: Floats, y: NDArray[np.intp], classes: int, penalty: float) -> None:
        super().__init__(x, y, classes)
        self.rows, self.penalty = len(x), penalty

    def loss(self, params: Params, rows: Rows = slice(None)) -> float:
        return super().loss(params, rows) + self.penalty / 2 * float(np.sum(params["weight"] ** 2))

    def gradient(self, params: Params, rows: Rows = slice(None)) -> Params:
        grads = super().gradient(params, rows)
        grads["weight"] += self.penalty * params["weight"]
        return grads

    def solution(self) -> Params:
        return minimise(self)


class Poisson:
    """Mean of exp(z) - y z + penalty/2 |w|², z = x w + b: regression of counts.

    Args:
        x: Shape (rows, features).
        y: Counts, shape (rows,).
        penalty: Weight of the penalty.
    """

    def __init__(self, x: Floats, y: Floats, penalty: float = 1e-3) -> None:
        self.x, self.y, self.rows, self.penalty = x, y, len(x), penalty

    def start(self) -> Params:
        return {"weight": np.zeros(self.x.shape[1]), "bias": np.zeros(1)}

    def loss(self, params: Params, rows: Rows = slice(None)) -> float:
        z = self.x[rows] @ params["weight"] + params["bias"]
        return float(np.mean(np.exp(z) - self.y[rows] * z) + self.penalty / 2 * np.sum(params["weight"] ** 2))

    def gradient(self, params: Params, rows: Rows = slice(None)) -> Params:
        x = self.x[rows]
        error = (np.exp(x @ params["weight"] + params["bias"]) - self.y[rows]) / len(x)
        return {"weight": x.T @ error + self.penalty * params["weight"], "bias": error.sum(keepdims=True)}

    def solution(self) -> Params:
        return minimise(self)


def minimise(model: RowModel) -> Params:
    """The minimum of a smooth convex model by Newton's method of SciPy with Hessians from exact gradients."""
    from scipy.optimize import approx_fprime, minimize

    shapes = {name: value.shape for name, value in model.start().items()}

    def unpack(flat: Floats) -> Params:
        params, first = {}, 0
        for name, shape in shapes.items():
            size = int(np.prod(shape))
            params[name] = flat[first : first + size].reshape(shape)
            first += size
        return params

    def slope(flat: Floats) -> Floats:
        return np.concatenate([g.ravel() for g in model.gradient(unpack(flat)).values()])

    flat = np.concatenate([value.ravel() for value in model.start().values()])
    found = minimize(lambda p: model.loss(unpack(p)), flat, jac=slope, method="BFGS", options={"gtol": 1e-7})
    flat = found.x
    for _ in range(3):  # polish: BFGS stops where differences of the loss drown
        hessian = approx_fprime(flat, slope, 1e-7)
        flat = flat - np.linalg.lstsq((hessian + hessian.T) / 2, slope(flat), rcond=1e-10)[0]
    return unpack(flat)


class Rescaled:
    """A model in the raw units of its table: the same function of other parameters.

    Raw features are mean + deviation * standard ones, so weights are divided by the deviation and the bias moves.

    Args:
        model: With standardised features.
        deviation: Of every raw feature, shape (features,).
    """

    def __init__(self, model: RowModel, deviation: Floats) -> None:
        self.model, self.deviation, self.rows = model, deviation[:, None], model.rows

    def start(self) -> Params:
        return self.model.start()

    def _standard(self, params: Params) -> Params:
        return {**params, "weight": params["weight"] * self.deviation}

    def loss(self, params: Params, rows: Rows = slice(None)) -> float:
        return self.model.loss(self._standard(params), rows)

    def gradient(self, params: Params, rows: Rows = slice(None)) -> Params:
        grads = self.model.gradient(self._standard(params), rows)
        return {**grads, "weight": grads["weight"] * self.deviation}

    def solution(self) -> Params:
        found = self.model.solution()
        return {**found, "weight": found["weight"] / self.deviation}


class TableProblem(Problem):
    """A convex model of a table; the loss over all rows above its minimum; float64.

    Args:
        name: Name on the command line.
        title: One line for tables.
        make: Builds the model; called when it is first used, because data are read then.
        batch: Rows per step; None: all of them, no noise.
        targets: Excess losses to be reached.
        source: Of the data.
        steps: Budget.
        spread: Deviation of the normal start, in units of `start_scale`.
        tags: Words to choose problems by.
        needs: Modules beyond the extra `lab`.
    """

    loss_name = "excess loss"

    def __init__(
        self,
        name: str,
        title: str,
        make: Callable[[], RowModel],
        *,
        source: str,
        batch: int | None = None,
        targets: tuple[float, ...] = (3e-3, 1e-3, 3e-4, 1e-4, 3e-5),
        steps: int = 1000,
        spread: float = 0.01,
        tags: tuple[str, ...] = (),
        needs: tuple[str, ...] = (),
    ) -> None:
        self.name, self.title, self.source = name, f"{name}: {title}", source
        self._make, self.batch, self.targets, self.steps, self.spread = make, batch, targets, steps, spread
        self.evaluate_every = max(1, steps // 100)
        self.noise = "none" if batch is None else f"mini-batches of {batch}"
        self.tags = ("data", "convex", *(() if batch is None else ("noisy",)), *tags)
        self.needs = needs

    @cached_property
    def model(self) -> RowModel:
        """The model with its data."""
        return self._make()

    @cached_property
    def _solution(self) -> Params:
        return self.model.solution()

    @cached_property
    def subtracted(self) -> float:  # type: ignore[override]
        """The lowest loss."""
        return self.model.loss(self._solution)

    def start(self, seed: int) -> Params:
        rng = np.random.default_rng([seed, 0])
        return {k: self.spread * rng.standard_normal(v.shape) for k, v in self.model.start().items()}

    def gradients(self, seed: int, steps: int) -> Gradient:
        model = self.model
        if self.batch is None:
            return lambda params, step: model.gradient(params)
        order = batches(model.rows, self.batch, seed, steps)
        return lambda params, step: model.gradient(params, order[step])

    def evaluate(self, params: Params) -> Losses:
        value = self.model.loss(params) - self.subtracted
        return Losses(value, value)

    def optimum(self) -> Params:
        return {name: value.copy() for name, value in self._solution.items()}
