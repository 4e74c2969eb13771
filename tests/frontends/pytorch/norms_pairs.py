"""What `norms_worker.py` compares: divided parameters with their optimizer, and whole ones with theirs."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.distributed.tensor import DTensor

MODULE = importlib.import_module(os.environ.get("OPT", "adamas.torch"))
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "clip": ("AdamW", {"lr": 0.01, "weight_decay": 0.1, "clip_norm": 0.5}),
    "skip": ("AdamW", {"lr": 0.01, "nonfinite": "skip"}),
    "clip and skip": ("SGD", {"lr": 0.1, "momentum": 0.9, "clip_norm": 0.5, "nonfinite": "skip"}),
    "raise": ("AdamW", {"lr": 0.01, "clip_norm": 0.5, "nonfinite": "raise"}),
    "cautious": ("Lion", {"lr": 0.01, "weight_decay": 0.1, "cautious": True}),
    "cautious and clip": ("AdaBeliefW", {"lr": 0.01, "cautious": True, "clip_norm": 0.5, "nonfinite": "skip"}),
    "plain": ("AdamW", {"lr": 0.01, "weight_decay": 0.1}),
}
SCALED: tuple[str, dict[str, Any]] = ("AdamW", {"lr": 0.01, "clip_norm": 0.5, "fused": True})
"""With GradScaler, which hands its scale over where `fused=True` is asked for."""
COLLECTIVES = {"clip": 2, "skip": 2, "clip and skip": 2, "raise": 2, "cautious": 2, "cautious and clip": 3, "plain": 1}
"""In a step, for each process group."""
KINDS = {"clip and skip": torch.float64, "plain": torch.bfloat16}
"""Of parameters; otherwise float32."""
PATIENCE = 180  # seconds that a process waits for another
STEPS = 4
BAD_STEP = 2
calls: list[int] = [0]


def counting(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, whose calls are counted."""

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        return function(*args, **kwargs)

    return counted


class Model(torch.nn.Module):
    """Parameters that are split evenly, unevenly, and so that some process has nothing."""

    def __init__(self, dtype: torch.dtype):
        super().__init__()
        self.first = torch.nn.Linear(5, 7, dtype=dtype)
        self.second = torch.nn.Linear(7, 3, dtype=dtype)
        self.one = torch.nn.Parameter(torch.zeros(1, 3, dtype=dtype))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Something of all parameters."""
        return self.second(torch.tanh(self.first(x))) * self.one


class Block(torch.nn.Module):
    """Layers for tensor parallelism: sharded, replicated and left alone."""

    def __init__(self, dtype: torch.dtype, width: int = 10):
        super().__init__()
        self.norm = torch.nn.LayerNorm(8, dtype=dtype)
        self.wide = torch.nn.Linear(8, width, dtype=dtype)
        self.back = torch.nn.Linear(width, 8, dtype=dtype)
        self.alone = torch.nn.Linear(8, 3, dtype=dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Something of all parameters."""
        return self.alone(self.back(torch.tanh(self.wide(self.norm(x)))))


def values(shapes: Sequence[torch.Size], seed: int, dtype: torch.dtype) -> list[torch.Tensor]:
    """The same in all processes, of very different sizes: sums in another order or precision have other bits."""
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.randn((2, *shape), generator=generator, dtype=torch.float64) for shape in shapes]
    return [(x * torch.exp2((4 * y).round())).to(dtype) for x, y in drawn]


def bits(x: torch.Tensor) -> torch.Tensor:
    """To compare by: equal numbers have one NaN and two zeros."""
    kinds = {8: torch.int64, 4: torch.int32, 2: torch.int16}
    return x.detach().contiguous().view(kinds[x.element_size()])


class Pair:
    """A divided model with its optimizer, and whole parameters with theirs.

    Args:
        model: made by `divide` of a module whose parameters hold their own flat indices.
        divide: shards it.
        name, settings: of the optimizers.
    """

    def __init__(
        self, model: torch.nn.Module, divide: Callable[[torch.nn.Module], Any], name: str, settings: dict[str, Any]
    ):
        with torch.no_grad():
            for p in model.parameters():
                p.copy_(torch.arange(p.numel()).reshape(p.shape))
        shapes = [p.shape for p in model.parameters()]
        divide(model)
        self.model, self.parts = model, list(model.parameters())
        self.indices = [local(p).detach().long() for p in self.parts]
        self.dtype = self.parts[0].dtype
        self.whole = [torch.nn.Parameter(w) for w in values(shapes, 0, self.dtype)]
        with torch.no_grad():
            for p, index, w in zip(self.parts, self.indices, self.whole, strict=True):
                local(p).copy_(w.flatten()[index])
        make = getattr(MODULE, name)
        self.opt, self.twin = make(self.parts, **settings), make(self.whole, **settings)

    def give(self, gradients: Sequence[torch.Tensor | None]) -> None:
        """Whole gradients: this process's parts of them to the divided parameters."""
        for p, w, index, g in zip(self.parts, self.whole, self.indices, gradients, strict=True):
            w.grad = g
            p.grad = None if g is None else like(p, g.flatten()[index])

    def step(self) -> None:
        """Both step, or both raise."""
        assert outcome(self.opt.step) == outcome(self.twin.step)

    def compare(self) -> None:
        """Parameters, state and what the optimizers say of the step."""
        for k, (p, w, index) in enumerate(zip(self.parts, self.whole, self.indices, strict=True)):
            same(local(p), w.detach().flatten()[index], f"parameter {k}")
            one, other = self.opt.state.get(p, {}), self.twin.state.get(w, {})
            assert list(one) == list(other)
            for key, value in other.items():
                if value.dim():
                    assert type(one[key]) is type(torch.zeros_like(p.detach())), f"{key} is a {type(one[key]).__name__}"
                    if isinstance(p, DTensor):
                        assert one[key].placements == p.placements, key
                        assert one[key].shape == p.shape, key
                    same(local(one[key]), value.flatten()[index], f"{key} of parameter {k}")
                else:
                    assert torch.equal(one[key], value), key
        assert said(self.opt) == said(self.twin), f"{said(self.opt)} != {said(self.twin)}"


def local(p: torch.Tensor) -> torch.Tensor:
    """This process's part."""
    return p._local_tensor if isinstance(p, DTensor) else p  # type: ignore[return-value]


def like(p: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
    """A tensor divided as p is, of which this process has this part."""
    if not isinstance(p, DTensor):
        return part
    return DTensor.from_local(part, p.device_mesh, p.placements, shape=p.shape, stride=p.stride())


def same(a: torch.Tensor, b: torch.Tensor, what: str) -> None:
    """Equal bits, or both NaN."""
    equal = (bits(a) == bits(b)) | (a.isnan() & b.isnan())
    assert a.shape == b.shape, f"{what}: {a.shape}, {b.shape}"
    assert equal.all(), f"{what} differs: {a} and {b}"


def said(opt: Any) -> tuple[Any, ...]:
    """What an optimizer says of its last step."""
    counters = {key: opt.counters[key] for key in ("nonfinite", "skipped")}
    return repr(opt.last_grad_norm), opt.last_step_skipped, counters


def outcome(call: Callable[[], Any]) -> str:
    """Nothing, or what was raised."""
    try:
        call()
    except FloatingPointError as error:
        return str(error)
    return ""


def gradients(shapes: Sequence[torch.Size], k: int, dtype: torch.dtype) -> list[torch.Tensor]:
    """Of a step; in one of them the largest holds a NaN, which one process has and no other."""
    found = values(shapes, k, dtype)
    if k == BAD_STEP:
        max(found, key=torch.numel).view(-1)[-1] = torch.nan
    return found


def raised(call: Callable[[], Any], kind: type[Exception] | tuple[type[Exception], ...]) -> str:
    """The message of an error that must be raised."""
    try:
        call()
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind} was raised")
