"""Data with rare classes, and full-batch training on them group by group."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models import Logistic

Floats = NDArray[np.float64]


def imbalanced(size: int, seed: int) -> tuple[Floats, NDArray[np.intp]]:
    """Inputs without meaning; labels in `size` groups of 2^size rows: 2^k classes of 2^(size-k) rows, k = 0, 1, ...

    Returns:
        Inputs, and the class of every row, the most frequent first.
    """
    counts = np.concatenate([np.full(2**k, 2 ** (size - k)) for k in range(size)])
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(seed).uniform(size=(len(labels), (size + 1) * 2**size)), labels


def descend(model: Logistic, optimizer: Any, weights: Floats, moments: tuple[int, ...]) -> Floats:
    """Full-batch steps to the last of the moments.

    Args:
        model: Of `imbalanced` data.
        optimizer: Fresh.
        weights: Of the groups in the loss, one per group.
        moments: Numbers of steps, ascending.

    Returns:
        Losses by moment (rows) and group (columns).
    """
    size = len(weights)
    rows = [slice(k * 2**size, (k + 1) * 2**size) for k in range(size)]
    params = model.start()
    seen = []
    for step in range(1, moments[-1] + 1):
        parts = [model.gradient(params, part) for part in rows]
        grads = {name: sum(w * part[name] for w, part in zip(weights, parts, strict=True)) for name in params}
        optimizer.step(params, grads)
        if step in moments:
            seen.append([model.loss(params, part) for part in rows])
    return np.array(seen)
