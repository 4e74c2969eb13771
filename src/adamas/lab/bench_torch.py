"""The races of `adamas bench torch`: whole training iterations and steps, beside torch's own optimizers.

Contestants have the same parameters, gradients, models and data. In whole iterations everything is real: new gradients
at each, and torch's threads, which spin for a while after its parallel regions, on the processors that a step wants.
"""

from __future__ import annotations

from functools import partial

from .bench_peers import GPT2, Shapes, mlp, resnet50, vit_tiny
from .bench_torch_peers import (
    DEFAULT,
    FUSED,
    OURS,
    Settings,
    clipped_steps,
    grouped_steps,
    sparse_steps,
    steps,
    training,
)  # fmt: skip
from .benchmark import Case

Bar = float | None

MLP_30K, MLP_500K, MLP_25M = mlp(64, 160, 120, 10), mlp(784, 512, 200, 10), mlp(1024, 4096, 4096, 1000)
GROUPS: Shapes = tuple((64 + 960 * k // 199,) for k in range(200))
RATE = 0.99  # of one group's learning rate to that of the group before


def cases(quick: bool) -> list[Case]:
    """All races. `quick` shrinks the large ones: it shows that they run, not how fast."""
    gpt2 = GPT2[2:14] if quick else GPT2
    large = mlp(32, 64, 64, 10) if quick else MLP_25M
    many = ((64,),) * (30 if quick else 1000)
    groups = GROUPS[::20] if quick else GROUPS
    few = 2 if quick else 8
    return [
        _training("train-30k", "MLP of 31 k, batch 64", MLP_30K, 64, 5 * few, 50),
        _training("train-500k", "MLP of 507 k, batch 128", MLP_500K, 128, 3 * few, 4 if quick else 30),
        _training("train-25m", "MLP of 25 M, batch 64", large, 64, 2 * few, 2 if quick else 15),
        _steps("step-vit", "ViT-tiny shapes", vit_tiny(), 1.0, None, 3 * few, 15),
        _steps("step-gpt2", "GPT-2 124M shapes", gpt2, 1.0, None, few, 4),
        _steps("step-1000", "1000 tensors of 64", many, 20.0, None, 3 * few, 20),
        Case(
            "step-groups", "200 groups, each a tensor of 64 to 1024 and its own lr", groups,
            [partial(grouped_steps, OURS, "AdamW", RATE)],
            [(partial(grouped_steps, side, "AdamW", RATE), (bar,)) for side, bar in ((FUSED, 10.0), (DEFAULT, None))],
            3 * few, 20,
        ),
        _clipped("clip-25m", "clip by global norm and AdamW, MLP of 25 M", large, 2 * few, 6),
        _clipped("clip-gpt2", "clip by global norm and AdamW, GPT-2 124M shapes", gpt2, few, 4),
        _steps("step-2", "one tensor of 2 elements", ((2,),), None, None, 4 * few, 300),
        _steps("step-260k", "260 k elements, in cache", ((260_000,),), None, None, 4 * few, 60),
        _steps("sgd", "SGD with momentum, ResNet-50 shapes", resnet50(), None, None, 2 * few, 6, "SGD",
               {"lr": 0.1, "momentum": 0.9}),
        Case(
            "sparse", "SparseAdam, 100 k rows of 64, 2048 of them looked up", ((100_000, 64),),
            [partial(sparse_steps, OURS, "SparseAdam", 2048)],
            [(partial(sparse_steps, DEFAULT, "SparseAdam", 2048), (None,))], 3 * few, 20,
        ),
    ]  # fmt: skip


def _training(name: str, what: str, shapes: Shapes, batch: int, turns: int, calls: int) -> Case:
    peers = [(partial(training, side, "Adam", batch), (1.0,)) for side in (FUSED, DEFAULT)]
    return Case(
        name, f"whole iterations, {what}", shapes, [partial(training, OURS, "Adam", batch)], peers, turns, calls
    )


def _steps(
    name: str, what: str, shapes: Shapes, fused: Bar, default: Bar, turns: int, calls: int, member: str = "Adam",
    settings: Settings | None = None,
) -> Case:  # fmt: skip
    peers = [(partial(steps, s, member, settings or {}), (bar,)) for s, bar in ((FUSED, fused), (DEFAULT, default))]
    return Case(name, what, shapes, [partial(steps, OURS, member, settings or {})], peers, turns, calls)


def _clipped(name: str, what: str, shapes: Shapes, turns: int, calls: int) -> Case:
    ours, fused = (partial(clipped_steps, side, "AdamW") for side in (OURS, FUSED))
    return Case(name, what, shapes, [ours], [(fused, (1.2,))], turns, calls)
