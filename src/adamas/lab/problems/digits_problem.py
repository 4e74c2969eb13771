"""Handwritten digits, classified by softmax regression or a small network."""

from __future__ import annotations

from .. import digits
from ..networks import DenseNetwork
from .base import Params, Problem
from .network_problem import NetworkProblem, Part


class DigitsProblem(NetworkProblem):
    """Handwritten digits classified by a dense network, mini-batches of 64.

    Args:
        name: Name on the command line.
        hidden: Units of the hidden layers; none for softmax regression.
        targets: Validation losses (cross-entropy, nats) to be reached, easiest first.
        dtype: Of parameters and data; float32 unless a test needs more.
        best_known: Lowest validation loss seen.
    """

    network: DenseNetwork
    steps = 400
    evaluate_every = 5
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
        self.dtype: digits.Precision = dtype
        self.best_known = best_known
        shape = "-".join(str(n) for n in self.network.sizes)
        kind = "a small network" if hidden else "softmax regression"
        self.title = f"handwritten digits, {kind} ({shape})"

    @property
    def parts(self) -> tuple[Part, Part]:
        data = digits.load(self.dtype)
        return (data.train.x, data.train.y), (data.valid.x, data.valid.y)

    def test_accuracy(self, params: Params) -> float | None:
        test = digits.load(self.dtype).test
        return self.network.accuracy(params, test.x, test.y)


def digits_problems() -> list[Problem]:
    """Softmax regression and a small network; the convolutional one needs torch and stands elsewhere."""
    return [
        DigitsProblem("digits-softmax", (), targets=(1.0, 0.5, 0.3, 0.2, 0.15), best_known=0.11),
        DigitsProblem("digits-mlp", (32,), targets=(1.0, 0.5, 0.3, 0.2, 0.15), best_known=0.08),
    ]
