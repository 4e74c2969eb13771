"""One race in a process of its own, so that none meets the memory and the threads that another has left.

Usage: python -m adamas.lab.bench_process RACE RULE QUICK (RULE: FILE:NAME or empty; QUICK: 0 or 1)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import adamas

from .errors import LabError


def rows_of(race: str, rule_path: str, quick: bool) -> list[dict[str, Any]]:
    """Run a race in a fresh process and return its rows.

    Raises:
        LabError: the race failed; the text is its last line.
    """
    done = subprocess.run(
        [sys.executable, "-m", __name__, race, rule_path, str(int(quick))],
        capture_output=True,
        text=True,
        env={**os.environ, "ADAMAS_NUM_THREADS": str(adamas.get_num_threads())},
    )
    if done.returncode:
        raise LabError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"{race}: the process failed.")
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
    from .benchmark import cases, run_case

    race, rule_path, quick = sys.argv[1], sys.argv[2], sys.argv[3] == "1"
    (case,) = [c for c in cases(user_class(rule_path), quick) if c.name == race]
    try:
        rows = run_case(case)
    except LabError as error:
        sys.exit(str(error))
    json.dump([asdict(row) for row in rows], sys.stdout)


if __name__ == "__main__":
    main()
