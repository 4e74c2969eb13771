"""The words a rule may use, on plain Python floats.

Every back end binds the three element-wise primitives (`sqrt`, `abs`, `where`) anew; the rest is
built from them below, so it has one meaning everywhere. `exp` and `log` act on per-step scalars only.
"""

from __future__ import annotations

import builtins
import math
from typing import Any

from ._term import term

PRIMITIVES = ("sqrt", "abs", "where")
SCALAR_ONLY = ("exp", "log")


def sqrt(x: Any) -> Any:
    """Square root, correctly rounded; NaN for x < 0."""
    return math.sqrt(x) if x >= 0 else math.nan


def abs(x: Any) -> Any:
    """Absolute value."""
    return builtins.abs(x)


def where(condition: Any, a: Any, b: Any) -> Any:
    """`a` where the condition holds, else `b`; both are evaluated."""
    return a if condition else b


def exp(x: Any) -> float:
    """Exponential of a per-step scalar."""
    return math.exp(x)


def log(x: Any) -> float:
    """Natural logarithm of a per-step scalar; minus infinity at 0."""
    return math.log(x) if x > 0 else -math.inf


@term
def maximum(a: Any, b: Any) -> Any:
    """The larger of two; NaN if either is NaN; `b` on a tie."""
    return where((a > b) | (a != a), a, b)


@term
def minimum(a: Any, b: Any) -> Any:
    """The smaller of two; NaN if either is NaN; `b` on a tie."""
    return where((a < b) | (a != a), a, b)


@term
def sign(x: Any) -> Any:
    """1, -1, or x itself when x is 0 or NaN."""
    return where(x > 0, 1, where(x < 0, -1, x))


@term
def clip(x: Any, low: Any, high: Any) -> Any:
    """X limited to [low, high]; NaN stays NaN."""
    return minimum(maximum(x, low), high)


VOCABULARY: dict[str, Any] = {
    "sqrt": sqrt,
    "abs": abs,
    "where": where,
    "exp": exp,
    "log": log,
    "maximum": maximum,
    "minimum": minimum,
    "sign": sign,
    "clip": clip,
}
