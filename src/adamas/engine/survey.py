"""What must be known of all gradients before a step: norms and non-finite elements.

Sums of squares are exact (see `cpu/templates.py`), so a norm has the same bits for any order of tensors, any splitting
and any number of threads. Exact sums are kept as whole multiples of 2**UNIT.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cpu.templates import BIN_BITS, BINS
from .storage import Format

UNIT = -2400


@dataclass(frozen=True)
class Sum:
    """A sum of squares: a whole number times 2**UNIT, or what is not finite (infinity or NaN)."""

    whole: int = 0
    other: float = 0.0

    def __add__(self, more: Sum) -> Sum:
        return Sum(self.whole + more.whole, self.other + more.other)

    @property
    def finite(self) -> bool:
        return self.other == 0.0

    def root(self) -> float:
        """The square root, rounded to float64."""
        if not self.finite:
            return self.other
        surplus = max(0, self.whole.bit_length() - 160)
        surplus += surplus & 1
        return math.ldexp(math.sqrt(float(self.whole >> surplus)), (surplus + UNIT) // 2)

    @staticmethod
    def of(value: float) -> Sum:
        """A float64 as a sum."""
        if not math.isfinite(value):
            return Sum(0, value)
        numerator, denominator = value.as_integer_ratio()
        return Sum((numerator << -UNIT) // denominator)


def collect(results: NDArray[np.int64], shift: int, infinity: int) -> Sum:
    """The sum over items that the survey kernel left.

    Args:
        results: rows `magnitude, bin, count0, count1, count2`.
        shift: gradients were multiplied by 2**shift before squaring.
        infinity: magnitude of infinity in the compute type; above it is NaN.
    """
    top = int(results[:, 0].max(initial=0))
    if top >= infinity:
        return Sum(0, math.inf if top == infinity else math.nan)
    total = 0
    for place in np.unique(results[:, 1]).tolist():
        counts = results[results[:, 1] == place, 2:]
        for k in range(BINS):
            high, low = int((counts[:, k] >> 32).sum()), int((counts[:, k] & 0xFFFFFFFF).sum())
            exponent = BIN_BITS * (place - 1 - k) - UNIT - 2 * shift
            count = (high << 32) + low
            total += count << exponent if exponent >= 0 else count >> -exponent
    return Sum(total)


def coefficient(limit: float | None, norm: float) -> float:
    """What brings a norm down to its limit; 1 where there is none. A NaN norm makes everything NaN."""
    if limit is None or norm <= limit:
        return 1.0
    return limit / norm


def largest_exponent(results: NDArray[np.int64], storage: Format) -> int:
    """Binary exponent of the largest element, from the survey's magnitudes."""
    return int(results[:, 0].max(initial=0) >> storage.mantissa_bits) - storage.exponent_bias
