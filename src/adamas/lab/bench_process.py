"""One race in a process of its own, so that none meets the memory and the threads that another has left.

Usage: python -m adamas.lab.bench_process JOB (a `Job` as JSON)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from typing import Any

import adamas

from .errors import LabError


@dataclass(frozen=True)
class Job:
    """What a process is to measure.

    Attributes:
        suite: "engine" or "torch".
        race: name of one of its races.
        rule_path: FILE:NAME of a user's rule, or empty.
        quick: small arrays and few turns.
        repeats: turns of each contestant; None for as many as the race has by itself.
    """

    suite: str = "engine"
    race: str = ""
    rule_path: str = ""
    quick: bool = False
    repeats: int | None = None


def rows_of(job: Job) -> list[dict[str, Any]]:
    """Run a race in a fresh process and return its rows.

    Raises:
        LabError: the race failed; the text is its last line.
    """
    done = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps(asdict(job))],
        capture_output=True,
        text=True,
        env={**os.environ, "ADAMAS_NUM_THREADS": str(adamas.get_num_threads())},
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise LabError(said[-1] if said else f"{job.race}: the process failed.")
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def user_class(rule_path: str) -> type[adamas.Optimizer]:
    """The class of a user's rule; without a path, of the example.

    Raises:
        ValueError: no such file or rule.
    """
    if rule_path:
        return adamas.get(rule_path)
    from .example_rule import grams

    return adamas.optimizer(grams)


def main() -> None:
    """Entry point of the process."""
    from .benchmark import run_case, suite

    job = Job(**json.loads(sys.argv[1]))
    (case,) = [c for c in suite(job.suite, user_class(job.rule_path), job.quick) if c.name == job.race]
    try:
        rows = run_case(case if job.repeats is None else replace(case, turns=job.repeats))
    except LabError as error:
        sys.exit(str(error))
    json.dump([asdict(row) for row in rows], sys.stdout)


if __name__ == "__main__":
    main()
