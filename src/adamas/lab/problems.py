"""What an optimizer is raced on: starts, gradients and noise-free evaluations, all fixed by a seed."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from . import digits
from .errors import InputError
from .networks import Array, DenseNetwork, Params
from .surfaces import SURFACES, Surface

Gradient = Callable[[Params, int], Params]
START_SPREAD = 0.05


@dataclasses.dataclass(frozen=True)
class Losses:
    """One noise-free evaluation: the whole training set and the whole validation set.

    On a surface there is nothing to generalise to, and both are the value of the function.
    """

    train: float
    valid: float


class Problem(ABC):
    """A problem; the seed fixes the start and the order of the batches, the same for every optimizer."""

    name: str
    title: str
    steps: int
    evaluate_every: int
    targets: tuple[float, ...]
    """Validation losses to be reached, easiest first (on a surface: values of f)."""
    loss_name: str
    surface: Surface | None = None

    @property
    def floor(self) -> float:
        """Losses below this count as equal to it: 1e-40 is no better a minimum than 1e-20."""
        return 0.0 if self.surface is None else self.targets[-1] / 100

    @abstractmethod
    def start(self, seed: int) -> Params:
        """Fresh parameters."""

    @abstractmethod
    def gradients(self, seed: int, steps: int) -> Gradient:
        """A function (parameters, step from 0) -> gradient by parameter name."""

    @abstractmethod
    def evaluate(self, params: Params) -> Losses:
        """Losses without noise; never changes the parameters."""

    def test_accuracy(self, params: Params) -> float | None:
        """Share of right answers on data that selected nothing; None where there is no such data."""
        return None


class DigitsProblem(Problem):
    """Handwritten digits classified by a dense network, mini-batches of 64.

    Args:
        name: Name on the command line.
        hidden: Units of the hidden layers; none for softmax regression.
        targets: Validation losses (cross-entropy, nats) to be reached, easiest first.
        dtype: Of parameters and data; float32 unless a test needs more.
    """

    steps = 400
    evaluate_every = 5
    batch_size = 64
    loss_name = "cross-entropy"

    def __init__(
        self,
        name: str,
        hidden: tuple[int, ...],
        targets: tuple[float, ...],
        dtype: digits.Precision = "float32",
    ) -> None:
        self.name = name
        self.targets = targets
        self.network = DenseNetwork((64, *hidden, 10))
        self.dtype = dtype
        shape = "-".join(str(n) for n in self.network.sizes)
        kind = "a small network" if hidden else "softmax regression"
        self.title = f"handwritten digits, {kind} ({shape})"

    def start(self, seed: int) -> Params:
        return self.network.start(np.random.default_rng([seed, 0]), self.dtype)

    def gradients(self, seed: int, steps: int) -> Gradient:
        data = digits.load(self.dtype).train
        order = _batches(len(data.y), self.batch_size, seed, steps)
        network = self.network

        def gradient(params: Params, step: int) -> Params:
            rows = order[step]
            return network.gradient(params, data.x[rows], data.y[rows])

        return gradient

    def evaluate(self, params: Params) -> Losses:
        data = digits.load(self.dtype)
        return Losses(
            self.network.loss(params, data.train.x, data.train.y),
            self.network.loss(params, data.valid.x, data.valid.y),
        )

    def test_accuracy(self, params: Params) -> float | None:
        test = digits.load(self.dtype).test
        return self.network.accuracy(params, test.x, test.y)


@lru_cache(maxsize=64)
def _batches(examples: int, batch_size: int, seed: int, steps: int) -> list[NDArray[np.intp]]:
    """Rows of every batch: whole epochs in a fresh order, the last smaller batch kept."""
    rng = np.random.default_rng([seed, 1])
    batches: list[NDArray[np.intp]] = []
    while len(batches) < steps:
        order = rng.permutation(examples)
        batches += [order[i : i + batch_size] for i in range(0, examples, batch_size)]
    return batches[:steps]


class SurfaceProblem(Problem):
    """A surface over two coordinates, float64, no noise.

    The seed moves the start by up to 5 % of the plot window in each coordinate, so that a result
    does not hang on one lucky start.
    """

    loss_name = "f(x, y)"

    def __init__(self, surface: Surface) -> None:
        self.surface: Surface = surface
        self.name = surface.name
        self.title = f"{surface.name}: {surface.formula}"
        self.steps = surface.steps
        self.evaluate_every = max(1, surface.steps // 500)
        self.targets = surface.targets

    def start(self, seed: int) -> Params:
        spread = START_SPREAD * np.ptp(np.asarray(self.surface.window), axis=1)
        shift = np.random.default_rng([seed, 0]).uniform(-1, 1, 2) * spread
        return {"z": np.asarray(self.surface.start) + shift}

    def gradients(self, seed: int, steps: int) -> Gradient:
        slope = self.surface.gradient
        return lambda params, step: {"z": slope(params["z"])}

    def evaluate(self, params: Params) -> Losses:
        value = float(self.surface.value(params["z"]))
        return Losses(value, value)


def registry() -> dict[str, Problem]:
    """All problems by name, in the order in which they are listed."""
    problems: list[Problem] = [
        DigitsProblem("digits-softmax", (), targets=(1.0, 0.5, 0.3, 0.2, 0.15)),
        DigitsProblem("digits-mlp", (32,), targets=(1.0, 0.5, 0.3, 0.2, 0.15)),
    ]
    problems += [SurfaceProblem(surface) for surface in SURFACES.values()]
    return {problem.name: problem for problem in problems}


DEFAULT_PROBLEMS = ("digits-softmax", "digits-mlp")


def get_problem(name: str) -> Problem:
    """The problem of that name.

    Raises:
        InputError: There is none; the text lists the names.
    """
    known = registry()
    try:
        return known[name.lower()]
    except KeyError:
        raise InputError(f"unknown problem {name!r}; choose from: {', '.join(known)}") from None


__all__ = [
    "DEFAULT_PROBLEMS",
    "Array",
    "DigitsProblem",
    "Gradient",
    "Losses",
    "Params",
    "Problem",
    "SurfaceProblem",
    "get_problem",
    "registry",
]
