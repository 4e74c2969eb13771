"""Convex bowls that differ in scale, basis and smoothness."""

from __future__ import annotations

import numpy as np

from .base import Problem
from .function import FunctionProblem, Vector, quadratic

DIMENSION = 16


def illcond(*, kappa: float, dimension: int = DIMENSION) -> FunctionProblem:
    """A diagonal quadratic of condition `kappa`; every coordinate adds equally to f at the start."""
    curvature = np.geomspace(1, kappa, dimension)
    return FunctionProblem(
        f"illcond-{_power(kappa)}",
        f"½ Σ λᵢ xᵢ², {dimension} coordinates, λ from 1 to {kappa:g}",
        **quadratic(curvature),
        start_point=1 / np.sqrt(curvature),
        optimum_point=np.zeros(dimension),
        source="diagonal scaling, to which Adam's direction is blind",
        tags=("convex", "scaling"),
    )


def illcond_rotated(*, kappa: float, dimension: int = DIMENSION) -> FunctionProblem:
    """The same in a fixed random basis."""
    curvature = np.geomspace(1, kappa, dimension)
    basis, triangle = np.linalg.qr(np.random.default_rng(12).standard_normal((dimension, dimension)))
    basis = basis * np.sign(np.diag(triangle))
    return FunctionProblem(
        f"illcond-rotated-{_power(kappa)}",
        f"½ Σ λᵢ (Qx)ᵢ², {dimension} coordinates, λ from 1 to {kappa:g}, Q a fixed rotation",
        **quadratic(curvature, basis),
        start_point=basis.T @ (1 / np.sqrt(curvature)),
        optimum_point=np.zeros(dimension),
        source="Adam is not blind to rotations",
        tags=("convex", "scaling"),
        # the start moves by the seed in x, not along the axes of the bowl: keep it small in the steep ones
        spread=0.05 / np.sqrt(kappa),
    )


def layer_scale(*, decades: float, blocks: int = 4, size: int = 8) -> FunctionProblem:
    """Blocks of parameters whose natural size differs by powers of ten, as layers of a network do."""
    scale = np.repeat(np.logspace(-decades, decades, blocks), size)
    return FunctionProblem(
        f"layer-scale-{decades:g}",
        f"½ mean of (x/s)², {blocks} blocks of {size}, s from 1e-{decades:g} to 1e{decades:g}",
        **quadratic(1 / (scale**2 * scale.size)),
        start_point=2 * scale,
        optimum_point=np.zeros(scale.size),
        source="one rate for parameters of different size",
        tags=("convex", "scaling"),
    )


def absolute(*, dimension: int = 8) -> FunctionProblem:
    """A sum of absolute values: the gradient never shrinks, so the rate must."""
    place = np.random.default_rng(3).uniform(-1, 1, dimension)

    def value(x: Vector) -> float:
        return float(np.abs(x - place).sum())

    def slope(x: Vector) -> Vector:
        found: Vector = np.sign(x - place)
        return found

    return FunctionProblem(
        "absolute",
        f"Σ |xᵢ - aᵢ|, {dimension} coordinates",
        value=value,
        slope=slope,
        start_point=place + 2.0,
        optimum_point=place,
        source="a constant rate rattles about the kink",
        tags=("convex", "nonsmooth"),
        smooth=False,
    )


def largest(*, dimension: int = 8) -> FunctionProblem:
    """The largest absolute value: only one coordinate has a gradient at a time."""
    place = np.random.default_rng(4).uniform(-1, 1, dimension)

    def value(x: Vector) -> float:
        return float(np.abs(x - place).max())

    def slope(x: Vector) -> Vector:
        found = np.zeros_like(x)
        i = int(np.abs(x - place).argmax())
        found[i] = np.sign(x[i] - place[i])
        return found

    return FunctionProblem(
        "largest",
        f"max |xᵢ - aᵢ|, {dimension} coordinates",
        value=value,
        slope=slope,
        start_point=place + np.linspace(2, 3, dimension),
        optimum_point=place,
        source="a kink and sparse gradients in one",
        tags=("convex", "nonsmooth", "sparse"),
        smooth=False,
    )


def _power(kappa: float) -> str:
    """1e4 rather than 10000.0."""
    return f"{kappa:.0e}".replace("e+0", "e")


def bowls() -> list[Problem]:
    """All of them, easiest first."""
    return [
        *(illcond(kappa=kappa) for kappa in (1e2, 1e4, 1e6)),
        *(illcond_rotated(kappa=kappa) for kappa in (1e2, 1e4)),
        *(layer_scale(decades=decades) for decades in (1, 3)),
        absolute(),
        largest(),
    ]
