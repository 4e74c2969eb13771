"""From steps to targets to the curves that compare optimizers: expected running time, ECDF, performance profiles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .statistics import LEVEL

Floats = NDArray[np.float64]
WIDEST_RATIO = 4.0
SEED_RESAMPLES = 500


def expected_running_time(steps: Sequence[float], budget: int) -> float:
    """Steps spent by all runs for each one that reached the target (ERT).

    A run that missed the target counts with its whole budget, one that diverged too. Infinite without a success.
    Source: Hansen et al. (2021), COCO, section on runtime; Price (1997).

    Args:
        steps: Steps to the target of every run, infinity for a miss; at least one run.
        budget: Steps allowed, 1 or more.
    """
    if not steps or budget < 1:
        raise ValueError(f"{len(steps)} runs, budget = {budget!r}: give at least one run and a budget of 1 or more")
    reached = sum(math.isfinite(s) for s in steps)
    return sum(min(s, budget) for s in steps) / reached if reached else math.inf


def ecdf(costs: Sequence[float]) -> tuple[list[float], list[float]]:
    """Empirical distribution of costs: at each of the first numbers, the share of all costs at or below it.

    Args:
        costs: One per pair of a problem (or seed) and a target; infinity for a miss, which never counts.

    Returns:
        Ascending different finite costs, and the share reached at each.
    """
    if not costs or any(math.isnan(c) for c in costs):
        raise ValueError(f"costs = {list(costs)!r}: give at least one and no NaN (use inf for a miss)")
    places = sorted({c for c in costs if math.isfinite(c)})
    ordered = np.sort(np.asarray(costs, np.float64))
    return places, [float(n) / len(costs) for n in np.searchsorted(ordered, places, side="right")]


@dataclass(frozen=True)
class Profile:
    """Performance profile of one solver among others.

    Attributes:
        ratios: Ascending different ratios of the solver's cost to the lowest cost of anybody, 1 or more.
        shares: Share of the instances solved within each ratio.
    """

    ratios: list[float]
    shares: list[float]

    def area(self, widest: float = WIDEST_RATIO) -> float:
        """Mean height of the profile between the ratios 1 and `widest`: 1 for a solver that is always the fastest.

        Source: Dahl et al. (2023), AlgoPerf, section 4.3: the integral divided by its length.
        """
        places = [1.0, *(r for r in self.ratios if 1 < r < widest), widest]
        heights = [self.height(place) for place in places[:-1]]
        return sum(h * (b - a) for h, a, b in zip(heights, places, places[1:])) / (widest - 1)

    def height(self, ratio: float) -> float:
        """Share of the instances solved within `ratio` times the lowest cost."""
        return max((s for r, s in zip(self.ratios, self.shares, strict=True) if r <= ratio), default=0.0)


def performance_profiles(costs: Mapping[str, Sequence[float]]) -> dict[str, Profile]:
    """Performance profiles of Dolan and More (2002), equation (2.1).

    They are relative to the set of solvers given: adding a faster one lowers everybody else's. An instance
    that nobody solves stays in the denominator, so a height below 1 is honest.

    Args:
        costs: By solver, its cost on every instance in the same order: positive, infinity for a failure.
    """
    table = _table(costs)
    best = table.min(axis=0)
    profiles = {}
    for solver, row in zip(costs, table, strict=True):
        # where nobody succeeded the ratio is inf/inf: a failure
        ratios = np.divide(row, best, out=np.full_like(row, np.inf), where=np.isfinite(best))
        profiles[solver] = Profile(*ecdf(ratios.tolist()))
    return profiles


def _table(costs: Mapping[str, Sequence[float]]) -> Floats:
    lengths = {len(row) for row in costs.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise ValueError(f"{len(costs)} solvers on {sorted(lengths)} instances: give each solver all instances")
    table = np.array(list(costs.values()), np.float64)
    if not bool((table > 0).all()):
        raise ValueError("costs must be positive, and infinite for a failure; count a step that cost nothing as one")
    return table


def areas(table: Floats, widest: float = WIDEST_RATIO) -> Floats:
    """`Profile.area` of many tables at once, straight from the costs.

    One instance at ratio r adds (widest - r) / (widest - 1) to the integral, nothing from `widest` on.

    Args:
        table: Costs, shape (..., solvers, instances).
        widest: End of the integral.

    Returns:
        Shape (..., solvers).
    """
    best = table.min(axis=-2, keepdims=True)
    ratios = np.divide(table, best, out=np.full_like(table, np.inf), where=np.isfinite(best))
    gained: Floats = (np.clip(widest - ratios, 0, None) / (widest - 1)).mean(axis=-1)
    return gained


@dataclass(frozen=True)
class Areas:
    """Areas under the profiles with their 95 % bootstrap intervals over the seeds.

    Attributes:
        values: By solver: area, lower end, upper end.
        lead: The largest area and the next: both names, difference, lower and upper end; None for a solver alone.
    """

    values: dict[str, tuple[float, float, float]]
    lead: tuple[str, str, float, float, float] | None


def areas_over_seeds(
    groups: Sequence[Mapping[str, Floats]], *, resamples: int = SEED_RESAMPLES, seed: int = 0
) -> Areas:
    """Area of every solver's profile over medians, and how far chance in the seeds moves it.

    Args:
        groups: One per problem: by solver, positive steps of shape (targets, seeds), infinity for a miss.
            Within a problem all solvers have the same seeds in the same order; they are drawn together.
        resamples: Number of resamples.
        seed: Of the resampling.
    """
    solvers = list(groups[0])
    random = np.random.default_rng(seed)
    observed, drawn = [], []
    for group in groups:
        runs = np.stack([group[solver] for solver in solvers])  # solver, target, seed
        count = runs.shape[-1]
        chosen = random.integers(0, count, (resamples, count))
        observed.append(_medians(runs))
        drawn.append(_medians(np.moveaxis(runs[..., chosen], 2, 0)))  # resample, solver, target
    value = areas(np.concatenate(observed, axis=-1))
    cloud = areas(np.concatenate(drawn, axis=-1))
    low, high = _interval(cloud)
    order = sorted(range(len(solvers)), key=lambda i: -value[i])
    lead = None
    if len(solvers) > 1:
        a, b = order[:2]
        ends = _interval(cloud[:, a] - cloud[:, b])
        lead = (solvers[a], solvers[b], float(value[a] - value[b]), float(ends[0]), float(ends[1]))
    return Areas({s: (float(value[i]), float(low[i]), float(high[i])) for i, s in enumerate(solvers)}, lead)


def _medians(runs: Floats) -> Floats:
    """Median over the last axis; infinite as soon as an upper middle value is."""
    ordered = np.sort(runs, axis=-1)
    count = runs.shape[-1]
    middle: Floats = (ordered[..., (count - 1) // 2] + ordered[..., count // 2]) / 2
    return middle


def _interval(cloud: Floats) -> Floats:
    ends: Floats = np.quantile(cloud, [LEVEL / 2, 1 - LEVEL / 2], axis=0)
    return ends
