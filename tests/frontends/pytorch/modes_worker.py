"""Runs every class under one of torch's global modes, in a process of its own; prints digests of all it computed.

Usage: python modes_worker.py MODE
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

import adamas.torch

NAMES = [n for n in adamas.torch.CLASSES if not n.startswith("Sparse")]
ROWS = ["SparseAdam", "SparseAdamW"]
SETTINGS: dict[str, dict[str, Any]] = {"RMSprop": {"momentum": 0.9, "centered": True}, "SGD": {"momentum": 0.9}}


class Passing(TorchFunctionMode):
    """Lets every call through."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def setting(change: Callable[[Any], Any], value: Any, back: Any) -> Iterator[None]:
    change(value)
    try:
        yield
    finally:
        change(back)


MODES: dict[str, Callable[[], Any]] = {
    "none": contextlib.nullcontext,
    "default device meta": lambda: setting(torch.set_default_device, "meta", None),
    "device meta": lambda: torch.device("meta"),
    "default dtype float64": lambda: setting(torch.set_default_dtype, torch.float64, torch.float32),
    "default dtype float16": lambda: setting(torch.set_default_dtype, torch.float16, torch.float32),
    "inference": torch.inference_mode,
    "no grad": torch.no_grad,
    "deterministic": lambda: setting(torch.use_deterministic_algorithms, True, False),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "function mode": Passing,
    "anomaly": lambda: torch.autograd.set_detect_anomaly(True),
    "flush denormals": lambda: setting(torch.set_flush_denormal, True, False),
}


def parameters() -> list[torch.nn.Parameter]:
    """Two tensors: one within a vector's length, one that is large enough for a placed state."""
    generator = torch.Generator("cpu").manual_seed(3)
    made = [torch.randn(n, generator=generator, device="cpu", dtype=torch.float32).requires_grad_() for n in (5, 9000)]
    return [torch.nn.Parameter(t.detach()) for t in made]


def gradients(params: list[torch.nn.Parameter], step: int) -> None:
    """Gradients of one step; some squares are denormal."""
    generator = torch.Generator("cpu").manual_seed(step)
    for p in params:
        g = torch.randn(p.shape, generator=generator, device="cpu", dtype=torch.float32)
        g[::3] *= 1e-21
        p.grad = g


def run(name: str, inside: list[bool], mode: Callable[[], Any], lane: str) -> str:
    """A digest of parameters and state after as many steps, each inside or outside of the mode."""
    params = parameters()
    if lane == "operations":  # a conjugated view of real numbers is left to torch's operations
        params = [torch.nn.Parameter(torch.complex(p.detach()[:4], p.detach()[:4]).conj()) for p in params]
    optimizer = None
    for step, within in enumerate(inside):
        GRADIENTS[lane](params, step)
        with mode() if within else contextlib.nullcontext():
            if optimizer is None:
                decay = {} if name == "SparseAdam" else {"weight_decay": 0.1}
                optimizer = getattr(adamas.torch, name)(params, lr=0.01, **decay, **SETTINGS.get(name, {}))
            optimizer.step()
    assert optimizer is not None
    assert optimizer.paths == {lane: 2}
    digest = hashlib.sha256()
    for p in params:
        digest.update(p.detach().resolve_conj().numpy().tobytes())
        for key, value in sorted(optimizer.state[p].items()):
            digest.update(key.encode())
            if not isinstance(value, torch.Tensor):
                digest.update(str(value).encode())
                continue
            assert value.device.type == "cpu"
            assert not value.is_inference()
            digest.update((value.double() if value.dim() == 0 else value.resolve_conj()).numpy().tobytes())
    return digest.hexdigest()


def complex_gradients(params: list[torch.nn.Parameter], step: int) -> None:
    generator = torch.Generator("cpu").manual_seed(step)
    for p in params:
        p.grad = torch.randn(p.shape, generator=generator, device="cpu", dtype=torch.complex64)


def sparse_gradients(params: list[torch.nn.Parameter], step: int) -> None:
    for p in params:
        index = torch.tensor([[0, 3, step]], device="cpu")
        values = torch.full((3,), 0.5 + step, device="cpu", dtype=torch.float32)
        p.grad = torch.sparse_coo_tensor(index, values, p.shape, device="cpu", check_invariants=True)


GRADIENTS = {"native": gradients, "operations": complex_gradients, "rows": sparse_gradients}


def main(mode_name: str) -> None:
    """Print digests by class, order and lane."""
    mode = MODES[mode_name]
    orders = {"first": [True, True, True, False], "later": [False, True, True, False]}
    print(json.dumps({
        f"{lane} {name} {order}": run(name, inside, mode, lane)
        for lane, names in {"native": NAMES, "operations": NAMES, "rows": ROWS}.items()
        for order, inside in orders.items()
        for name in names
    }))  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1])
