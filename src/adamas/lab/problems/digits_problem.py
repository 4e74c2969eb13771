"""Handwritten digits, classified by softmax regression or a small network."""

from __future__ import annotations

import numpy as np

from .. import digits
from ..networks import DenseNetwork
from .base import Gradient, Losses, Params, Problem, batches


class DigitsProblem(Problem):
    """Handwritten digits classified by a dense network, mini-batches of 64.

    Args:
        name: Name on the command line.
        hidden: Units of the hidden layers; none for softmax regression.
        targets: Validation losses (cross-entropy, nats) to be reached, easiest first.
        dtype: Of parameters and data; float32 unless a test needs more.
        best_known: Lowest validation loss seen.
    """

    steps = 400
    evaluate_every = 5
    batch_size = 64
    loss_name = "cross-entropy"
    noise = "mini-batches of 64"
    tags = ("data", "images", "network", "noisy")
    source = "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI 1998 (scikit-learn)"

    def __init__(
        self,
        name: str,
        hidden: tuple[int, ...],
        targets: tuple[float, ...],
        dtype: digits.Precision = "float32",
        *,
        best_known: float = 0.0,
    ) -> None:
        self.name = name
        self.targets = targets
        self.network = DenseNetwork((64, *hidden, 10))
        self.dtype = dtype
        self.best_known = best_known
        shape = "-".join(str(n) for n in self.network.sizes)
        kind = "a small network" if hidden else "softmax regression"
        self.title = f"handwritten digits, {kind} ({shape})"

    def start(self, seed: int) -> Params:
        return self.network.start(np.random.default_rng([seed, 0]), self.dtype)

    def gradients(self, seed: int, steps: int) -> Gradient:
        data = digits.load(self.dtype).train
        order = batches(len(data.y), self.batch_size, seed, steps)
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


def digits_problems() -> list[Problem]:
    """Softmax regression and a small network; the convolutional one needs torch and stands elsewhere."""
    return [
        DigitsProblem("digits-softmax", (), targets=(1.0, 0.5, 0.3, 0.2, 0.15), best_known=0.11),
        DigitsProblem("digits-mlp", (32,), targets=(1.0, 0.5, 0.3, 0.2, 0.15), best_known=0.08),
    ]
