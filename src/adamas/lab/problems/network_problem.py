"""What all dense networks on data share: mini-batches of the training part, losses over whole parts."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..networks import DenseLayers
from .base import Gradient, Losses, Params, Problem, batches

Part = tuple[NDArray[Any], NDArray[Any]]
"""Inputs, shape (examples, features), and what they should give."""


class NetworkProblem(Problem):
    """A dense network trained on mini-batches; the lowest validation loss is not known.

    Attributes:
        network: Layers, loss and gradient.
        batch_size: Examples per step.
        dtype: Of parameters.
    """

    network: DenseLayers
    batch_size: int = 64
    dtype: DTypeLike = np.float32
    loss_name = "cross-entropy"

    @property
    @abstractmethod
    def parts(self) -> tuple[Part, Part]:
        """Training and validation data."""

    def start(self, seed: int) -> Params:
        return self.network.start(np.random.default_rng([seed, 0]), self.dtype)

    def gradients(self, seed: int, steps: int) -> Gradient:
        (x, y), _ = self.parts
        order = batches(len(y), self.batch_size, seed, steps)
        network = self.network
        return lambda params, step: network.gradient(params, x[order[step]], y[order[step]])

    def evaluate(self, params: Params) -> Losses:
        train, valid = (self.network.loss(params, *part) for part in self.parts)
        return Losses(train, valid)
