"""Gradients by finite differences, for `minimize` when it is given none."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_EPS: Final = float(np.finfo(np.float64).eps)
# The relative steps that balance truncation against rounding, for errors of order h and of order h**2.
SCHEMES: Final = {"2-point": _EPS ** (1 / 2), "3-point": _EPS ** (1 / 3)}


def gradient(
    fun: Callable[[NDArray[Any]], float],
    x: NDArray[Any],
    f: float,
    scheme: str,
    rel_step: float | None,
    lower: NDArray[Any],
    upper: NDArray[Any],
) -> NDArray[Any]:
    """The gradient of `fun` at `x` by differences, never leaving the bounds.

    Coordinate i is moved by `rel_step * max(1, |x[i]|)`, away from zero. "2-point" turns round at a
    bound, or shortens its step where neither side has room. "3-point" is central where both neighbours
    are inside the bounds and one-sided elsewhere. A coordinate whose bounds coincide cannot move; its
    derivative is given as 0.

    Args:
        fun: function of one flat float64 array.
        x: the point, flat, inside the bounds.
        f: `fun(x)`, known already.
        scheme: "2-point" (n evaluations, error of order h) or "3-point" (2 n, order h**2).
        rel_step: relative step, > 0; None for the usual one of the scheme.
        lower: lower bounds, -inf for none.
        upper: upper bounds, inf for none.

    Returns:
        The gradient, flat.
    """
    lengths = (SCHEMES[scheme] if rel_step is None else rel_step) * np.maximum(1.0, np.abs(x))
    result = np.zeros_like(x)

    def moved(i: int, step: float) -> tuple[float, float]:
        """The step really made (rounding and bounds), and what `fun` did on it."""
        point = x.copy()
        point[i] = min(max(point[i] + step, lower[i]), upper[i])
        return float(point[i] - x[i]), fun(point) - f

    for i in np.flatnonzero(lower < upper).tolist():
        length, below, above = float(lengths[i]), float(x[i] - lower[i]), float(upper[i] - x[i])
        if scheme == "2-point":
            sign, room, other = (1.0, above, below) if x[i] >= 0.0 else (-1.0, below, above)
            if room < length and room < other:
                sign, room = -sign, other
            step, rise = moved(i, sign * min(length, room))
            result[i] = rise / step
            continue
        if min(below, above) >= length:
            first, second = -length, length
        else:
            second = min(2.0 * length, above) if above > below else -min(2.0 * length, below)
            first = 0.5 * second
        (step1, rise1), (step2, rise2) = moved(i, first), moved(i, second)
        # The slope at 0 of the parabola through (0, 0), (step1, rise1), (step2, rise2).
        result[i] = (rise1 / step1 * step2 - rise2 / step2 * step1) / (step2 - step1)
    return result
