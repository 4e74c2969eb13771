"""Where a woken thread runs: not on the processor of the thread that wakes it.

Linux may wake a thread on the processor of its waker, although others are idle; behind a caller that computes it then
sleeps through the whole step. Elsewhere than on Linux nothing is done.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache


@cache
def _current() -> Callable[[], int] | None:
    """`sched_getcpu` of the C library, if there is one."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    try:
        return ctypes.CDLL(None).sched_getcpu
    except (OSError, AttributeError):
        return None


class Placement:
    """The processors that one thread may be woken on.

    Args:
        thread: native identity of the thread.
    """

    def __init__(self, thread: int):
        self.thread = thread
        self.current = _current()
        self.allowed = os.sched_getaffinity(0) if self.current is not None else set()
        self.avoided = -1

    def keep_off_caller(self) -> None:
        """Let the thread run on any allowed processor but the caller's."""
        if self.current is None or len(self.allowed) < 2:
            return
        here = self.current()
        if here == self.avoided or here not in self.allowed:
            return
        try:
            os.sched_setaffinity(self.thread, self.allowed - {here})
            self.avoided = here
        except OSError:  # not permitted here: the system places the thread as it likes
            self.current = None
