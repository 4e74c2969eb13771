"""A photograph painted by random waves: a linear model of the colour at a place."""

from __future__ import annotations

import numpy as np

from .base import Problem
from .tables import LeastSquares, TableProblem

SIDE = 48
WAVES = 24


def _photograph() -> LeastSquares:
    """A crop of the temple, SIDE x SIDE, from sines and cosines of random frequencies: smooth ones are learnt first."""
    from sklearn.datasets import load_sample_image

    picture = load_sample_image("china.jpg")[100 : 100 + 4 * SIDE : 4, 200 : 200 + 4 * SIDE : 4].reshape(-1, 3) / 255.0
    rng = np.random.default_rng(8)
    frequency = rng.normal(0, 3.0, (2, WAVES))
    place = np.stack(np.meshgrid(*[np.linspace(0, 1, SIDE)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    phase = 2 * np.pi * place @ frequency
    return LeastSquares(np.hstack([np.cos(phase), np.sin(phase)]), picture - picture.mean(axis=0))


def image() -> list[Problem]:
    """The one."""
    return [
        TableProblem(
            "image-fit",
            f"a photograph of {SIDE} x {SIDE} pixels from {WAVES} random waves",
            _photograph,
            source="china.jpg (scikit-learn); M. Tancik et al., Fourier features, NeurIPS 2020",
            targets=(1.5e-4, 5e-5, 2e-5, 1e-5, 5e-6),
            steps=2000,
            tags=("images", "scaling"),
            needs=("PIL",),
        )
    ]
