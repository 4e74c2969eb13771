"""Threads of our own around kernels that release the GIL: no OpenMP, no Numba threading layer.

A worker sleeps on a lock; a step wakes it, and it takes tasks from the same atomic counters as the caller. The
caller never waits for a worker to wake, only for tasks that a worker has taken. After a fork the child starts
without workers and makes its own when it needs them.
"""

from __future__ import annotations

import _thread
import os
import threading
from collections.abc import Callable
from typing import Any

Kernel = Callable[[int, int, int], Any]
RESET_AND_RUN, RESET, RUN = 1, 2, 0


class _Worker:
    def __init__(self, index: int):
        self.index = index
        self.job: tuple[Kernel, int, object] | None = None
        self.wake = _thread.allocate_lock()
        self.wake.acquire()
        threading.Thread(target=self._loop, name=f"adamas-{index}", daemon=True).start()

    def _loop(self) -> None:
        while True:
            self.wake.acquire()
            job = self.job
            if job is not None:
                kernel, address, _owner = job  # the owner keeps the control block alive while the kernel reads it
                kernel(address, self.index, RUN)
            del job

    def call(self, job: tuple[Kernel, int, object]) -> None:
        self.job = job
        if self.wake.locked():
            self.wake.release()


class Pool:
    """The process's workers. One step at a time uses them; a step that finds them busy runs on its own thread."""

    def __init__(self) -> None:
        self.forget()
        self.threads = _default_threads()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Drop all workers (in a forked child they do not exist)."""
        self.workers: list[_Worker] = []
        self.busy = _thread.allocate_lock()

    def run(self, kernel: Kernel, address: int, owner: object, ranges: int) -> None:
        """Run a work list to its end.

        Args:
            kernel: compiled `run`.
            address: of the control block.
            owner: object that keeps the control block alive.
            ranges: number of threads that the work list was cut for.
        """
        if ranges == 1 or not self.busy.acquire(blocking=False):
            kernel(address, 0, RESET_AND_RUN)
            return
        try:
            while len(self.workers) < ranges - 1:
                self.workers.append(_Worker(len(self.workers) + 1))
            kernel(address, 0, RESET)
            job = (kernel, address, owner)
            for worker in self.workers[: ranges - 1]:
                worker.call(job)
            kernel(address, 0, RUN)
        finally:
            self.busy.release()


def _default_threads() -> int:
    named = os.environ.get("ADAMAS_NUM_THREADS")
    if named is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return check_threads(named, "ADAMAS_NUM_THREADS")


def check_threads(value: object, name: str) -> int:
    """A number of threads, 1 to 1024.

    Raises:
        ValueError: anything else.
    """
    try:
        number = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        number = 0
    if not 1 <= number <= 1024 or isinstance(value, (bool, float)):
        raise ValueError(f"{name}={value!r} must be a whole number from 1 to 1024")
    return int(number)


POOL = Pool()
