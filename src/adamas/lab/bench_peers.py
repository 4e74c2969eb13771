"""What `adamas bench` measures: the engine's side and the peers beside it, each as a call that does one step."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

import adamas
from adamas.engine.reference import bind, primitives
from adamas.numpy import Optimizer

Shapes = tuple[tuple[int, ...], ...]


@dataclass
class Contestant:
    """Something that steps.

    Attributes:
        name: for the table.
        step: does one step, or a whole training iteration.
        probe: a number, or one for each parameter, that every step must change.
        moved: how far the first step carried some elements; contestants of a race that have it must agree.
        inside: seconds of the optimizer's step within each call, if a call is more than that.
    """

    name: str
    step: Callable[[], Any]
    probe: Callable[[], float | NDArray[np.float64]]
    moved: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    inside: list[float] = field(default_factory=list)


def arrays(shapes: Shapes, seed: int = 0) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Parameters and gradients; memory is touched, values are cheap to make."""
    rng = np.random.default_rng(seed)
    parameters, gradients = [], []
    for shape in shapes:
        block = rng.standard_normal(min(int(np.prod(shape)), 100_003), np.float32)
        parameters.append(np.resize(block, shape))
        gradients.append(np.resize(block[::-1] * np.float32(0.1), shape))
    return parameters, gradients


def numpy_step(shapes: Shapes, cls: type[Optimizer] = adamas.Adam, name: str = "adamas") -> Contestant:
    """The NumPy front end: `opt.step(params, grads)` on a list of arrays."""
    parameters, gradients = arrays(shapes)
    opt = cls()
    p, g = (parameters[0], gradients[0]) if len(shapes) == 1 else (parameters, gradients)
    opt.step(p, g)
    return Contestant(name, lambda: opt.step(p, g), lambda: float(parameters[0].flat[0]))


def kernel_step(shapes: Shapes) -> Contestant:
    """The kernel alone over a ready pointer table."""
    parameters, gradients = arrays(shapes)
    opt = adamas.Adam()
    opt.step(parameters, gradients)
    plan = opt._plan
    assert plan is not None
    (segment,) = plan.segments
    kernel = segment.kernels["run"]
    return Contestant(
        "adamas kernel", lambda: (gradients, segment.list.run(kernel)), lambda: float(parameters[0].flat[0])
    )


def torch_step(shapes: Shapes, fused: bool) -> Contestant:
    """torch.optim.Adam, fused or as it comes, on as many threads."""
    import torch

    torch.set_num_threads(adamas.get_num_threads())
    values, gradients = arrays(shapes)
    parameters = [torch.from_numpy(v).requires_grad_() for v in values]
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = torch.from_numpy(g)
    optimizer = torch.optim.Adam(parameters, fused=True) if fused else torch.optim.Adam(parameters)
    optimizer.step()
    return Contestant("torch fused" if fused else "torch default", optimizer.step, lambda: float(values[0].flat[0]))


def has_torch() -> bool:
    """Whether torch is installed."""
    return importlib.util.find_spec("torch") is not None


def tutorial_step(shapes: Shapes) -> Contestant:
    """The tutorials' loop: Adam's formula as NumPy executes it, operation by operation, on whole arrays."""
    (p,), (g,) = arrays(shapes)
    formula = bind(adamas.Adam.rule.function, primitives(p.dtype))
    held: dict[str, Any] = {"p": p, "m": np.zeros_like(p), "v": np.zeros_like(p), "t": 0}

    def step() -> None:
        held["t"] += 1
        held["p"], held["m"], held["v"] = formula(held["p"], g, held["m"], held["v"], held["t"])

    step()
    return Contestant("NumPy tutorial loop", step, lambda: float(held["p"].flat[0]))


def copy_step(shapes: Shapes) -> Contestant:
    """A kernel that touches the same bytes and computes next to nothing: reads four arrays, writes three."""
    (p,), (g,) = arrays(shapes)
    m, v = np.zeros_like(p), np.zeros_like(p)
    threads = adamas.get_num_threads()
    pool = ThreadPoolExecutor(threads)
    bounds = np.linspace(0, p.size, threads + 1).astype(int).tolist()
    parts = [tuple(a[low:high] for a in (p, g, m, v)) for low, high in pairwise(bounds)]
    kernel = _copy_kernel()

    def step() -> None:
        list(pool.map(lambda part: kernel(*part), parts))

    step()
    return Contestant("copy kernel, same bytes", step, lambda: float(p.flat[0]))


@cache
def _copy_kernel() -> Callable[..., None]:
    import numba

    @numba.njit(nogil=True)
    def touch(p: Any, g: Any, m: Any, v: Any) -> None:
        for i in range(p.size):
            p[i] = p[i] + g[i]
            m[i] = m[i] - g[i]
            v[i] = g[i] - v[i]

    return touch


_NORM: Shapes = ((768,), (768,))
_BLOCK: Shapes = (*_NORM, (768, 2304), (2304,), (768, 768), (768,), *_NORM, (768, 3072), (3072,), (3072, 768), (768,))
GPT2: Shapes = ((50257, 768), (1024, 768), *_BLOCK * 12, *_NORM)
"""Parameter shapes of GPT-2 124M: embeddings, 12 blocks (norm, attention, norm, feed-forward), norm."""


def resnet50() -> Shapes:
    """Parameter shapes of ResNet-50."""
    shapes: list[tuple[int, ...]] = [(64, 3, 7, 7), (64,), (64,)]
    inward = 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            shapes += [(width, inward, 1, 1), (width,), (width,), (width, width, 3, 3), (width,), (width,)]
            shapes += [(4 * width, width, 1, 1), (4 * width,), (4 * width,)]
            if block == 0:
                shapes += [(4 * width, inward, 1, 1), (4 * width,), (4 * width,)]
            inward = 4 * width
    return (*shapes, (1000, 2048), (1000,))


def vit_tiny() -> Shapes:
    """Parameter shapes of ViT-Ti/16 at 224 pixels: class token, positions, patches, 12 blocks, norm, head."""
    norm: Shapes = ((192,), (192,))
    block: Shapes = (*norm, (576, 192), (576,), (192, 192), (192,), *norm, (768, 192), (768,), (192, 768), (192,))
    return ((1, 1, 192), (1, 197, 192), (192, 3, 16, 16), (192,), *block * 12, *norm, (1000, 192), (1000,))


def mlp(*widths: int) -> Shapes:
    """Parameter shapes of linear layers, weight and bias of each, as torch has them."""
    return tuple(shape for inward, outward in pairwise(widths) for shape in ((outward, inward), (outward,)))
