"""When `minimize` has arrived: what its tolerances claim of a point, and how each claim is shown."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._minimize_arguments import as_count
from ._objective import Objective, is_real
from ._proof import Point, falls, lines, projected, steeper, turns

Array = NDArray[Any]

SHARE: Final = 4  # a failed check is followed by steps that cost at least so many times as much
SLACK: Final = 2.0**-30  # by which a last point may exceed the lowest loss, relative to that
NOISE: Final = 1e-3  # part of a tolerance by which evaluations at one point may differ
REPEATS: Final = 2  # evaluations more at a point that is checked; one of a noisy fun agrees by luck once in 1000 runs


class Tolerances:
    """Watches the path, and when it has settled, tries to show that every tolerance given holds at its best point.

    Args:
        tol, ftol, xtol, gtol, window: as `minimize` takes them.
        objective: the function, with the bounds.
        steps: largest number of steps; after the last, a check is not put off.

    Attributes:
        any: whether a tolerance was given.
        unmet: in words, why nothing has been shown so far.
    """

    def __init__(
        self, tol: Any, ftol: Any, xtol: Any, gtol: Any, window: Any, objective: Objective, steps: int
    ) -> None:
        for name, value in (("tol", tol), ("ftol", ftol), ("xtol", xtol), ("gtol", gtol)):
            if value is not None and not (is_real(value) and 0.0 <= value < np.inf):
                raise ValueError(f"{name}={value!r} must be a finite number >= 0, or None to do without")
        self.ftol, self.xtol, self.gtol = (tol if value is None else value for value in (ftol, xtol, gtol))
        self.any = not (self.ftol is self.xtol is self.gtol is None)
        self.window = as_count("window", window, 1)
        self.objective, self.steps = objective, steps
        self.losses: deque[float] = deque(maxlen=self.window + 1)
        self.moves: deque[float] = deque(maxlen=self.window)
        self.origins: deque[Array] = deque(maxlen=2)
        self.noise, self.pause, self.spent = "", 0, 0
        self.unmet = "no tolerance was set"

    def arrived(self, best: Point, last: Point, before: Array | None) -> Point | None:
        """The point at which every tolerance was shown to hold, or None.

        Args:
            best: the point with the lowest loss.
            last: the last point of the path; both are finite.
            before: the point before it; None at the start.
        """
        if not self.any:
            return None
        if last.nit & (last.nit - 1) == 0:  # 0, 1, 2, 4, 8, ...: the last but one is from a quarter to half of the way
            self.origins.append(last.x.copy())
        self.losses.append(last.loss)
        if self.xtol is not None and before is not None:
            self.moves.append(float(np.abs(last.x - before).max()))
        if self.noise or (why := self._unsettled(last)) or (last.nit < self.pause and last.nit < self.steps):
            self.unmet = self.noise or why
            return None
        for point in (best, last) if last.loss <= best.loss + SLACK * abs(best.loss) else (best,):
            if self.gtol is None or self._slope(point.x, point.grad) <= self.gtol:
                return self._checked(point, last.nit)
        self.unmet = self._above_gtol
        return None

    def shown(self, point: Point) -> str:
        """What was shown of a point that `arrived` returned, in words."""
        if self._slope(point.x, point.grad):
            gradient = f"no entry of the projected gradient exceeds gtol={self.gtol:g}" if self.gtol is not None else ""
        else:
            gradient = "the projected gradient is zero"
        words = {
            "no point tried lowers the loss by more than ftol": self.ftol,
            "the loss stops falling within xtol": self.xtol,
        }
        others = [f"{text}={v:g}" for text, v in words.items() if v is not None]
        return "At x " + ", and ".join([gradient, *others] if gradient else others) + "."

    def _unsettled(self, last: Point) -> str:
        """How the last steps moved farther than `ftol` or `xtol` allow: cheap to see, and no proof."""
        if (self.ftol is not None or self.xtol is not None) and last.nit < self.window:
            return f"they are fewer than window={self.window}"
        if self.ftol is not None and not max(self.losses) - min(self.losses) <= self._drop(last.loss):
            return f"the losses of the last {self.window} steps differ by more than ftol={self.ftol:g}"
        if self.xtol is not None and not max(self.moves) <= self.xtol:
            return f"one of the last {self.window} steps was longer than xtol={self.xtol:g}"
        return ""

    @property
    def _above_gtol(self) -> str:
        return f"at x an entry of the projected gradient exceeds gtol={self.gtol:g}"

    def _checked(self, point: Point, nit: int) -> Point | None:
        objective = self.objective
        before = objective.nfev + objective.njev
        self.unmet = self._refuted(point)
        if not self.unmet:
            return point
        cost = objective.nfev + objective.njev - before
        self.pause = nit + 1 + SHARE * cost * (nit + 1) // (before - self.spent)
        self.spent += cost
        return None

    def _refuted(self, point: Point) -> str:
        """Which tolerance does not hold at the point; evaluates it again, and tries the lines through it."""
        objective = self.objective
        higher = point
        for _ in range(REPEATS):
            loss, grad = objective.or_nan(point.x)
            self.noise = self._noise(point, loss, grad)
            if self.noise:
                return self.noise
            if self.gtol is not None and not self._slope(point.x, grad) <= self.gtol:
                return self._above_gtol
            higher = higher._replace(loss=max(higher.loss, loss))
        if self._hides_a_slope(higher):
            return f"finite differences are zero at x, but longer ones exceed gtol={self.gtol:g}"
        if self.ftol is None and self.xtol is None:
            return ""
        for line in lines(objective, higher, self.origins[0]):
            if self.ftol is not None and falls(objective, higher, line, self._drop(point.loss)):
                return f"a point tried from x lowers the loss by more than ftol={self.ftol:g}"
            if self.xtol is not None and not turns(objective, point, line, self.xtol):
                return f"the loss still falls at a distance of xtol={self.xtol:g} from x"
        return ""

    def _hides_a_slope(self, point: Point) -> bool:
        """Whether finite differences are zero by rounding only."""
        if self.gtol is None or not isinstance(self.objective.jac, str) or self._slope(point.x, point.grad):
            return False
        tried = lines(self.objective, point, self.origins[0])
        return any(steeper(self.objective, point, line, self.gtol) for line in tried)

    def _noise(self, point: Point, loss: float, grad: Array) -> str:
        """How another evaluation differs too much from the first for anything to be claimed."""
        differ = []
        if self.ftol is not None and not abs(loss - point.loss) <= NOISE * self._drop(point.loss):
            differ.append(f"the loss {point.loss:.17g} and then {loss:.17g}")
        limit = self._slope(point.x, point.grad)
        if self.gtol is not None:
            limit = self.gtol if self.xtol is None else min(limit, self.gtol)
        apart = np.abs(grad - point.grad)
        if not (
            apart <= NOISE * np.maximum(limit, np.abs(point.grad))
        ).all():  # of an entry that a bound holds, the sign
            differ.append(f"gradients that differ by {apart.max():.3g}")
        return f"fun is noisy, so nothing can be shown: at one point it gave {' and '.join(differ)}" if differ else ""

    def _slope(self, x: Array, grad: Array) -> float:
        return float(np.abs(projected(self.objective, x, grad)).max())

    def _drop(self, loss: float) -> float:
        return float(self.ftol) * max(1.0, abs(loss))
