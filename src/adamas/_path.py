"""The path that `minimize` took, kept in one array while it is small enough."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

RECORD_BYTES: Final = 64 * 2**20
"""With `record=None` a path is kept if (steps + 1) * n float64 numbers take no more bytes than this."""


class Path:
    """Points of a path, stored once.

    Args:
        record: True to keep them, False not to, None to keep them while they are small (`RECORD_BYTES`).
        steps: largest number of steps.
        size: numbers per point.

    Raises:
        TypeError: `record` is something else.
    """

    def __init__(self, record: Any, steps: int, size: int) -> None:
        if record is not None and not isinstance(record, bool | np.bool_):
            raise TypeError(
                f"record={record!r} must be True, False, or None to keep a path of up to {RECORD_BYTES} bytes"
            )
        small = (steps + 1) * size * np.dtype(np.float64).itemsize <= RECORD_BYTES
        self.points: NDArray[Any] | None = None
        if record or (record is None and small):
            self.points = np.empty((min(steps + 1, 1024), size))
        self.most, self.count = steps + 1, 0

    def add(self, x: NDArray[Any]) -> None:
        """Keep a copy of a point."""
        if self.points is None:
            return
        room, size = self.points.shape
        if self.count == room:  # grown where it is: never a list and a stacked copy
            self.points.resize((min(self.most, 2 * room), size), refcheck=False)
        self.points[self.count] = x.ravel()
        self.count += 1

    def taken(self) -> NDArray[Any] | None:
        """The points so far, shape (count, n), or None if none were kept; nothing can be added afterwards."""
        if self.points is None:
            return None
        self.points.resize((self.count, self.points.shape[1]), refcheck=False)
        return self.points
