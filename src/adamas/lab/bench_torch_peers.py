"""Contestants of `adamas bench torch`: an optimizer of either side stepping, clipping, or in a training loop."""

from __future__ import annotations

import importlib
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import adamas

from .bench_peers import Contestant, Shapes, arrays

if TYPE_CHECKING:
    import torch

Settings = Mapping[str, Any]
SAMPLE = 4096  # elements of a parameter that are looked at
BATCHES = 256  # different batches of a training loop: too many to be learnt by heart, which ends in denormal gradients
LIMIT = 1.0  # of the norm, where gradients are clipped


@dataclass(frozen=True)
class Side:
    """Whose optimizers: the name in the table, the module, and what its classes are told beside the race's settings."""

    name: str
    module: str
    told: Settings = field(default_factory=dict)

    def optimizer(self, member: str, parameters: Any, settings: Settings) -> Any:
        """An optimizer of this side."""
        return getattr(importlib.import_module(self.module), member)(parameters, **settings, **self.told)


OURS = Side("adamas.torch", "adamas.torch")
FUSED = Side("torch fused", "torch.optim", {"fused": True})
DEFAULT = Side("torch default", "torch.optim")


def steps(side: Side, member: str, settings: Settings, shapes: Shapes) -> Contestant:
    """`optimizer.step()` with gradients that stay."""
    parameters = _parameters(shapes)
    return _contestant(side.name, side.optimizer(member, parameters, settings).step, parameters)


def grouped_steps(side: Side, member: str, rate: float, shapes: Shapes) -> Contestant:
    """`optimizer.step()` with a parameter group for each tensor; each rate is `rate` times the one before."""
    parameters = _parameters(shapes)
    groups = [{"params": [p], "lr": 1e-3 * rate**k} for k, p in enumerate(parameters)]
    return _contestant(side.name, side.optimizer(member, groups, {}).step, parameters)


def clipped_steps(side: Side, member: str, shapes: Shapes) -> Contestant:
    """Clip by the global norm, then step: ours in the step, torch's by `clip_grad_norm_` before it."""
    import torch

    parameters = _parameters(shapes)
    if side is OURS:
        step = side.optimizer(member, parameters, {"clip_norm": LIMIT}).step
        return _contestant(f"{side.name} clip_norm", step, parameters)
    optimizer = side.optimizer(member, parameters, {})

    def call() -> None:
        torch.nn.utils.clip_grad_norm_(parameters, LIMIT)
        optimizer.step()

    return _contestant(f"clip_grad_norm_, {side.name}", call, parameters)


def training(side: Side, member: str, batch: int, shapes: Shapes) -> Contestant:
    """Whole iterations of an MLP: zero_grad, forward, loss, backward, step; nothing is kept or left out."""
    torch = _torch()
    torch.manual_seed(0)
    layers = [torch.nn.Linear(shape[1], shape[0]) for shape in shapes[::2]]
    model = torch.nn.Sequential(*(part for layer in layers for part in (layer, torch.nn.ReLU())))[:-1]
    inward, outward = layers[0].in_features, layers[-1].out_features
    batches = [(torch.randn(batch, inward), torch.randint(outward, (batch,))) for _ in range(BATCHES)]
    optimizer = side.optimizer(member, model.parameters(), {})
    loss_of, clock, inside, turn = torch.nn.CrossEntropyLoss(), time.perf_counter, [], itertools.cycle(batches)

    def iteration() -> None:
        x, y = next(turn)
        optimizer.zero_grad()
        loss_of(model(x), y).backward()
        begin = clock()
        optimizer.step()
        inside.append(clock() - begin)

    return _contestant(side.name, iteration, list(model.parameters()), inside)


def sparse_steps(side: Side, member: str, looked_up: int, shapes: Shapes) -> Contestant:
    """`optimizer.step()` of an embedding whose gradient has the rows of that many look-ups, some of them repeated."""
    torch = _torch()
    parameters = _parameters(shapes)
    (weight,) = parameters
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(len(weight), (looked_up,), generator=generator)
    weight.grad = None
    torch.nn.functional.embedding(rows, weight, sparse=True).square().sum().backward()
    return _contestant(side.name, side.optimizer(member, parameters, {}).step, parameters)


def _torch() -> Any:
    """torch, on as many threads as ours."""
    import torch

    torch.set_num_threads(adamas.get_num_threads())
    return torch


def _parameters(shapes: Shapes) -> list[torch.Tensor]:
    """Parameters with gradients, in torch's own memory."""
    torch = _torch()
    values, gradients = arrays(shapes)
    parameters = [torch.nn.Parameter(torch.from_numpy(v).clone()) for v in values]
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = torch.from_numpy(g).clone()
    return parameters


def _contestant(
    name: str, call: Callable[[], Any], parameters: Sequence[torch.Tensor], inside: list[float] | None = None
) -> Contestant:
    """Take the first step and note what it did."""
    before = np.concatenate(_samples(parameters))
    call()
    moved = np.concatenate(_samples(parameters)) - before

    def probe() -> NDArray[np.float64]:
        return np.array([one @ np.arange(1.0, 1 + len(one)) for one in _samples(parameters)])

    return Contestant(name, call, probe, moved, [] if inside is None else inside)


def _samples(parameters: Sequence[torch.Tensor]) -> list[NDArray[np.float64]]:
    """Elements of each parameter, evenly spread."""
    flat = [p.detach().reshape(-1) for p in parameters]
    return [f[:: max(1, len(f) // SAMPLE)].numpy().astype(np.float64) for f in flat]
