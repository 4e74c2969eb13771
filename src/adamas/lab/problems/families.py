"""Families of problems that differ in one number, which makes them harder; the self-test holds them to that."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .. import landscapes
from ..surfaces import SURFACES
from .adversarial import LabelImbalance
from .base import Expected, Problem
from .bowls import illcond, illcond_rotated, layer_scale
from .changing import Circling, Delayed, MovingTarget
from .noisy import heavy_noise, white_noise
from .selftest import reaches
from .surface_problem import SurfaceProblem

RATES = (1e-3, 1e-2, 0.1, 1.0)
REFERENCES = ("sgd", "momentum", "adam")
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Family:
    """Problems from easy to hard.

    Attributes:
        name: Of the family.
        parameter: What makes it harder, in words.
        levels: Values of the parameter, easiest first.
        make: The problem of a level.
        target: Which of the problem's targets counts, 0 for the easiest.
    """

    name: str
    parameter: str
    levels: tuple[float, ...]
    make: Callable[[float], Problem]
    target: int = 0


def plateau(sharpness: float) -> SurfaceProblem:
    """The pit in a plain with another sharpness."""
    value, gradient = landscapes.plateau(sharpness)
    name = f"plateau-{sharpness:g}"
    surface = dataclasses.replace(SURFACES["plateau"], name=name, value=value, gradient=gradient)
    return SurfaceProblem(surface)


FAMILIES = (
    Family("illcond", "condition", (1e1, 1e2, 1e4, 1e6), lambda kappa: illcond(kappa=kappa)),
    Family("illcond-rotated", "condition", (1e1, 1e2, 1e4), lambda kappa: illcond_rotated(kappa=kappa), 1),
    Family("layer-scale", "decades between layers", (0.5, 1, 2, 3), lambda decades: layer_scale(decades=decades)),
    Family("plateau", "sharpness", (2, 6, 12, 18), plateau, 1),
    Family("white-noise", "deviation", (0.3, 1, 3), lambda deviation: white_noise(deviation=deviation)),
    Family(
        "heavy-noise", "inverse degrees of freedom", (1 / 3, 1 / 1.5, 1 / 1.1), lambda i: heavy_noise(degrees=1 / i)
    ),
    Family("oscillating", "period", (4, 20, 100, 500), lambda period: Circling(period=int(period)), 1),
    Family(
        "moving-target", "turns in 4000 steps", (1, 10, 40), lambda turns: MovingTarget(period=int(4000 / turns)), 1
    ),
    Family("delay", "steps", (0, 4, 16, 64, 256), lambda delay: Delayed(delay=int(delay))),
    Family("label-imbalance", "groups", (3, 5, 6), lambda groups: LabelImbalance(groups=int(groups))),
)


def pass_counts(family: Family) -> list[int]:
    """How many runs reach the target on every level: three optimizers, four rates, three seeds."""
    counts = []
    with np.errstate(all="ignore"):
        for level in family.levels:
            problem = family.make(level)
            target = problem.targets[family.target]
            counts.append(
                sum(
                    reaches(problem, Expected(optimizer, (rate,), target), rate, seed)
                    for optimizer in REFERENCES
                    for rate in RATES
                    for seed in SEEDS
                )
            )
    return counts


def check_family(family: Family) -> list[str]:
    """Defects of a family: more passes on a harder level, or no difference between the easiest and the hardest."""
    return judge(family, pass_counts(family))


def judge(family: Family, counts: Sequence[int]) -> list[str]:
    """The same from counts."""
    runs = len(REFERENCES) * len(RATES) * len(SEEDS)
    defects = [
        f"{family.parameter} {hard:g} is passed by {more} of {runs} runs, the easier {easy:g} by {fewer}"
        for easy, hard, fewer, more in zip(family.levels, family.levels[1:], counts, counts[1:])
        if more > fewer
    ]
    if counts[-1] >= counts[0]:
        defects.append(
            f"{family.parameter} {family.levels[-1]:g} is not harder than {family.levels[0]:g}: "
            f"{counts[-1]} and {counts[0]} of {runs} runs pass"
        )
    return defects
