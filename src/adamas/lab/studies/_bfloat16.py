"""What rounding parameters to bfloat16 does to one step and to a training run."""

from __future__ import annotations

from typing import Any

import numpy as np

import adamas

from .. import digits
from ..networks import DenseNetwork

SIZE, SEED = 100_000, 0
TRAIN_RATE, STEPS, BATCH = 1e-4, 1500, 64


def lost(lr: float) -> tuple[float, float]:
    """Share of normal bfloat16 parameters that a step of size lr leaves as they are: measured, and by the spacing.

    Next to p numbers of 8 significant bits are 2^(floor(log2 |p|) - 7) apart; less than half of it is rounded away.
    """
    import ml_dtypes

    p = np.random.default_rng(SEED).standard_normal(SIZE).astype(ml_dtypes.bfloat16)
    half = 2.0 ** (np.floor(np.log2(np.abs(p.astype(np.float64)))) - 8)
    before = p.copy()
    adamas.Adam(lr=lr).step(p, np.ones_like(p))
    return float(np.mean(p == before)), float(np.mean(lr < half))


def train(storage: str) -> tuple[list[float], float]:
    """Training losses every 50 steps, and the mean share of updates lost among parameters with a gradient.

    Args:
        storage: "float32"; "bfloat16" parameters; "bfloat16 copy": gradients at a bfloat16 copy, steps on float32.
    """
    import ml_dtypes

    data, network, rng = digits.load().train, DenseNetwork((64, 32, 10)), np.random.default_rng(SEED)
    kept = ml_dtypes.bfloat16 if storage == "bfloat16" else np.float32
    seen = np.float32 if storage == "float32" else ml_dtypes.bfloat16
    params: dict[str, Any] = {name: p.astype(kept) for name, p in network.start(rng).items()}
    adam, losses, shares = adamas.Adam(lr=TRAIN_RATE), [], []
    for step in range(STEPS + 1):
        used = {name: p.astype(seen).astype(np.float32) for name, p in params.items()}
        if step % 50 == 0:
            losses.append(network.loss(used, data.x, data.y))
        rows = rng.choice(len(data.y), BATCH, replace=False)
        grads = {name: g.astype(kept) for name, g in network.gradient(used, data.x[rows], data.y[rows]).items()}
        before = {name: p.copy() for name, p in params.items()}
        adam.step(params, grads)
        same = np.concatenate([(params[name] == before[name])[grads[name] != 0] for name in params])
        shares.append(float(np.mean(same)))
    return losses, float(np.mean(shares))
