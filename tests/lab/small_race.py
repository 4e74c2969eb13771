"""What the tests of the laboratory share: the command line in this process, and one small race."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from adamas.lab.commands import adamas as command
from adamas.lab.records import Run

RULE = """\
import adamas


@adamas.rule(adaptive="no", momentum="no")
def plain(p, g, *, lr=0.05):
    "Steepest descent, written by a user."
    return p - lr * g
"""
GRID = (0.003, 0.03, 0.3)
STEPS = 40
SEEDS = 6


def invoke(*words: str | Path) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(command, [str(word) for word in words])


@dataclass(frozen=True)
class SmallRace:
    """What the race left behind."""

    folder: Path
    rule_file: Path
    result: Result
    json: dict[str, Any]
    runs: list[Run]


def race_words(rule_file: Path) -> list[str]:
    """Arguments of the small race, without --out."""
    grid = ",".join(map(str, GRID))
    return [
        "compare", "digits-softmax", "t0-bowl", "--optimizers", f"SGD,adam,{rule_file}:plain",
        "--steps", str(STEPS), "--seeds", str(SEEDS), "--lr-grid", grid,
    ]  # fmt: skip
