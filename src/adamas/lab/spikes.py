"""Spikes in a loss curve: one-sided and robust, so that neither noise nor a falling loss raises an alarm."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

WINDOW = 15
THRESHOLD = 6.0
# 1.4826 times the median absolute deviation estimates the standard deviation of a normal distribution
MAD_TO_SIGMA = 1.4826
SMALLEST_CHANGE = 1e-6


def find_spikes(losses: Sequence[float], window: int = WINDOW, threshold: float = THRESHOLD) -> list[int]:
    """Places where the loss jumps up, far outside of what it did before.

    A value counts when it lies more than `threshold` robust standard deviations above the median of the
    `window` values before it and above its predecessor. Rises below a millionth of the median are rounding.
    A jump that lasts several evaluations counts once, at its beginning; an infinite value counts too.

    Args:
        losses: In the order of the steps, at even distances; NaN counts as infinite.
        window: Number of earlier values, 3 or more; the first `window` values are never judged.
        threshold: In standard deviations, positive.

    Returns:
        Indices into `losses`, ascending.

    Raises:
        ValueError: A window below 3 or a threshold that is not positive.
    """
    if window < 3 or not threshold > 0:
        raise ValueError(f"window = {window!r}, threshold = {threshold!r}: give 3 or more and a positive number")
    values = [math.inf if math.isnan(loss) else float(loss) for loss in losses]
    found: list[int] = []
    inside = False
    for i in range(window, len(values)):
        before = np.array(values[i - window : i])
        high = _stands_out(before, values[i], threshold)
        if high and not inside and values[i] > values[i - 1]:
            found.append(i)
        inside = high
    return found


def _stands_out(before: np.ndarray[tuple[int], np.dtype[np.float64]], value: float, threshold: float) -> bool:
    middle = float(np.sort(before)[len(before) // 2])
    if not math.isfinite(middle):
        return False
    deviation = float(np.sort(np.abs(before - middle))[len(before) // 2])
    scale = max(MAD_TO_SIGMA * deviation, SMALLEST_CHANGE * abs(middle))
    return value - middle > threshold * scale
