"""Formulas of two coordinates with their gradients, and nothing else; `surfaces` says where each is used.

Every function takes z of shape (2,) or (2, ...) and is written so that its minimum is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Value = Callable[[Array], Any]
Slope = Callable[[Array], Array]
EDGE = 40.0
"""Largest exponent of the cliff: beyond it the wall goes on as a straight line."""


def bowl(a: float, b: float) -> tuple[Value, Slope]:
    """A x² + b y² and its gradient."""

    def value(z: Array) -> Any:
        return a * z[0] ** 2 + b * z[1] ** 2

    def gradient(z: Array) -> Array:
        return np.stack([2 * a * z[0], 2 * b * z[1]])

    return value, gradient


def rosenbrock(z: Array) -> Any:
    """(1 - x)² + 100 (y - x²)²"""
    return (1 - z[0]) ** 2 + 100 * (z[1] - z[0] ** 2) ** 2


def rosenbrock_gradient(z: Array) -> Array:
    """Gradient of `rosenbrock`."""
    valley = z[1] - z[0] ** 2
    return np.stack([-2 * (1 - z[0]) - 400 * z[0] * valley, 200 * valley])


BEALE = (1.5, 2.25, 2.625)


def beale(z: Array) -> Any:
    """Σ (c_k - x + x y^k)² for k = 1, 2, 3"""
    return sum((c - z[0] + z[0] * z[1] ** k) ** 2 for k, c in enumerate(BEALE, 1))


def beale_gradient(z: Array) -> Array:
    """Gradient of `beale`."""
    x, y = z
    residues = [c - x + x * y**k for k, c in enumerate(BEALE, 1)]
    by_x = sum(2 * r * (y**k - 1) for k, r in enumerate(residues, 1))
    by_y = sum(2 * r * x * k * y ** (k - 1) for k, r in enumerate(residues, 1))
    return np.stack([by_x, by_y])


def himmelblau(z: Array) -> Any:
    """(x² + y - 11)² + (x + y² - 7)²"""
    return (z[0] ** 2 + z[1] - 11) ** 2 + (z[0] + z[1] ** 2 - 7) ** 2


def himmelblau_gradient(z: Array) -> Array:
    """Gradient of `himmelblau`."""
    one, two = z[0] ** 2 + z[1] - 11, z[0] + z[1] ** 2 - 7
    return np.stack([4 * z[0] * one + 2 * two, 2 * one + 4 * z[1] * two])


def saddle(z: Array) -> Any:
    """x² - y² + y⁴/4, raised by 1; written as a sum of squares, which is exact at the minima y = ±√2."""
    return z[0] ** 2 + (z[1] ** 2 / 2 - 1) ** 2


def saddle_gradient(z: Array) -> Array:
    """Gradient of `saddle`."""
    return np.stack([2 * z[0], 2 * z[1] * (z[1] ** 2 / 2 - 1)])


MONKEY_DEPTH = 27 / 4
"""Of x³ - 3xy² + (x² + y²)²/4: along the ray y = 0, x < 0 it is r⁴/4 - r³, lowest at r = 3."""


def monkey_saddle(z: Array) -> Any:
    """x³ - 3xy² + (x² + y²)²/4 + 27/4"""
    x, y = z
    return x**3 - 3 * x * y**2 + (x**2 + y**2) ** 2 / 4 + MONKEY_DEPTH


def monkey_saddle_gradient(z: Array) -> Array:
    """Gradient of `monkey_saddle`."""
    x, y = z
    radius = x**2 + y**2
    return np.stack([3 * x**2 - 3 * y**2 + x * radius, -6 * x * y + y * radius])


def plateau(sharpness: float) -> tuple[Value, Slope]:
    """The logistic function of sharpness·(x² + y² - 1), less its value at the origin.

    Far out its slope is that of 1 - exp(-...): it vanishes as the sharpness grows.
    """
    bottom = 1 / (1 + np.exp(sharpness))

    def value(z: Array) -> Any:
        return 1 / (1 + np.exp(-sharpness * (z[0] ** 2 + z[1] ** 2 - 1))) - bottom

    def gradient(z: Array) -> Array:
        # sech² has the two small factors of the logistic function in one, without cancellation
        u = np.minimum(np.abs(sharpness * (z[0] ** 2 + z[1] ** 2 - 1)) / 2, 350.0)
        slope: Array = 2 * sharpness / (4 * np.cosh(u) ** 2) * z
        return slope

    return value, gradient


def cliff(sharpness: float) -> tuple[Value, Slope]:
    """x²/2 + y²/2 and a wall exp(sharpness·|x|) - 1 - sharpness·|x| that explodes; straight beyond `EDGE`."""
    top = np.exp(EDGE)

    def value(z: Array) -> Any:
        u = sharpness * np.abs(z[0])
        inside = np.minimum(u, EDGE)
        return (z[0] ** 2 + z[1] ** 2) / 2 + np.expm1(inside) - u + top * (u - inside)

    def gradient(z: Array) -> Array:
        wall = sharpness * np.expm1(np.minimum(sharpness * np.abs(z[0]), EDGE))
        return np.stack([z[0] + np.sign(z[0]) * wall, z[1]])

    return value, gradient


def rastrigin(z: Array) -> Any:
    """Sum over the first axis of x² + 10 (1 - cos 2πx); any number of coordinates."""
    return np.sum(z**2 + 20 * np.sin(np.pi * z) ** 2, axis=0)


def rastrigin_gradient(z: Array) -> Array:
    """Gradient of `rastrigin`."""
    slope: Array = 2 * z + 20 * np.pi * np.sin(2 * np.pi * z)
    return slope


def ackley(z: Array) -> Any:
    """20 (1 - exp(-r/5)) + e - exp(mean cos 2πx), r the root of the mean square; any number of coordinates."""
    radius = np.sqrt(np.mean(z**2, axis=0))
    # e - exp(c) with c near 1, without cancellation
    waves = -np.e * np.expm1(-2 * np.mean(np.sin(np.pi * z) ** 2, axis=0))
    return -20 * np.expm1(-0.2 * radius) + waves


def ackley_gradient(z: Array) -> Array:
    """The gradient; 0 at the origin, where there is a tip and none exists."""
    radius = np.sqrt(np.mean(z**2, axis=0))
    slope = 4 * np.exp(-0.2 * radius) * z / np.where(radius == 0, 1.0, radius) / len(z)
    waves = np.exp(np.mean(np.cos(2 * np.pi * z), axis=0)) * 2 * np.pi * np.sin(2 * np.pi * z) / len(z)
    total: Array = slope + waves
    return total
