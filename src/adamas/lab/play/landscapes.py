"""The surfaces of the page: those of the laboratory, and some on which optimizers fail in a telling way."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..surfaces import SURFACES, Surface
from .functions import function_source

Array = NDArray[np.floating[Any]]
SHARED = ("t0-bowl", "rosenbrock", "quadratic", "himmelblau", "saddle", "monkey-saddle", "cliff")
"""Those of the laboratory that the page shows."""
WALLED = frozenset({"tilt"})
"""Surfaces without minimum: parameters are put back into the window after every step."""


def _pit(z: Array) -> Any:
    return 1 - np.exp(-(z[0] ** 2 + z[1] ** 2) / 2)


def _pit_gradient(z: Array) -> Array:
    steep = np.exp(-(z[0] ** 2 + z[1] ** 2) / 2)
    return np.stack([z[0] * steep, z[1] * steep])


def _tilt(z: Array) -> Any:
    return (z[0] + 1) / 3 + z[1] ** 2


def _tilt_gradient(z: Array) -> Array:
    return np.stack([1 / 3 + 0 * z[0], 2 * z[1]])


OWN: tuple[Surface, ...] = (
    Surface(
        "pit",
        "1 - exp(-(x² + y²)/2)",
        _pit,
        _pit_gradient,
        start=(-4.0, 3.0),
        optimum=(0.0, 0.0),
        window=((-6.0, 6.0), (-4.5, 4.5)),
        steps=300,
        targets=(0.5, 1e-1, 1e-2, 1e-3, 1e-4),
        source="flat away from the minimum: gradients fall like those of a Gaussian",
    ),
    Surface(
        "tilt",
        "(x + 1)/3 + y²",
        _tilt,
        _tilt_gradient,
        start=(0.0, 0.8),
        optimum=(-1.0, 0.0),
        window=((-1.0, 1.0), (-1.0, 1.0)),
        steps=600,
        targets=(0.3, 1e-1, 1e-2),
        source="mean loss of the counterexample of Reddi, Kale & Kumar 2018, section 3, with C = 3",
    ),
)


def landscapes() -> list[Surface]:
    """All surfaces of the page."""
    return [*(SURFACES[name] for name in SHARED), *OWN]


def landscape_source(surface: Surface) -> str:
    """A surface as a JavaScript object."""
    facts = {
        "name": surface.name,
        "formula": surface.formula,
        "start": surface.start,
        "optimum": surface.optimum,
        "window": surface.window,
        "steps": surface.steps,
        "targets": surface.targets,
        "source": surface.source,
        "walled": surface.name in WALLED,
    }
    functions = f"value: {function_source(surface.value)}, gradient: {function_source(surface.gradient)}"
    return f"{{ ...{json.dumps(facts, ensure_ascii=False)}, {functions} }}"
