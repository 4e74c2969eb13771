"""Gradients with noise; success is always measured on the function without it."""

from __future__ import annotations

import numpy as np

from ..surfaces import SURFACES
from .base import Gradient, Losses, Params, Problem
from .function import FunctionProblem, Noise, quadratic

NOISY = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3)


def white(deviation: float) -> Noise:
    """Normal noise of that standard deviation in every coordinate."""
    return lambda rng, slope: slope + deviation * rng.standard_normal(slope.shape)


def heavy(degrees: float) -> Noise:
    """Student's t noise: without a variance for 2 degrees of freedom or fewer."""
    return lambda rng, slope: slope + rng.standard_t(degrees, slope.shape)


def _noisy_bowl(name: str, noise: Noise, words: str, source: str) -> FunctionProblem:
    curvature = np.geomspace(1, 10, 10)
    return FunctionProblem(
        name,
        f"a quadratic of condition 10 with {words}",
        **quadratic(curvature),
        start_point=np.full(10, 3.0) / np.sqrt(curvature),
        optimum_point=np.zeros(10),
        source=source,
        steps=2000,
        targets=NOISY,
        noise=noise,
        noise_name=words,
        tags=("convex", "noisy"),
    )


def white_noise(*, deviation: float) -> FunctionProblem:
    """A quadratic with normal noise."""
    return _noisy_bowl(
        f"white-noise-{deviation:g}",
        white(deviation),
        f"normal noise of deviation {deviation:g}",
        "the noise ball: its size goes with the rate",
    )


def heavy_noise(*, degrees: float) -> FunctionProblem:
    """A quadratic with Student's t noise."""
    return _noisy_bowl(
        f"heavy-noise-{degrees:g}",
        heavy(degrees),
        f"Student's t noise, {degrees:g} degrees of freedom",
        "J. Zhang et al., Why are adaptive methods good for attention models?, NeurIPS 2020",
    )


def beale_noisy(*, deviation: float) -> FunctionProblem:
    """Beale's surface with normal noise."""
    surface, words = SURFACES["beale"], f"normal noise of deviation {deviation:g}"
    return FunctionProblem(
        "beale-noisy",
        f"Beale's surface with {words}",
        value=surface.value,
        slope=surface.gradient,
        start_point=np.array(surface.start),
        optimum_point=np.array(surface.optimum),
        source="plateau, walls and a noise floor",
        steps=2000,
        targets=NOISY,
        noise=white(deviation),
        noise_name=words,
        tags=("noisy", "valley"),
    )


class SparseRows(Problem):
    """A table of vectors of which every step sees a few rows, drawn by Zipf's law: an embedding in miniature.

    f = ½ mean over rows and columns of (E - T)², every row counting the same however rare it is. The gradient of a
    step is that of the drawn rows, divided by the chance of each, so that it is right on average.

    Args:
        rows: Rows of the table.
        width: Columns.
        drawn: Rows drawn per step, with replacement.
        exponent: Of Zipf's law: row k has a chance that goes with k**-exponent.
    """

    name = "sparse-rows"
    loss_name = "f(E)"
    noise = "a few rows per step, drawn by Zipf's law"
    tags = ("closed form", "convex", "noisy", "sparse")
    source = "embedding tables: rare rows have rare and large gradients"
    targets = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4)
    steps = 3000
    evaluate_every = 30

    def __init__(self, *, rows: int = 64, width: int = 4, drawn: int = 8, exponent: float = 1.0) -> None:
        self.title = f"{self.name}: ½ mean (E - T)², {rows} rows of {width}, {drawn} seen per step, Zipf {exponent:g}"
        self.target = np.random.default_rng(6).choice([-1.0, 1.0], (rows, width)) * 1.5
        weight = np.arange(1, rows + 1) ** -exponent
        self.chance = weight / weight.sum()
        self.drawn = drawn

    def start(self, seed: int) -> Params:
        return {"rows": np.random.default_rng([seed, 0]).uniform(-0.05, 0.05, self.target.shape)}

    def gradients(self, seed: int, steps: int) -> Gradient:
        rng = np.random.default_rng([seed, 1])
        scale = 1 / (self.chance * self.drawn * self.target.size)

        def gradient(params: Params, step: int) -> Params:
            count = rng.multinomial(self.drawn, self.chance)
            return {"rows": (params["rows"] - self.target) * (count * scale)[:, None]}

        return gradient

    def evaluate(self, params: Params) -> Losses:
        value = float(0.5 * np.mean((params["rows"] - self.target) ** 2))
        return Losses(value, value)

    def optimum(self) -> Params:
        return {"rows": self.target.copy()}


def noisy() -> list[Problem]:
    """All of them."""
    return [
        white_noise(deviation=1.0),
        heavy_noise(degrees=2),
        beale_noisy(deviation=1.0),
        SparseRows(),
    ]
