"""What the figures of a big race show: lines that an eye can follow, files that open. Tables always hold everything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

MOST_DRAWN = 12  # optimizers in one figure
MOST_PROBLEMS = 12  # with every figure of every problem


def drawn(problem: dict[str, Any], labels: Sequence[str], reference: str) -> list[str]:
    """The optimizers in the figures of one problem: all, or of many the reference and the best.

    Best: lowest median of the final loss with the learning rate tuned (or in the first column that has runs), then
    fewest steps to the hardest target.

    Args:
        problem: Of the summary.
        labels: All optimizers, in the order of the tables.
        reference: Label of the reference.
    """
    columns = problem["columns"]
    cells = columns.get("tuned") or next(found for found in columns.values() if found)
    hardest = f"{problem['targets'][-1]:g}"
    floor = problem.get("floor", 0.0)

    def rank(label: str) -> tuple[float, float]:
        if label not in cells:
            return math.inf, math.inf
        cell = cells[label]
        return max(cell["valid_loss"]["median"], floor), cell["steps_to_target"][hardest]["median"]

    return _first(labels, reference, rank)


def drawn_overall(summary: dict[str, Any]) -> list[str]:
    """The optimizers in the figures of the whole race: all, or of many the reference and the largest profile areas."""
    profiles = summary["profiles"]
    found = profiles.get("tuned") or next(filter(None, profiles.values()), None)
    areas = found["area"] if found else {}

    def rank(label: str) -> tuple[float, float]:
        return (-areas[label]["value"] if label in areas else 1.0), 0.0

    return _first(list(summary["facts"]), summary["reference"], rank)


def _first(labels: Sequence[str], reference: str, rank: Any) -> list[str]:
    if len(labels) <= MOST_DRAWN:
        return list(labels)
    best = sorted(labels, key=lambda label: (label != reference, rank(label)))[:MOST_DRAWN]
    return [label for label in labels if label in best]


def is_big(summary: dict[str, Any]) -> bool:
    """Has the race too many problems for a file per problem and kind of figure?"""
    return len(summary["problems"]) > MOST_PROBLEMS
