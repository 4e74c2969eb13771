"""From the runs of a race to its profiles and distributions over all problems, for the summary."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .profiles import Floats, areas_over_seeds, ecdf, performance_profiles
from .records import Run
from .statistics import median, steps_to_target


@dataclass(frozen=True)
class Cell:
    """Steps to every target of one optimizer on one problem in one column.

    Attributes:
        steps: By seed, the steps to each target; infinity for a miss.
        budget: Steps allowed.
    """

    steps: dict[int, list[float]]
    budget: int

    @classmethod
    def of(cls, runs: Sequence[Run], targets: Sequence[float]) -> Cell:
        """From the evaluation runs."""
        found = {r.heading.seed: [steps_to_target(r.trial.steps, r.trial.valid, t) for t in targets] for r in runs}
        return cls(found, runs[0].heading.budget)

    def all(self) -> list[float]:
        """Steps of every pair of seed and target."""
        return [steps for row in self.steps.values() for steps in row]


Cells = Mapping[str, Mapping[str, Cell]]  # by problem, by label


def distribution(cell: Cell) -> dict[str, list[float]]:
    """ECDF of one problem over its (target, seed) pairs: ascending steps, and the share reached at each."""
    steps, shares = ecdf(cell.all())
    return {"steps": steps, "share": shares}


def overall_distribution(cells: Cells, label: str) -> dict[str, list[float]]:
    """ECDF over all (problem, target, seed), in shares of each problem's budget."""
    own = [by_label[label] for by_label in cells.values() if label in by_label]
    spent, shares = ecdf([steps / cell.budget for cell in own for steps in cell.all()])
    return {"budget_share": spent, "share": shares}


def race_profiles(cells: Cells, labels: Iterable[str], targets: Mapping[str, Sequence[float]]) -> dict[str, Any] | None:
    """Performance profiles of the optimizers that ran on every problem; None if there is no such optimizer.

    An instance is a problem with one of its targets; its cost is the median over the seeds that all of these
    optimizers have (a race that was killed has ragged ends), a target met at the start counts as one step.

    Args:
        cells: Of one column.
        labels: Optimizers in the order of the tables.
        targets: Of every problem, easiest first.
    """
    chosen = [label for label in labels if all(label in by_label for by_label in cells.values())]
    groups: list[dict[str, Floats]] = []
    instances: list[tuple[str, float]] = []
    costs: dict[str, list[float]] = {label: [] for label in chosen}
    for problem, by_label in cells.items():
        common = sorted(set.intersection(*(set(by_label[label].steps) for label in chosen))) if chosen else []
        if not common:
            continue
        group = {
            label: np.maximum(np.array([by_label[label].steps[seed] for seed in common], np.float64).T, 1.0)
            for label in chosen
        }
        groups.append(group)
        instances += [(problem, target) for target in targets[problem]]
        for label in chosen:
            costs[label] += [median(row) for row in group[label]]
    if not groups:
        return None
    areas = areas_over_seeds(groups)
    profiles = performance_profiles(costs)
    return {
        "reference_set": chosen,
        "instances": instances,
        "curves": {
            label: {"ratio": [r for r in profile.ratios if math.isfinite(r)], "share": profile.shares}
            for label, profile in profiles.items()
        },
        "area": {
            label: dict(zip(("value", "low", "high"), values, strict=True)) for label, values in areas.values.items()
        },
        "lead": None
        if areas.lead is None
        else dict(zip(("first", "second", "difference", "low", "high"), areas.lead, strict=True)),
    }
