"""The function that `minimize` minimises: called, checked, counted, and differentiated where it must be."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _finite_difference

Array = NDArray[Any]


class Objective:
    """Loss and gradient at a point, checked and counted."""

    def __init__(self, fun: Callable[..., Any], args: Any, jac: Any, low: Array, high: Array, rel_step: Any) -> None:
        schemes = tuple(_finite_difference.SCHEMES)
        jac = schemes[0] if jac is None or jac is False else jac
        if not (callable(jac) or jac is True or jac in schemes):
            raise ValueError(f"jac={jac!r} must be a function, True, None, or one of {schemes}")
        if rel_step is not None and not (is_real(rel_step) and 0.0 < rel_step < np.inf):
            raise ValueError(f"finite_diff_rel_step={rel_step!r} must be a number > 0, or None")
        if rel_step is not None and not isinstance(jac, str):
            raise ValueError(f"finite_diff_rel_step={rel_step!r} needs finite differences; leave out one of it and jac")
        self.fun, self.args, self.jac, self.rel_step = (
            fun,
            args if isinstance(args, tuple) else (args,),
            jac,
            rel_step,
        )
        self.low, self.high = low, high
        self.nfev = self.njev = 0

    def __call__(self, x: Array) -> tuple[float, Array]:
        """Loss and gradient; the gradient is NaN, and not asked for, where the loss is not finite."""
        loss, grad = self._split(x)
        if not np.isfinite(loss):
            self.njev += self.jac is True
            return loss, np.full_like(x, np.nan)
        self.njev += 1
        if isinstance(self.jac, str):
            low, high = self.low.ravel(), self.high.ravel()

            def flat(point: Array) -> float:
                return _loss(self._call(point.reshape(x.shape)))

            grad = _finite_difference.gradient(flat, x.ravel(), loss, self.jac, self.rel_step, low, high)
        elif self.jac is not True:
            grad = self.jac(x.copy(), *self.args)
        given = as_array(grad)
        if given.size != x.size or given.dtype.kind not in "fiub":
            raise ValueError(f"the gradient must be real, of shape {x.shape} like x0, not {kind(grad)}")
        return loss, np.array(given, dtype=np.float64, order="C").reshape(x.shape)

    def or_nan(self, x: Array) -> tuple[float, Array]:
        """Loss and gradient at a point off the path; NaN where `fun` or `jac` cannot be computed, without a warning.

        Such a point is our choice, not the search's: a `fun` that raises ArithmeticError or ValueError there, as
        `math.log(-1)` does, or overflows, is not at fault.
        """
        try:
            with np.errstate(all="ignore"):
                return self(x)
        except (ArithmeticError, ValueError):
            return np.nan, np.full_like(x, np.nan)

    def loss_or_nan(self, x: Array) -> float:
        """As `or_nan`, the loss only."""
        self.njev += self.jac is True
        try:
            with np.errstate(all="ignore"):
                return self._split(x)[0]
        except (ArithmeticError, ValueError):
            return np.nan

    def _split(self, x: Array) -> tuple[float, Any]:
        """Loss, and what else `fun` returned."""
        value, grad = self._call(x), None
        if self.jac is True:
            try:
                value, grad = value
            except (TypeError, ValueError):
                raise TypeError(f"jac=True: fun must return a pair (loss, gradient), not {kind(value)}") from None
        return _loss(value), grad

    def _call(self, x: Array) -> Any:
        self.nfev += 1
        return self.fun(x.copy(), *self.args)


def _loss(value: Any) -> float:
    number = as_array(value)
    if number.size != 1 or number.dtype.kind not in "fiub":
        raise TypeError(f"fun must return one real number (with jac=True, and a gradient), not {kind(value)}")
    return float(number.item())


def as_array(value: Any) -> Array:
    """`value` as NumPy sees it; of object type where it is no array at all."""
    try:
        return np.asarray(value)
    except ValueError:  # a ragged nesting
        return np.asarray(None)


def is_real(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def kind(value: Any) -> str:
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    return f"{type(value).__name__}" + ("" if shape is None else f" of shape {shape} and type {dtype}")
