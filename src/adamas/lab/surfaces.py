"""Surfaces over two coordinates: definition, gradient, optimum, start and plot window, each in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Surface:
    """A function of two coordinates without noise.

    Attributes:
        name: Name on the command line.
        formula: The function in words for titles and tables.
        value: f(z) for z of shape (2,) or (2, ...): the second form evaluates a whole grid.
        gradient: The gradient, same shape as z.
        start: Where runs start by default.
        optimum: Where the minimum lies; the minimum is 0 for all of them.
        window: ((x from, x to), (y from, y to)) of the contour plot.
        steps: Steps of a run unless the user says otherwise.
        targets: Values to be reached, easiest first.
        source: Where the surface comes from.
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


def _bowl(a: float, b: float) -> tuple[Callable[[Array], Any], Callable[[Array], Array]]:
    """A x^2 + b y^2 and its gradient."""

    def value(z: Array) -> Any:
        return a * z[0] ** 2 + b * z[1] ** 2

    def gradient(z: Array) -> Array:
        return np.stack([2 * a * z[0], 2 * b * z[1]])

    return value, gradient


def _rosenbrock(z: Array) -> Any:
    return (1 - z[0]) ** 2 + 100 * (z[1] - z[0] ** 2) ** 2


def _rosenbrock_gradient(z: Array) -> Array:
    valley = z[1] - z[0] ** 2
    return np.stack([-2 * (1 - z[0]) - 400 * z[0] * valley, 200 * valley])


SURFACES: dict[str, Surface] = {
    surface.name: surface
    for surface in (
        Surface(
            "rosenbrock",
            "(1 - x)² + 100 (y - x²)²",
            _rosenbrock,
            _rosenbrock_gradient,
            start=(-1.2, 1.0),
            optimum=(1.0, 1.0),
            window=((-2.0, 2.0), (-1.0, 3.0)),
            steps=2000,
            targets=(1.0, 1e-1, 1e-2, 1e-3, 1e-4),
            source="H. H. Rosenbrock, The Computer Journal 3 (1960) 175",
        ),
        Surface(
            "t0-bowl",
            "x²/20 + y²",
            *_bowl(1 / 20, 1.0),
            start=(-7.0, 2.0),
            optimum=(0.0, 0.0),
            window=((-10.0, 10.0), (-5.0, 5.0)),
            steps=500,
            targets=(1.0, 1e-1, 1e-2, 1e-3, 1e-4),
            source="the bowl of the optimizer tutorials: curvatures 1/10 and 2",
        ),
        Surface(
            "quadratic",
            "(x² + 100 y²)/2",
            *_bowl(0.5, 50.0),
            start=(-4.0, 1.0),
            optimum=(0.0, 0.0),
            window=((-5.0, 5.0), (-1.5, 1.5)),
            steps=500,
            targets=(1.0, 1e-1, 1e-2, 1e-3, 1e-4),
            source="ill-conditioned: curvatures 1 and 100",
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
