"""The game in which Adam is misled: linear losses on [-1, 1], one steep among many gentle ones of the other sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from adamas import schedules

if TYPE_CHECKING:
    from ..trial import Stepper


@dataclass(frozen=True)
class Alternating:
    """The loss at step t is `steep * x` if t mod `period` is 1, else `-gentle * x`; its mean is least at x = -1.

    Source: Reddi, Kale & Kumar 2018, section 3 (steep 3, gentle 1, period 3) and section 5 (1010, 10, 101).
    """

    steep: float
    gentle: float
    period: int

    def play(self, optimizer: Stepper, steps: int) -> NDArray[np.float64]:
        """The point after each step, projected onto [-1, 1]; the first is 0.

        Shape (steps + 1,).
        """
        gradients = {True: np.array([self.steep]), False: np.array([-self.gentle])}
        x = np.zeros(1)
        points = np.zeros(steps + 1)
        for t in range(1, steps + 1):
            optimizer.step(x, gradients[t % self.period == 1])
            np.clip(x, -1, 1, out=x)
            points[t] = x[0]
        return points


SHORT = Alternating(3.0, 1.0, 3)
LONG = Alternating(1010.0, 10.0, 101)


def falling(lr: float) -> Any:
    """Lr / sqrt(t) at step t = 1, 2, ..., as the theorems ask for."""
    return schedules.inverse_sqrt(lr, timescale=1)


def thinned(points: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Steps evenly spaced on a logarithmic axis, and the points there: enough for a figure."""
    at = np.unique(np.geomspace(1, len(points) - 1, 400).astype(np.intp))
    return at, points[at]
