"""Functions of many coordinates that are not convex: a long valley, and lattices of local minima."""

from __future__ import annotations

import numpy as np

from ..landscapes import ackley, ackley_gradient, rastrigin, rastrigin_gradient
from .base import Problem
from .function import FunctionProblem, Vector


def _chain(x: Vector) -> float:
    return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def _chain_slope(x: Vector) -> Vector:
    valley = x[1:] - x[:-1] ** 2
    slope = np.zeros_like(x)
    slope[:-1] = -400 * x[:-1] * valley - 2 * (1 - x[:-1])
    slope[1:] += 200 * valley
    return slope


def rosenbrock_chain(*, dimension: int) -> FunctionProblem:
    """Rosenbrock's valley through `dimension` coordinates."""
    return FunctionProblem(
        f"rosenbrock-{dimension}",
        f"Σ 100 (xᵢ₊₁ - xᵢ²)² + (1 - xᵢ)², {dimension} coordinates",
        value=_chain,
        slope=_chain_slope,
        start_point=np.tile([-1.2, 1.0], dimension // 2),
        optimum_point=np.ones(dimension),
        source="L. C. W. Dixon and D. J. Mills, JOTA 80 (1994) 175: the chained form",
        steps=4000,
        targets=(10.0, 1.0, 1e-1, 1e-2, 1e-3),
        tags=("valley",),
    )


def valleys() -> list[Problem]:
    """All of them."""
    direction = np.random.default_rng(5).uniform(0.5, 1, 20) * np.where(np.arange(20) % 2, 1, -1)
    return [
        rosenbrock_chain(dimension=100),
        FunctionProblem(
            "rastrigin-20",
            "Σ xᵢ² + 10 (1 - cos 2πxᵢ), 20 coordinates",
            value=lambda x: float(rastrigin(x)),
            slope=rastrigin_gradient,
            start_point=3 * direction,
            optimum_point=np.zeros(20),
            source="L. A. Rastrigin 1974; luck decides, no ground for a ranking",
            targets=(1.0, 1e-1, 1e-2, 1e-3, 1e-4),
            tags=("local minima",),
        ),
        FunctionProblem(
            "ackley-20",
            "Ackley's function, 20 coordinates",
            value=lambda x: float(ackley(x)),
            slope=ackley_gradient,
            start_point=4 * direction,
            optimum_point=np.zeros(20),
            source="D. H. Ackley 1987; luck decides, no ground for a ranking",
            targets=(5e-2, 1e-2, 1e-3, 1e-4, 1e-5),
            tags=("local minima", "nonsmooth"),
            smooth=False,
        ),
    ]
