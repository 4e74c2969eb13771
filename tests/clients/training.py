"""What every client's test needs: a tiny task, the classes to train with, and what two runs must have in common.

How close the losses of two optimizers must be is measured, not guessed. tests/parity/test_torch_differential.py states
how far two correct AdamW steps may lie apart: eps (2 |p| + 10 k |update|) at each parameter p in the k-th step, because
the moments carry the roundings of the k - 1 steps before. `shaken` gives torch's own class with an error of just that
size, of random sign, added to every parameter after every step. The client trains with four such classes, and the
largest distance of their losses from those of torch's class, up to a step, is what rounding alone may do to that
client's run. Ours may lie twice as far away, and 4 eps of the loss besides, for the roundings of the loss itself. A
learning rate off by 1 % must lie outside, so no such comparison can pass by being too wide.

With autocast a weight or an activation that lies between two 16-bit numbers is rounded to one or the other, and a small
error changes which; such a jump is rare, and the four runs may not meet one where ours does. There the errors added are
64 times as large, so that the four runs meet many.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch

import adamas.torch

Losses = Sequence[float]
Run = Callable[[type[torch.optim.Optimizer]], Losses]

OURS: type[torch.optim.Optimizer] = adamas.torch.CLASSES["AdamW"]
THEIRS = torch.optim.AdamW
ROWS, FEATURES, CLASSES = 64, 6, 3


def data(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and labels of a small classification task, always the same."""
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(ROWS, FEATURES, generator=generator, dtype=torch.float64)
    y = (x @ torch.randn(FEATURES, CLASSES, generator=generator, dtype=torch.float64)).argmax(dim=1)
    return x.to(dtype), y


def network(seed: int = 3) -> torch.nn.Sequential:
    """A small network, always with the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.nn.Sequential(
            torch.nn.Linear(FEATURES, 16), torch.nn.Tanh(), torch.nn.LayerNorm(16), torch.nn.Linear(16, CLASSES)
        )


def parts(size: int = 16) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The data in batches."""
    x, y = data()
    return list(zip(x.split(size), y.split(size), strict=True))


def shaken(seed: int, times: float = 1.0) -> type[torch.optim.Optimizer]:
    """torch's AdamW with `times` the largest error of two correct steps added to every parameter, signs by a seed."""

    class AdamW(torch.optim.AdamW):
        def step(self, closure: Any = None) -> Any:
            self.signs = self.__dict__.get("signs") or torch.Generator().manual_seed(seed)
            self.done = self.__dict__.get("done", 0) + 1
            params = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
            before = [p.detach().clone() for p in params]
            loss = super().step(closure)
            with torch.no_grad():
                for p, old in zip(params, before, strict=True):
                    size = 2 * torch.maximum(p.abs(), old.abs()) + 10 * self.done * (p - old).abs()
                    sign = torch.randint(0, 2, p.shape, generator=self.signs) * 2 - 1
                    p.add_(times * torch.finfo(p.dtype).eps * size * sign)
            return loss

    return AdamW


class Off(adamas.torch.CLASSES["AdamW"]):  # type: ignore[misc,valid-type]
    """Ours with a learning rate 1 % too large in every step."""

    def step(self, closure: Any = None) -> Any:
        rates = [group["lr"] for group in self.param_groups]
        try:
            for group, rate in zip(self.param_groups, rates, strict=True):
                group["lr"] = rate * 1.01
            return super().step(closure)
        finally:
            for group, rate in zip(self.param_groups, rates, strict=True):
                group["lr"] = rate


def outside(one: Losses, theirs: Losses, tolerance: Losses) -> list[str]:
    """Where the losses of a run lie further from torch's than the tolerance; a NaN lies outside."""
    return [
        f"step {k}: {a!r}, torch's {b!r}, allowed {c:.3g}"
        for k, (a, b, c) in enumerate(zip(one, theirs, tolerance, strict=True))
        if not abs(a - b) <= c
    ]


def assert_trains_like_torch(run: Run, autocast: bool = False) -> None:
    """The losses of a client's run with our class are those with torch's, within what rounding may do to that run.

    Args:
        run: trains with a class of optimizer and returns the losses.
        autocast: whether the forward pass rounds to 16 bits. The loss itself is of float32 in any case.
    """
    theirs, ours = list(run(THEIRS)), list(run(OURS))
    assert len(theirs) >= 4
    assert ours[0] == theirs[0], "the first loss precedes the first step"
    times = 64.0 if autocast else 1.0
    apart = [[abs(a - b) for a, b in zip(run(shaken(seed, times)), theirs, strict=True)] for seed in range(4)]
    reach = itertools.accumulate((max(column) for column in zip(*apart, strict=True)), max)
    tolerance = [2 * r + 4 * 2.0**-23 * abs(loss) for r, loss in zip(reach, theirs, strict=True)]
    assert not (found := outside(ours, theirs, tolerance)), found
    assert outside(list(run(Off)), theirs, tolerance), "a learning rate off by 1 % must be seen"


def tensors(what: Any) -> list[torch.Tensor]:
    """All tensors and numbers of nested dicts and lists, in order."""
    if isinstance(what, dict):
        return [t for key in what for t in tensors(what[key])]
    if isinstance(what, (list, tuple)):
        return [t for one in what for t in tensors(one)]
    if isinstance(what, (bool, int, float)):
        return [torch.tensor(what, dtype=torch.float64)]
    return [what.detach().clone()] if isinstance(what, torch.Tensor) else []


def assert_same_bits(one: Any, other: Any) -> None:
    """Two nests of tensors and numbers are equal in every bit."""
    a, b = tensors(one), tensors(other)
    assert a
    assert len(a) == len(b)
    for k, (x, y) in enumerate(zip(a, b, strict=True)):
        assert x.dtype == y.dtype, k
        assert torch.equal(x, y), f"tensor {k}: {x} and {y}"
