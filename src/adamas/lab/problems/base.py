"""What a problem is: start, gradients and noise-free evaluations fixed by a seed, and what is known about it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..networks import Array, Params
from ..surfaces import Surface

Gradient = Callable[[Params, int], Params]


@dataclass(frozen=True)
class Losses:
    """One noise-free evaluation: the whole training set and the whole validation set.

    Where there is nothing to generalise to, both are the value of the objective.
    """

    train: float
    valid: float


@dataclass(frozen=True)
class Expected:
    """Optimizers that must reach a target, or must not; the self-test runs them.

    Attributes:
        optimizer: Name of a member.
        rates: Learning rates. A pass must hold with each of them, a fail with each of them: the list of
            a fail is a claim that no rate helps.
        target: Validation loss to be reached, three evaluations in a row, within the budget.
        options: Further arguments of the optimizer.
    """

    optimizer: str
    rates: tuple[float, ...]
    target: float
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        options = "".join(f", {name} {value}" for name, value in self.options.items())
        return f"{self.optimizer} (lr {', '.join(f'{rate:g}' for rate in self.rates)}{options}) to {self.target:g}"


class Problem(ABC):
    """A problem; the seed fixes the start and the order of the batches, the same for every optimizer.

    Two kinds. Where the minimum is known the loss is measured above it, so that it is 0 there, and
    `optimum` gives the place. Where it is not (networks on data) the loss is as it is, and
    `best_known` is the lowest validation loss seen.
    """

    name: str
    title: str
    steps: int
    evaluate_every: int
    targets: tuple[float, ...]
    """Validation losses to be reached, easiest first (on a surface: values of f)."""
    loss_name: str
    surface: Surface | None = None
    noise: str = "none"
    """What is random or changing about the gradients; "none" for exact gradients of one fixed function."""
    cycle: int | None = None
    """Steps after which the gradients at one point repeat; None: never, they are random (or there is no noise)."""
    tags: tuple[str, ...] = ()
    source: str = ""
    best_known: float | None = None
    """Lowest validation loss seen, where the minimum is not known; None where it is, and is 0."""
    subtracted: float = 0.0
    """What the loss was lowered by so that its minimum is 0; limits the accuracy of its differences."""
    smooth: bool = True
    """False if the gradient jumps at the optimum: it need not vanish there."""
    passes: tuple[Expected, ...] = ()
    """What the self-test runs; the catalogue's stand in `expectations`."""
    fails: tuple[Expected, ...] = ()
    needs: tuple[str, ...] = ()
    """Modules beyond the extra `lab`."""

    @property
    def floor(self) -> float:
        """Losses below this count as equal to it: 1e-40 is no better a minimum than 1e-20."""
        return 0.0 if self.best_known is not None else self.targets[-1] / 100

    @property
    def dimension(self) -> int:
        """Number of parameters."""
        return sum(value.size for value in self.start(0).values())

    @property
    def noise_free(self) -> bool:
        """Whether every run from one start is the same."""
        return self.noise == "none"

    @abstractmethod
    def start(self, seed: int) -> Params:
        """Fresh parameters."""

    @abstractmethod
    def gradients(self, seed: int, steps: int) -> Gradient:
        """A function (parameters, step from 0) -> gradient by parameter name."""

    @abstractmethod
    def evaluate(self, params: Params) -> Losses:
        """Losses without noise; never changes the parameters."""

    def optimum(self) -> Params | None:
        """Where the loss is lowest; None where that is not known."""
        return None

    def test_accuracy(self, params: Params) -> float | None:
        """Share of right answers on data that selected nothing; None where there is no such data."""
        return None

    def missing(self) -> list[str]:
        """Modules that it needs and that are not installed."""
        return [module for module in self.needs if find_spec(module) is None]


@lru_cache(maxsize=64)
def batches(examples: int, batch_size: int, seed: int, steps: int) -> list[NDArray[np.intp]]:
    """Rows of every batch: whole epochs in a fresh order, the last smaller batch kept."""
    rng = np.random.default_rng([seed, 1])
    found: list[NDArray[np.intp]] = []
    while len(found) < steps:
        order = rng.permutation(examples)
        found += [order[i : i + batch_size] for i in range(0, examples, batch_size)]
    return found[:steps]


def split(examples: int, parts: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows to train on and rows that are held out, one part of so many; the same every time."""
    order = np.random.default_rng(0).permutation(examples)
    return order[examples // parts :], order[: examples // parts]


__all__ = ["Array", "Expected", "Gradient", "Losses", "Params", "Problem", "batches", "split"]
