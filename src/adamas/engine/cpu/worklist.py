"""The work list: which stretches of which tensors a kernel visits, cut into tasks of about equal bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..survey import MET, NOTHING, Met
from .pool import Kernel, Workers
from .templates import (
    BAD,
    DONE,
    FIRST_RANGE,
    GROUP_WORDS,
    ITEM_WORDS,
    ITEMS,
    RANGE_WORDS,
    RANGES,
    RESULTS,
    ROW_WORDS,
    ROWS,
    SCALARS,
    STARTS,
    TASKS,
)

MIN_TASK_BYTES, MAX_TASK_BYTES = 200_000, 1_500_000  # small enough to balance, large enough to stream
TASKS_PER_RANGE = 6


class WorkList:
    """Tables for one kernel over a set of rows.

    Args:
        sizes: elements of each row.
        groups: number of parameter groups.
        group_words: scalars per group.
        row_words: words per row.
        element_bytes: memory traffic per element, for balancing.
        result_words: words that a kernel leaves per item.
    """

    def __init__(
        self, sizes: Sequence[int], groups: int, group_words: int, row_words: int, element_bytes: int,
        result_words: int = 1,
    ):  # fmt: skip
        self.sizes = sizes
        self.element_bytes, self.result_words = element_bytes, result_words
        self.rows: NDArray[np.int64] = np.zeros((max(1, len(sizes)), row_words), np.int64)
        self.row_reals = self.rows.view(np.float64)
        self.scalars = np.zeros((groups, max(1, group_words)), np.float64)
        self.scalar_buffer = self.scalars.reshape(-1).view(np.uint8).data
        self.threads = 0

    def cut(self, threads: int, smallest: int) -> None:
        """Cut rows into items and tasks, and tasks into one contiguous range per thread; less than smallest for one."""
        total = sum(self.sizes) * self.element_bytes
        self.threads = threads
        ranges = threads if total >= smallest else 1
        goal = min(max(total // (ranges * TASKS_PER_RANGE), MIN_TASK_BYTES), MAX_TASK_BYTES)
        length = max(1, goal // self.element_bytes)
        items: list[tuple[int, int, int]] = []
        starts, filled = [0], 0
        for row, size in enumerate(self.sizes):
            for offset in range(0, size, length):
                if filled >= length:
                    starts.append(len(items))
                    filled = 0
                items.append((row, offset, min(length, size - offset)))
                filled += items[-1][2]
        if items:
            starts.append(len(items))
        tasks = len(starts) - 1
        self.ranges = max(1, min(ranges, tasks))
        self.items: NDArray[np.int64] = np.asarray(items, np.int64).reshape(-1, ITEM_WORDS)
        self.starts = np.asarray(starts, np.int64)
        self.results: NDArray[np.int64] = np.zeros((max(1, len(items)), self.result_words), np.int64)
        self.blocks: dict[Kernel, ControlBlock] = {}

    def run(self, kernel: Kernel, workers: Workers) -> Met:
        """Run a kernel over the list; returns what it met."""
        if self.threads != workers.threads:
            self.cut(workers.threads, workers.smallest)
        block = self.blocks.get(kernel)
        if block is None:
            block = self.blocks[kernel] = ControlBlock(self)
        workers.run(kernel, block.address, block.keep, self.ranges)
        found = block.words[BAD]
        return MET[bool(found & 0xFFFFFFFF) + 2 * (found > 0xFFFFFFFF)] if found else NOTHING


class ControlBlock:
    """What one kernel reads of a work list, and its counters.

    Every kernel has its own: a worker that comes late to one must not find the tasks of another.

    Attributes:
        address, words: the block; keep: all memory that a worker may read.
    """

    def __init__(self, work: WorkList):
        entries = [0] * (FIRST_RANGE + RANGE_WORDS * work.ranges)
        tables = {STARTS: work.starts, ITEMS: work.items, ROWS: work.rows, SCALARS: work.scalars, RESULTS: work.results}
        for place, table in tables.items():
            entries[place] = table.ctypes.data
        tasks = len(work.starts) - 1
        entries[TASKS], entries[RANGES] = tasks, work.ranges
        entries[ROW_WORDS], entries[GROUP_WORDS] = work.rows.shape[1], work.scalars.shape[1]
        bounds = [tasks * k // work.ranges for k in range(work.ranges + 1)]
        for k in range(work.ranges):
            place = FIRST_RANGE + RANGE_WORDS * k
            entries[place : place + 3] = bounds[k + 1], bounds[k], bounds[k + 1]
        entries[DONE] = tasks
        words: NDArray[np.int64] = np.array(entries, np.int64)
        self.address = int(words.ctypes.data)
        self.words = words.data
        self.keep: tuple[Any, ...] = (words, *tables.values())
