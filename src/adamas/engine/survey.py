"""What must be known of all gradients before a step: norms and non-finite elements.

Sums of squares are exact (see `cpu/templates.py`), so a norm has the same bits for any order of tensors, any splitting
and any number of threads. A square is exact or rounded to 53 bits, and never under- or overflows. Exact sums are kept
as whole multiples of 2**UNIT.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .cpu.templates import BLOCK, COUNT_BITS, SUM_HEAD, WORD_BITS
from .storage import Format

UNIT = -2400


class Met(NamedTuple):
    """What a step met.

    Attributes:
        nonfinite: a gradient that was not finite.
        overflow: new state that was not finite. With gradients that were, something overflowed: a square, for example.
    """

    nonfinite: bool
    overflow: bool

    def __or__(self, other: Met) -> Met:
        return Met(self.nonfinite or other.nonfinite, self.overflow or other.overflow)


MET = tuple(Met(bool(k & 1), bool(k & 2)) for k in range(4))
NOTHING = MET[0]
HARMLESS = 2**102 << -UNIT
"""Sum of squares, as whole multiples, below which state in float32 stays finite: no square reaches half a step of the
largest float32."""
SMALL = 20
"""Binary exponent of elements that need not be summed to know that: 2**60 of them do not make a norm of 2**50."""


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
        """The square root, rounded to float64; infinity where that cannot hold it."""
        if not self.finite:
            return self.other
        surplus = max(0, self.whole.bit_length() - 160)
        surplus += surplus & 1
        try:
            return math.ldexp(math.sqrt(float(self.whole >> surplus)), (surplus + UNIT) // 2)
        except OverflowError:
            return math.inf

    @staticmethod
    def of(value: float) -> Sum:
        """A float64 as a sum."""
        if not math.isfinite(value):
            return Sum(0, value)
        numerator, denominator = value.as_integer_ratio()
        return Sum((numerator << -UNIT) // denominator)


def small(storage: Format) -> int:
    """The bits of 2**SMALL in the compute type, without the sign."""
    return (SMALL + storage.exponent_bias) << storage.mantissa_bits


def lowest_bit(storage: Format) -> int:
    """Exponent of the last bit that the survey kernel keeps: nothing of the smallest square is below it."""
    return 2 * (2 - storage.mantissa_bits - storage.exponent_bias) - 3 * COUNT_BITS


def sum_words(storage: Format) -> int:
    """Words that the survey kernel leaves per item: room for a block of the largest squares."""
    highest = 2 * (storage.exponent_bias + 1) + BLOCK.bit_length()
    return SUM_HEAD + (highest - lowest_bit(storage)) // WORD_BITS + 3


def collect(results: NDArray[np.int64], storage: Format) -> Sum:
    """The sum over items that the survey kernel left, a row each."""
    top = int(results[:, 0].max(initial=0))
    if top:
        return Sum(0, math.inf if top == storage.infinity else math.nan)
    first, end = int(results[:, 1].min(initial=results.shape[1])), int(results[:, 2].max(initial=0))
    counts = results[:, SUM_HEAD + first : SUM_HEAD + end].sum(axis=0).tolist()
    whole = sum(count << WORD_BITS * k for k, count in enumerate(counts, first))
    return Sum(whole << lowest_bit(storage) - UNIT)


def coefficient(limit: float | None, norm: float) -> float:
    """What brings a norm down to its limit; 1 where there is none. A NaN norm makes everything NaN."""
    if limit is None or norm <= limit:
        return 1.0
    return limit / norm
