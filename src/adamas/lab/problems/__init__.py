"""What an optimizer is raced on: problems that are fixed by a seed and test themselves."""

from __future__ import annotations

from .base import Array, Expected, Gradient, Losses, Params, Problem
from .catalogue import DEFAULT_PROBLEMS, get_problem, registry
from .digits_problem import DigitsProblem
from .function import FunctionProblem
from .surface_problem import SurfaceProblem

__all__ = [
    "DEFAULT_PROBLEMS",
    "Array",
    "DigitsProblem",
    "Expected",
    "FunctionProblem",
    "Gradient",
    "Losses",
    "Params",
    "Problem",
    "SurfaceProblem",
    "get_problem",
    "registry",
]
