"""A plan over NumPy arrays that knows whether it still serves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engine import Engine
from ..plan import Row
from .peek import Peek
from .peek import available as can_peek
from .plan import CpuPlan


class WatchedPlan(CpuPlan):
    """A `CpuPlan` that lasts, where no row is copied and arrays can be looked at (see `peek`)."""

    def __init__(self, engine: Engine, rows: list[Row], groups: list[int]):
        super().__init__(engine, rows, groups)
        self.peek = Peek(rows, self.gradient_words()) if rows and not self.staged and can_peek() else None
        self.lasting = self.peek is not None
        if self.lasting:
            for row in rows:
                row.release()

    def holds(self, parameters: Sequence[Any], gradients: Sequence[Any]) -> bool:
        return self.peek is not None and self.peek.holds(parameters, gradients)
