"""The surfaces of the page: those of the laboratory, and one on which Adam walks uphill."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..surfaces import SURFACES, Surface
from .javascript import object_source
from .recording import recorded_source

Array = NDArray[np.floating[Any]]
WALLED = frozenset({"tilt"})
"""Surfaces without minimum: parameters are put back into the window after every step."""


def _tilt(z: Array) -> Any:
    return (z[0] + 1) / 3 + z[1] ** 2


def _tilt_gradient(z: Array) -> Array:
    return np.stack([1 / 3 + 0 * z[0], 2 * z[1]])


TILT = Surface(
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
)


def landscapes() -> list[Surface]:
    """All surfaces of the page."""
    return [*SURFACES.values(), TILT]


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
    functions = {"value": recorded_source(surface.value), "gradient": recorded_source(surface.gradient)}
    return object_source(facts, functions)
