"""The problems test themselves: every check returns its defects in words; no words, no defect.

What is checked:

- targets: five or more, falling, all above the minimum.
- start: where the minimum is known, the loss at the start is at least 100 times the first target, for three seeds, both
  measured above the minimum. The validation loss of a network on data has a floor that nobody knows: there the hardest
  target lies at least 95 % of the way from the start to the best known loss, and no target is reached at the start. For
  a user's data only the latter is asked.
- gradient: at the start, beside it and half-way to the optimum the gradient is the slope of the *evaluated* loss, by
  central differences; with noise the mean of many gradients is, within the error of the mean. So success is measured on
  the whole objective without noise: a loss that leaves out parameters or data, or takes its arguments in another order
  than the gradient, has another slope.
- optimum: the loss there is 0, the slope vanishes (where it is continuous), and SciPy, started there and at the start
  and using no gradient of ours, finds nothing lower.
- expectations: optimizers that must pass reach their target with three seeds, those that must fail do so with none.
  Where local minima leave it to luck, and on a user's data, no pass need be declared. No run is better than the best
  known loss.
- families (see `families`): no more optimizers pass the harder members than the easier ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

import adamas

from ..statistics import steps_to_target
from ..trial import run_trial
from .base import Expected, Params, Problem
from .slopes import claimed, directions, lowest_nearby, measured

SEEDS = (0, 1, 2)
MARGIN = 100.0
LEARNING_MARGIN = 20.0


def check(problem: Problem) -> list[str]:
    """Every defect of a problem; empty if there is none."""
    checks: tuple[Callable[[Problem], list[str]], ...] = (
        check_targets,
        check_start,
        check_gradient,
        check_optimum,
        check_expectations,
    )
    with np.errstate(all="ignore"):  # a diverging run is a result
        return [defect for one in checks for defect in one(problem)]


def check_targets(problem: Problem) -> list[str]:
    """Five or more, falling, above the minimum."""
    defects = []
    targets = problem.targets
    if len(targets) < 5:
        defects.append(f"{len(targets)} targets; give five or more")
    if list(targets) != sorted(set(targets), reverse=True):
        defects.append(f"targets {targets} do not fall")
    lowest = problem.best_known or 0.0
    if targets[-1] <= lowest:
        defects.append(f"the last target {targets[-1]:g} is not above the lowest known loss {lowest:g}")
    return defects


def check_start(problem: Problem) -> list[str]:
    """Nothing is reached at the start, and by far; the same seed, the same start; another seed, another."""
    defects = []
    for seed in SEEDS:
        loss = problem.evaluate(problem.start(seed)).valid
        if not loss > problem.targets[0]:
            defects.append(
                f"seed {seed}: the loss at the start, {loss:g}, is not above the target {problem.targets[0]:g}"
            )
        if problem.best_known is None:
            margin, far, target = MARGIN, loss, problem.targets[0]
        elif "user" in problem.tags:
            continue  # nobody knows how far learning can go on a user's data
        else:
            margin, far, target = LEARNING_MARGIN, loss - problem.best_known, problem.targets[-1] - problem.best_known
        if not far >= margin * target:
            defects.append(
                f"seed {seed}: the start is {far:.4g} above the lowest loss, the target {target:.4g}; "
                f"the start must be {margin:g} times as far"
            )
    one, same, other = problem.start(0), problem.start(0), problem.start(1)
    if any(not np.array_equal(one[name], same[name]) for name in one):
        defects.append("one seed gives two starts")
    if all(np.array_equal(one[name], other[name]) for name in one):
        defects.append("two seeds give one start")
    return defects


def check_gradient(problem: Problem) -> list[str]:
    """The (mean) gradient is the slope of the whole objective without noise."""
    exact = problem.noise_free or problem.cycle is not None
    for label, point in _points(problem):
        along = list(directions(point, single=exact))
        for direction, (claim, doubt) in zip(along, claimed(problem, point, along), strict=True):
            found, error = measured(problem, point, direction)
            if not abs(found - claim) <= error + doubt:
                return [
                    f"{'' if problem.noise_free else 'mean '}gradient {label}, {direction.words}: {claim:.6g}, "
                    f"but the evaluated loss has the slope {found:.6g} (tolerance {error + doubt:.1g})"
                ]
    return []


def check_optimum(problem: Problem) -> list[str]:
    """The place has the loss 0 and no slope, and nothing lower is found."""
    place = problem.optimum()
    if place is None:
        return [] if problem.best_known is not None else ["neither an optimum nor a best known loss is declared"]
    start = problem.start(0)
    if {k: v.shape for k, v in place.items()} != {k: v.shape for k, v in start.items()}:
        return ["the optimum has other parameters than the start"]
    defects = []
    rounding = 1e-12 * (problem.evaluate(start).train + abs(problem.subtracted))
    lowest = problem.evaluate(place).train
    if not abs(lowest) <= rounding:
        defects.append(f"the loss at the optimum is {lowest:.6g}, not 0")
    if problem.smooth:
        along = list(directions(place, single=problem.noise_free))
        before = max(abs(slope) for slope, _ in claimed(problem, start, along))
        for direction, (slope, doubt) in zip(along, claimed(problem, place, along), strict=True):
            if not abs(slope) <= doubt + 1e-6 * max(before, 1e-3):
                defects.append(
                    f"the slope at the optimum is {slope:.3g}, {direction.words}; at the start up to {before:.3g}"
                )
                break
    for label, point in (("the optimum", place), ("the start", start)):
        found = lowest_nearby(problem, point)
        if found < -rounding - 1e-6 * problem.targets[-1]:
            defects.append(f"SciPy, started at {label}, finds the loss {found:.6g}, below the minimum 0")
    return defects


def check_expectations(problem: Problem) -> list[str]:
    """Declared passes reach their target with every seed, declared fails with none."""
    defects = []
    if not problem.passes and not {"local minima", "user"} & set(problem.tags):
        defects.append("no optimizer is declared to pass")
    lowest = math.inf
    for expected, wanted in (*((e, True) for e in problem.passes), *((e, False) for e in problem.fails)):
        for rate in expected.rates:
            reached = 0
            for seed in SEEDS:
                steps, losses = _losses(problem, expected, rate, seed)
                reached += math.isfinite(steps_to_target(steps, losses, expected.target))
                lowest = min(lowest, *(loss for loss in losses if not math.isnan(loss)))
            if reached != (len(SEEDS) if wanted else 0):
                word = "pass" if wanted else "fail"
                defects.append(
                    f"should {word}, but {reached} of {len(SEEDS)} seeds reach the target at lr {rate:g}: {expected}"
                )
    if problem.best_known is not None and lowest < problem.best_known:
        defects.append(
            f"a run reaches {lowest:.6g}, less than the best known loss {problem.best_known:g}; declare that"
        )
    return defects


def reaches(problem: Problem, expected: Expected, rate: float, seed: int) -> bool:
    """Whether a run stays at or below the target for three evaluations in a row, within the problem's budget."""
    return math.isfinite(steps_to_target(*_losses(problem, expected, rate, seed), expected.target))


def _losses(problem: Problem, expected: Expected, rate: float, seed: int) -> tuple[list[int], list[float]]:
    """Steps and validation losses of one run."""
    optimizer = adamas.get(expected.optimizer)(lr=rate, **expected.options)
    trial = run_trial(problem, optimizer, seed, problem.steps)
    return trial.steps, trial.valid


def _points(problem: Problem) -> Iterator[tuple[str, Params]]:
    """Where gradients are checked, in float64."""
    start: Params = {name: value.astype(np.float64) for name, value in problem.start(0).items()}
    rng = np.random.default_rng(10)
    yield "at the start", start
    yield (
        "beside the start",
        {k: v + 1e-2 * (np.abs(v).max() or 1.0) * rng.standard_normal(v.shape) for k, v in start.items()},
    )
    place = problem.optimum()
    if place is not None:
        yield "half-way to the optimum", {k: 0.5 * (v + place[k]) for k, v in start.items()}
