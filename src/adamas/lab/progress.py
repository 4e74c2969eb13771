"""Progress on stderr: a bar on a terminal, a short line now and then elsewhere, nothing with --quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Counts runs; use as a context manager.

    Args:
        total: Number of runs.
        title: What is counted, for the line without a terminal.
        quiet: Print nothing at all.
        stream: stderr unless a test says otherwise.
        clock: Seconds, for tests.
    """

    def __init__(
        self,
        total: int,
        title: str,
        *,
        quiet: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = total
        self.title = title
        self.done = 0
        self._stream = stream if stream is not None else sys.stderr
        self._quiet = quiet
        self._clock = clock
        self._began = self._last = clock()
        self._bar = None
        if not quiet and self._stream.isatty():
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=Console(file=self._stream),
                transient=True,
            )
            self._task = self._bar.add_task(title, total=total)

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, what: str, count: int = 1) -> None:
        """`count` more runs are done; `what` was the last."""
        self.done += count
        if self._bar is not None:
            self._bar.update(self._task, advance=count, description=f"{what:<28}")
            return
        now = self._clock()
        if not self._quiet and now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            print(
                f"{self.title}: {self.done}/{self.total}, {what}, {now - self._began:.0f} s",
                file=self._stream,
                flush=True,
            )
