"""Learning-rate schedules of one length, for studies that compare them."""

from __future__ import annotations

from collections.abc import Callable

from adamas import schedules
from adamas.schedules import Schedule

TIMETABLES: dict[str, Callable[[float, int], Schedule]] = {
    "constant": lambda lr, steps: schedules.constant(lr),
    "exponential": lambda lr, steps: schedules.exponential(lr, rate=0.01, every=steps),
    "piecewise": lambda lr, steps: schedules.multistep(lr, at=(steps // 2, 3 * steps // 4)),
    "1/t": lambda lr, steps: schedules.inverse_time(lr, rate=99.0, every=steps),
    "cosine": lambda lr, steps: schedules.cosine(lr, steps),
    "stable-decay": lambda lr, steps: schedules.wsd(
        lr, warmup=steps // 20, stable=steps - steps // 20 - steps // 5, decay=steps // 5
    ),
}
"""By name, a schedule of (peak rate, steps). Exponential and 1/t end at a hundredth of their start."""
