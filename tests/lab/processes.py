"""The command line in a process of its own, which may kill or stop itself at a chosen place.

Killed from outside, it would be killed at some place or other, and on a busy machine perhaps after its end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from snapshots import SOURCE

MAIN = "from adamas.lab.cli import main; main()"
PYTHON = [sys.executable, "-c", MAIN]
AFTER_RUNS = """
import os
from adamas.lab.runfolder import RunFolder

plain, ended = RunFolder.event, []

def event(self, kind, **fields):
    plain(self, kind, **fields)
    if kind == "end":
        ended.append(kind)
        if len(ended) == {count}:
            os.kill(os.getpid(), {number})

RunFolder.event = event
"""
BEFORE_TRIAL = """
import os
from adamas.lab.sweep_search import Search

plain, finished = Search.finish, []

def finish(self, claim, trials):
    if len(finished) == {count}:
        os.kill(os.getpid(), {number})
    plain(self, claim, trials)
    finished.append(claim)

Search.finish = finish
"""
KILL = int(getattr(signal, "SIGKILL", signal.SIGTERM))
STOP = int(getattr(signal, "SIGSTOP", 0))


def environment() -> dict[str, str]:
    """Of a process that runs this source tree."""
    return {**os.environ, "PYTHONPATH": str(SOURCE), "COLUMNS": "80"}


def start(*words: str | Path, first: str = "") -> subprocess.Popen[bytes]:
    """Begin the command line.

    Args:
        words: Its arguments.
        first: A program to run before it, see `after_runs`.
    """
    command = [sys.executable, "-c", first + MAIN, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment())


def after_runs(count: int, number: int = KILL) -> str:
    """The process signals itself when so many runs are in its folder's records."""
    return AFTER_RUNS.format(count=count, number=number)


def in_trial(count: int, number: int = KILL) -> str:
    """The process signals itself when so many trials are in the database and another has been run."""
    return BEFORE_TRIAL.format(count=count, number=number)


def killed(*words: str | Path, first: str) -> None:
    """Run the command line until it has killed itself."""
    process = start(*words, first=first)
    said = process.communicate()[1].decode()
    assert process.returncode == (-KILL if sys.platform != "win32" else KILL), said
