"""Learning rates tuned alike: one grid for everybody, the best by one number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import adamas

from ..statistics import steps_to_target
from ..surfaces import Surface


def grid(low: float, high: float, per_decade: int = 3) -> list[float]:
    """Learning rates evenly spaced in the logarithm, both ends included."""
    count = round(math.log10(high / low) * per_decade) + 1
    return [float(f"{rate:.3g}") for rate in np.geomspace(low, high, count)]


def best(scores: Mapping[float, Any]) -> float:
    """The rate with the lowest score: a number or a tuple of them, infinite for a failed run, never NaN."""
    return min(scores, key=lambda rate: scores[rate])


def on_surface(surface: Surface, name: str, lr: float, steps: int, **hyper: Any) -> adamas.MinimizeResult:
    """A member from the surface's start."""
    with np.errstate(all="ignore"):  # a run that diverges is a result
        return adamas.minimize(
            surface.value, surface.start, jac=surface.gradient, optimizer=name, lr=lr, steps=steps, **hyper
        )


def surface_steps(
    surface: Surface, name: str, rates: Sequence[float], steps: int, target: float
) -> dict[float, tuple[float, float]]:
    """By rate, the steps to the target, infinite where the budget ends first, and the last value."""
    found = {}
    for rate in rates:
        losses = on_surface(surface, name, rate, steps, record=False).losses
        last = float(losses[-1]) if np.isfinite(losses[-1]) else math.inf
        found[rate] = (steps_to_target(range(len(losses)), losses.tolist(), target), last)
    return found


def finite(value: float) -> float | None:
    """The number for JSON: None for infinity and NaN."""
    return value if math.isfinite(value) else None
