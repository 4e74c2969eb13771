"""Slopes of a problem along given directions: what its gradients say, and what its evaluation says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .base import Array, Params, Problem

COORDINATES = 12
"""Coordinates of every array that are checked one by one; whole arrays in random directions are checked besides."""
RANDOM = 3
NOISY_STEPS = 1000
NETWORK_STEPS = 100
"""Fewer for networks on data: every gradient is an average over a batch already, and costs more."""
BLOCKS = 20
ERRORS = 6.0
"""Standard errors of a noisy mean that are allowed."""


@dataclass(frozen=True)
class Direction:
    """A direction within one array of the parameters.

    Attributes:
        name: Of the array.
        step: The direction, of the array's shape.
        words: For messages.
    """

    name: str
    step: Array
    words: str


def directions(point: Params, *, single: bool) -> Iterator[Direction]:
    """Whole arrays in random directions, and single coordinates if wanted."""
    rng = np.random.default_rng(11)
    for name, value in point.items():
        for flat in rng.choice(value.size, min(value.size, COORDINATES), replace=False) if single else ():
            step = np.zeros(value.shape)
            step[np.unravel_index(flat, value.shape)] = 1.0
            yield Direction(name, step, f"{name}[{flat}]")
        for _ in range(RANDOM):
            yield Direction(name, rng.choice([-1.0, 1.0], value.shape), f"{name} in a random direction")


def claimed(problem: Problem, point: Params, along: list[Direction]) -> list[tuple[float, float]]:
    """Mean slope of the gradients at one point, and its doubt, for every direction.

    Exact gradients and cycles are averaged over one cycle, without doubt. Random ones are averaged over many steps;
    the doubt is some standard errors, taken from the means of blocks, because successive batches are not independent.
    """
    cycle = 1 if problem.noise_free else problem.cycle
    noisy = NOISY_STEPS if problem.best_known is None else NETWORK_STEPS
    steps = noisy if cycle is None else cycle
    gradient = problem.gradients(0, steps)
    found = np.empty((steps, len(along)))
    for step in range(steps):
        grads = gradient(point, step)
        found[step] = [np.sum(grads[one.name] * one.step) for one in along]
    means = found.mean(axis=0)
    if cycle is None:
        blocks = found.reshape(BLOCKS, -1, len(along)).mean(axis=1)
        doubts = ERRORS * blocks.std(axis=0, ddof=1) / math.sqrt(BLOCKS)
    else:
        doubts = np.zeros(len(along))
    return list(zip(means.tolist(), doubts.tolist(), strict=True))


def measured(problem: Problem, point: Params, along: Direction) -> tuple[float, float]:
    """Central difference of the evaluated training loss along a direction, and a bound on its error.

    The error of a difference over h goes with h², so it is about a third of what doubling h changes; rounding of the
    losses leaves their last digits, divided by h. Both are taken generously.
    """
    size = float(np.abs(point[along.name]).max()) or 1.0
    epsilon = np.finfo(np.float64).eps
    h = math.cbrt(epsilon) * size

    def loss(shift: float) -> float:
        return problem.evaluate({**point, along.name: point[along.name] + shift * along.step}).train

    losses = [loss(k * h) for k in (-2, -1, 1, 2)]
    near, wide = (losses[2] - losses[1]) / (2 * h), (losses[3] - losses[0]) / (4 * h)
    rounding = 30 * epsilon * (max(map(abs, losses)) + abs(problem.subtracted)) / h
    return near, abs(near - wide) + rounding


def lowest_nearby(problem: Problem, point: Params, *, dimensions: int = 20, evaluations: int = 800) -> float:
    """The lowest loss that SciPy finds from a point, in a random subspace, without our gradients."""
    from scipy.optimize import minimize

    names = list(point)
    sizes = [point[name].size for name in names]
    total = sum(sizes)
    rng = np.random.default_rng(13)
    if total <= dimensions:
        basis = np.eye(total)
    else:
        basis = np.linalg.qr(rng.standard_normal((total, dimensions)))[0]

    def value(coordinates: Any) -> float:
        parts = np.split(basis @ coordinates, np.cumsum(sizes)[:-1])
        moved = {n: point[n] + part.reshape(point[n].shape) for n, part in zip(names, parts, strict=True)}
        loss = problem.evaluate(moved).train
        return loss if math.isfinite(loss) else 1e300

    method, budget = ("L-BFGS-B", "maxfun") if problem.smooth else ("Powell", "maxfev")
    found = minimize(value, np.zeros(basis.shape[1]), method=method, options={budget: evaluations})
    return float(found.fun)
