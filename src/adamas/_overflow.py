"""Whether the state of an optimizer has overflowed although the gradients were finite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .numpy import Optimizer

LARGE: Final = 1e75
"""Fourth powers of gradients up to this are finite; larger ones have the state looked at."""


class OverflowWatch:
    """Tells after each step whether a state slot is no longer finite.

    The optimizer's own counter is read where it has one (`counters["overflow"]`). Otherwise the state of one of our own
    is looked at, at the first step and after gradients above `LARGE`. A foreign optimizer without the counter is not
    watched.

    Args:
        optimizer: that makes the steps.
    """

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.count = self._counter()
        self.first = True

    def __call__(self, grad: NDArray[Any]) -> bool:
        """Whether the step that was just made with these finite gradients met an overflow."""
        count = self._counter()
        if count is not None:
            new, self.count = count > (self.count or 0), count
            return new
        suspicious = self.first or max(float(grad.max()), -float(grad.min())) > LARGE
        self.first = False
        return suspicious and isinstance(self.optimizer, Optimizer) and not _finite(self.optimizer)

    def _counter(self) -> int | None:
        counters = getattr(self.optimizer, "counters", None)
        return counters.get("overflow") if isinstance(counters, Mapping) else None


def _finite(optimizer: Optimizer) -> bool:
    return all(np.isfinite(slot).all() for slots in optimizer.state_dict()["state"].values() for slot in slots.values())
