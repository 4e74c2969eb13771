"""Numbers of 60 digits which carry a bound for the rounding error of the same calculation in float64.

The value says what the optimizer has to give; the bound says how near a float64 evaluation must come to
it, by Wilkinson's running error analysis: every operation adds one unit roundoff ``U`` of its result to
the errors that its operands bring with them. ``pow``, ``exp`` and ``log`` are taken to be right to one
unit in the last place (two roundoffs). A result that float64 holds exactly adds nothing.
"""

from __future__ import annotations

import mpmath  # type: ignore[import-untyped]

mpmath.mp.dps = 60
U = mpmath.mpf(2) ** -53
MARGIN = mpmath.mpf("1e-9")


class Num:
    """A value and an absolute bound for the error of its float64 counterpart."""

    __slots__ = ("error", "value")

    def __init__(self, value: float | mpmath.mpf, error: mpmath.mpf = 0) -> None:
        self.value = mpmath.mpf(value)
        self.error = mpmath.mpf(error)

    def __add__(self, other: Num | float) -> Num:
        b = _num(other)
        return _rounded(self.value + b.value, self.error + b.error)

    def __sub__(self, other: Num | float) -> Num:
        b = _num(other)
        return _rounded(self.value - b.value, self.error + b.error)

    def __mul__(self, other: Num | float) -> Num:
        b = _num(other)
        error = abs(self.value) * b.error + abs(b.value) * self.error
        return _rounded(self.value * b.value, error)

    def __truediv__(self, other: Num | float) -> Num:
        b = _num(other)
        z = self.value / b.value
        return _rounded(z, (self.error + abs(z) * b.error) / abs(b.value))

    def __radd__(self, other: float) -> Num:
        return _num(other) + self

    def __rsub__(self, other: float) -> Num:
        return _num(other) - self

    def __rmul__(self, other: float) -> Num:
        return _num(other) * self

    def __rtruediv__(self, other: float) -> Num:
        return _num(other) / self

    def __neg__(self) -> Num:
        return Num(-self.value, self.error)

    def __gt__(self, other: Num | float) -> bool:
        """Compare, and refuse inputs on which float64 could decide otherwise."""
        b = _num(other)
        gap = abs(self.value - b.value)
        exact = self.error == 0 and b.error == 0
        if not exact and gap <= MARGIN * max(abs(self.value), abs(b.value)):
            raise ValueError(f"unfair input: {self.value} against {b.value} is too near to decide")
        return bool(self.value > b.value)

    @property
    def relative(self) -> mpmath.mpf:
        """The error bound as a fraction of the value."""
        return self.error / abs(self.value) if self.value else self.error


def _num(x: Num | float) -> Num:
    return x if isinstance(x, Num) else Num(x)


def _rounded(z: mpmath.mpf, error: mpmath.mpf, ulps: int = 1) -> Num:
    if error == 0 and z.man.bit_length() <= 53:
        return Num(z)
    return Num(z, error + ulps * U * abs(z))


def sqrt(x: Num) -> Num:
    """The square root; of an exact zero, zero."""
    z = mpmath.sqrt(x.value)
    return _rounded(z, x.error / (2 * z) if x.error else mpmath.mpf(0))


def power(x: Num, y: Num | float) -> Num:
    """``x**y`` for a positive x."""
    e = _num(y)
    z = mpmath.power(x.value, e.value)
    error = abs(z) * (abs(e.value / x.value) * x.error + abs(mpmath.log(x.value)) * e.error)
    return _rounded(z, error, 2)


def exp(x: Num) -> Num:
    """The exponential function."""
    z = mpmath.exp(x.value)
    return _rounded(z, z * x.error, 2)


def log(x: Num) -> Num:
    """The natural logarithm."""
    return _rounded(mpmath.log(x.value), x.error / x.value, 2)


def absolute(x: Num) -> Num:
    """The absolute value."""
    return Num(abs(x.value), x.error)


def _chosen(a: Num, b: Num, value: mpmath.mpf) -> Num:
    """The chosen operand's error where the other cannot win in float64 either; else the larger of both."""
    if abs(a.value - b.value) > a.error + b.error:
        return a if a.value == value else b
    return Num(value, max(a.error, b.error))


def maximum(a: Num, b: Num) -> Num:
    """The larger; a tie needs no margin, either value will do."""
    return _chosen(a, b, max(a.value, b.value))


def minimum(a: Num, b: Num) -> Num:
    """The smaller; a tie needs no margin, either value will do."""
    return _chosen(a, b, min(a.value, b.value))


def sign(x: Num) -> Num:
    """1, -1, or zero for an exact zero."""
    if x.value == 0 and x.error == 0:
        return Num(0)
    if abs(x.value) * MARGIN <= x.error:
        raise ValueError(f"unfair input: the sign of {x.value} is not safe in float64")
    return Num(1 if x.value > 0 else -1)
