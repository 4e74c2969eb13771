"""A convolutional network and a small transformer, their gradients by torch's autograd; torch is an extra."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import digits
from .base import Gradient, Losses, Params, Problem, batches
from .text import SOURCE, SYMBOLS, characters

if TYPE_CHECKING:
    import torch


class TorchProblem(Problem):
    """A torch module trained by cross-entropy on mini-batches; parameters are NumPy arrays by torch's names."""

    loss_name = "cross-entropy"
    needs = ("torch",)
    batch_size = 64

    @abstractmethod
    def build(self) -> torch.nn.Module:
        """The module, its weights drawn from torch's generator."""

    @cached_property
    @abstractmethod
    def data(self) -> dict[str, tuple[Any, Any]]:
        """Inputs and labels as tensors under `train`, `valid` and perhaps `test`."""

    @cached_property
    def _module(self) -> torch.nn.Module:
        return self.build()

    def start(self, seed: int) -> Params:
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return {name: p.detach().numpy().copy() for name, p in self.build().named_parameters()}

    def _scores(self, weights: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        import torch

        kind = next(iter(weights.values())).dtype
        x = x.to(kind) if x.is_floating_point() else x
        scores: torch.Tensor = torch.func.functional_call(self._module, weights, (x,))
        return scores

    def _loss(self, weights: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        import torch

        return torch.nn.functional.cross_entropy(self._scores(weights, x).flatten(0, -2), y.flatten())

    def gradients(self, seed: int, steps: int) -> Gradient:
        import torch

        x, y = self.data["train"]
        order = batches(len(y), self.batch_size, seed, steps)

        def gradient(params: Params, step: int) -> Params:
            weights = {name: torch.from_numpy(value).requires_grad_() for name, value in params.items()}
            rows = torch.from_numpy(order[step])
            slopes = torch.autograd.grad(self._loss(weights, x[rows], y[rows]), list(weights.values()))
            return {name: slope.numpy() for name, slope in zip(weights, slopes, strict=True)}

        return gradient

    def evaluate(self, params: Params) -> Losses:
        import torch

        weights = {name: torch.from_numpy(value) for name, value in params.items()}
        with torch.no_grad():
            train, valid = (float(self._loss(weights, *self.data[part])) for part in ("train", "valid"))
        return Losses(train, valid)

    def test_accuracy(self, params: Params) -> float | None:
        import torch

        if "test" not in self.data:
            return None
        x, y = self.data["test"]
        with torch.no_grad():
            scores = self._scores({name: torch.from_numpy(value) for name, value in params.items()}, x)
        return float((scores.argmax(-1) == y).double().mean())


class DigitsConvolution(TorchProblem):
    """Handwritten digits by two convolutions and a dense layer."""

    name = "digits-cnn"
    title = "handwritten digits, a convolutional network"
    noise = "mini-batches of 64"
    tags = ("data", "images", "network", "noisy")
    source = "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI 1998 (scikit-learn)"
    steps = 300
    evaluate_every = 10
    targets = (1.0, 0.5, 0.3, 0.2, 0.1)
    best_known = 0.03

    def build(self) -> torch.nn.Module:
        from torch import nn

        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 16, 10),
        )  # fmt: skip

    @cached_property
    def data(self) -> dict[str, tuple[Any, Any]]:
        import torch

        found = digits.load()
        return {
            part: (torch.from_numpy(block.x.reshape(-1, 1, 8, 8)), torch.from_numpy(block.y))
            for part, block in (("train", found.train), ("valid", found.valid), ("test", found.test))
        }


class TextTransformer(TorchProblem):
    """The next character by one layer of attention over sixteen, all places of a line at once."""

    name = "text-transformer"
    title = "text-transformer: the next character by one layer of causal attention over 16"
    noise = "mini-batches of 32 lines"
    tags = ("data", "text", "network", "noisy")
    source = SOURCE
    steps = 300
    evaluate_every = 20
    batch_size = 32
    targets = (3.0, 2.8, 2.6, 2.45, 2.35)
    best_known = 2.25
    length, width, lines, held_out = 16, 32, 2000, 200

    def build(self) -> torch.nn.Module:
        import torch
        from torch import nn

        class Transformer(nn.Module):
            def __init__(self, length: int, width: int) -> None:
                super().__init__()
                self.symbol, self.place = nn.Embedding(SYMBOLS, width), nn.Embedding(length, width)
                self.layer = nn.TransformerEncoderLayer(
                    width, 2, 2 * width, dropout=0.0, batch_first=True, norm_first=True
                )
                self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, SYMBOLS)

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                places = torch.arange(x.shape[1])
                later = places[None, :] > places[:, None]
                found: torch.Tensor = self.head(
                    self.norm(self.layer(self.symbol(x) + self.place(places), src_mask=later))
                )
                return found

        return Transformer(self.length, self.width)

    @cached_property
    def data(self) -> dict[str, tuple[Any, Any]]:
        import torch

        text = characters()[: self.lines * self.length + 1]
        x = torch.from_numpy(text[:-1].reshape(self.lines, self.length).astype(np.int64))
        y = torch.from_numpy(text[1:].reshape(self.lines, self.length).astype(np.int64))
        first = self.lines - self.held_out
        return {"train": (x[:first], y[:first]), "valid": (x[first:], y[first:])}


def torch_problems() -> list[Problem]:
    """All of them."""
    return [DigitsConvolution(), TextTransformer()]
