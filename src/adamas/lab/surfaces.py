"""Surfaces over two coordinates: definition, gradient, optimum, start and plot window, each in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import landscapes
from .errors import InputError
from .landscapes import Array

START_SPREAD = 0.05


@dataclass(frozen=True)
class Surface:
    """A function of two coordinates without noise.

    Attributes:
        name: Name on the command line.
        formula: The function in words for titles and tables.
        value: f(z) for z of shape (2,) or (2, ...): the second form evaluates a whole grid.
        gradient: The gradient, same shape as z.
        start: Where runs start by default.
        optimum: Where a minimum lies (one of them, where there are several); the minimum is 0 for all surfaces.
        window: ((x from, x to), (y from, y to)) of the contour plot.
        steps: Steps of a run unless the user says otherwise.
        targets: Values to be reached, easiest first; the value at the start is at least 100 times the first.
        source: Where the surface comes from.
        spread: How far a seed moves the start in each coordinate; None: 5 % of the window.
    """

    name: str
    formula: str
    value: Callable[[Array], Any]
    gradient: Callable[[Array], Array]
    start: tuple[float, float]
    optimum: tuple[float, float]
    window: tuple[tuple[float, float], tuple[float, float]]
    steps: int
    targets: tuple[float, ...]
    source: str
    spread: tuple[float, float] | None = None

    @property
    def start_spread(self) -> Array:
        """Largest shift of the start by a seed, per coordinate."""
        if self.spread is not None:
            return np.asarray(self.spread)
        spread: Array = START_SPREAD * np.ptp(np.asarray(self.window), axis=1)
        return spread


SMALL = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)

SURFACES: dict[str, Surface] = {
    surface.name: surface
    for surface in (
        Surface(
            "rosenbrock",
            "(1 - x)² + 100 (y - x²)²",
            landscapes.rosenbrock,
            landscapes.rosenbrock_gradient,
            start=(-1.2, 1.0),
            optimum=(1.0, 1.0),
            window=((-2.0, 2.0), (-1.0, 3.0)),
            steps=2000,
            targets=SMALL,
            source="H. H. Rosenbrock, The Computer Journal 3 (1960) 175",
        ),
        Surface(
            "t0-bowl",
            "x²/20 + y²",
            *landscapes.bowl(1 / 20, 1.0),
            start=(-7.0, 2.0),
            optimum=(0.0, 0.0),
            window=((-10.0, 10.0), (-5.0, 5.0)),
            steps=500,
            targets=SMALL,
            source="the bowl of the optimizer tutorials: curvatures 1/10 and 2",
        ),
        Surface(
            "quadratic",
            "(x² + 100 y²)/2",
            *landscapes.bowl(0.5, 50.0),
            start=(-4.0, 1.0),
            optimum=(0.0, 0.0),
            window=((-5.0, 5.0), (-1.5, 1.5)),
            steps=500,
            targets=(0.1, *SMALL),
            source="ill-conditioned: curvatures 1 and 100",
        ),
        Surface(
            "beale",
            "(1.5 - x + xy)² + (2.25 - x + xy²)² + (2.625 - x + xy³)²",
            landscapes.beale,
            landscapes.beale_gradient,
            start=(1.0, 1.5),
            optimum=(3.0, 0.5),
            window=((0.0, 4.5), (-1.0, 2.0)),
            steps=2000,
            targets=SMALL,
            source="E. M. L. Beale, On an iterative method for finding a local minimum, Princeton 1958",
        ),
        Surface(
            "himmelblau",
            "(x² + y - 11)² + (x + y² - 7)²",
            landscapes.himmelblau,
            landscapes.himmelblau_gradient,
            start=(0.0, 0.0),
            optimum=(3.0, 2.0),
            window=((-6.0, 6.0), (-6.0, 6.0)),
            steps=1000,
            targets=(1.0, 0.1, 1e-2, 1e-3, 1e-4),
            source="D. M. Himmelblau, Applied Nonlinear Programming, 1972; four minima, each counts",
        ),
        Surface(
            "saddle",
            "x² - y² + y⁴/4 + 1",
            landscapes.saddle,
            landscapes.saddle_gradient,
            start=(1.0, 1e-8),
            optimum=(0.0, float(np.sqrt(2))),
            window=((-1.5, 1.5), (-2.2, 2.2)),
            steps=1000,
            targets=SMALL,
            source="a strict saddle, entered a hair beside its ridge",
            spread=(0.15, 0.0),
        ),
        Surface(
            "monkey-saddle",
            "x³ - 3xy² + (x² + y²)²/4 + 27/4",
            landscapes.monkey_saddle,
            landscapes.monkey_saddle_gradient,
            start=(0.02, 0.01),
            optimum=(-3.0, 0.0),
            window=((-4.0, 3.0), (-3.5, 3.5)),
            steps=1000,
            targets=SMALL,
            source="three valleys meet in a saddle without curvature; a quartic bowl holds them",
            spread=(0.005, 0.005),
        ),
        Surface(
            "plateau",
            "σ(6 (x² + y² - 1)) - σ(-6)",
            *landscapes.plateau(6.0),
            start=(1.5, 1.5),
            optimum=(0.0, 0.0),
            window=((-2.2, 2.2), (-2.2, 2.2)),
            steps=1000,
            targets=(5e-3, 1e-3, 1e-4, 1e-5, 1e-6),
            source="a pit in a plain: the slope at the start is 1e-8, what counts is the sign",
            spread=(0.05, 0.05),
        ),
        Surface(
            "cliff",
            "(x² + y²)/2 + exp(2|x|) - 1 - 2|x|",
            *landscapes.cliff(2.0),
            start=(3.0, 2.0),
            optimum=(0.0, 0.0),
            window=((-3.5, 3.5), (-3.5, 3.5)),
            steps=1000,
            targets=SMALL,
            source="exploding gradients: 800 at the start, 5 per unit at the bottom",
        ),
        Surface(
            "rastrigin",
            "x² + y² + 10 (2 - cos 2πx - cos 2πy)",
            landscapes.rastrigin,
            landscapes.rastrigin_gradient,
            start=(3.3, -2.4),
            optimum=(0.0, 0.0),
            window=((-5.12, 5.12), (-5.12, 5.12)),
            steps=1000,
            targets=(0.1, *SMALL),
            source="L. A. Rastrigin 1974; local minima: luck decides, no ground for a ranking",
        ),
        Surface(
            "ackley",
            "20 (1 - exp(-r/5)) + e - exp((cos 2πx + cos 2πy)/2)",
            landscapes.ackley,
            landscapes.ackley_gradient,
            start=(2.6, -3.4),
            optimum=(0.0, 0.0),
            window=((-5.0, 5.0), (-5.0, 5.0)),
            steps=1000,
            targets=(0.05, 2e-2, *SMALL),
            source="D. H. Ackley 1987; local minima and a tip: luck decides, no ground for a ranking",
        ),
    )
}


def get_surface(name: str) -> Surface:
    """The surface of that name.

    Raises:
        InputError: There is none; the text lists the names.
    """
    try:
        return SURFACES[name.lower()]
    except KeyError:
        raise InputError(f"unknown surface {name!r}; choose one of: {', '.join(SURFACES)}") from None
