"""The oracle: rules run on NumPy arrays, as they are written.

Each function of a rule is copied with other globals: the vocabulary bound to NumPy for one dtype. Per-step scalars
are Python floats, which NumPy rounds once when they meet an array. Nothing here knows a formula.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rules import VOCABULARY, Resolved, is_term
from .step import Shape, element_pass
from .survey import UNIT, Sum

Array = NDArray[Any]


class Values(np.ndarray[Any, Any]):
    """Arrays on which `x += y` makes a new array, as it makes a new number of a number; never complex."""

    def __array_finalize__(self, _: object) -> None:
        if self.dtype.kind == "c":
            raise TypeError("a power of a negative number is complex")

    def _anew(self, other: object) -> Any:
        return NotImplemented  # Python then takes `x = x + y`

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ipow__ = __iand__ = __ior__ = _anew


class Words(dict[str, Callable[..., Any]]):
    """The primitives of the vocabulary for one kind of array."""

    __hash__ = object.__hash__  # type: ignore[assignment]


@cache
def primitives(dtype: np.dtype[Any]) -> Words:
    """`sqrt`, `abs`, `where` for arrays of a dtype; on Python floats they stay Python floats."""

    def sqrt(x: Any) -> Any:
        return VOCABULARY["sqrt"](x) if isinstance(x, (int, float)) else np.sqrt(x)

    def where(condition: Any, a: Any, b: Any) -> Any:
        if isinstance(condition, bool) and all(isinstance(v, (int, float)) for v in (a, b)):
            return a if condition else b
        a, b = (np.asarray(v).astype(dtype, casting="same_kind", copy=False) for v in (a, b))  # refuses complex numbers
        return np.where(condition, a, b).view(Values)

    return Words(sqrt=sqrt, abs=abs, where=where, exp=VOCABULARY["exp"], log=VOCABULARY["log"])


@cache
def bind(function: Callable[..., Any], words: Words) -> Callable[..., Any]:
    """A copy of a rule or term whose vocabulary acts on some kind of arrays, the terms it calls included."""
    table: dict[str, Any] = {"__builtins__": {"__import__": __import__}}  # which operators of frameworks may need
    defaults = tuple(map(_plain, function.__defaults__ or ()))
    copy = types.FunctionType(function.__code__, table, function.__name__, defaults)
    copy.__kwdefaults__ = {n: _plain(v) for n, v in (function.__kwdefaults__ or {}).items()}
    for name in function.__code__.co_names:
        found = function.__globals__.get(name)
        if is_term(found):
            table[name] = bind(found, words)
        elif name in words:
            table[name] = words[name]
        elif name in VOCABULARY:
            table[name] = bind(VOCABULARY[name], words)
        else:
            table[name] = _plain(found)
    return copy


def _plain(value: Any) -> Any:
    """A constant as NumPy promotes it rightly: a `numpy.float64` would widen float32 arrays, a float does not."""
    return float(value) if isinstance(value, float) else value


def run_pass(resolved: Resolved, shape: Shape, x: Mapping[str, Any], dtype: np.dtype[Any]) -> dict[str, Any]:
    """One step of whole arrays by NumPy, in the compute dtype.

    Args:
        resolved: the rule.
        shape: structure of the step.
        x: arrays `p`, `g` and slots; Python floats for everything else.
        dtype: compute dtype.

    Returns:
        New arrays and scalar slots by name.
    """
    words = primitives(dtype)

    def call(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        return bind(function, words)(**arguments)

    values = {n: v.view(Values) if isinstance(v, np.ndarray) else v for n, v in x.items()}
    with np.errstate(all="ignore"):
        return element_pass(call, resolved, shape, values)


def sum_of_squares(g: Array) -> Sum:
    """Exact sum of squares, each first rounded to float64's 53 bits; infinity or NaN if any element is."""
    wide = g.astype(np.float64).ravel()
    if not np.isfinite(wide).all():
        return Sum(0, float(np.sum(np.abs(wide))))
    mantissa, exponent = np.frexp(wide)
    whole = np.ldexp(mantissa * mantissa, 54).astype(np.int64)  # square = whole * 2 ** (2 * exponent - 54)
    least = int(exponent.min(initial=0))
    total = 0
    for shift, part in ((27, whole >> 27), (0, whole & (1 << 27) - 1)):
        for k, count in enumerate(np.bincount(exponent - least, part).tolist(), least):  # below 2 ** 53: exact
            total += int(count) << 2 * k - 54 - UNIT + shift
    return Sum(total)
