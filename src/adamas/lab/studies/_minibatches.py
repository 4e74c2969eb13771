"""Linear regression by mini-batches, right and with a tutorial's three changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..models import Linear

ROWS, BATCH, EPOCHS = 100, 32, 150


def data() -> Linear:
    """Points around y = 4 + 3 x, in an order of x: the last batch holds the largest."""
    rng = np.random.default_rng(5)
    x = np.sort(rng.uniform(0.0, 2.0, ROWS))
    return Linear(x[:, None], 4 + 3 * x + rng.normal(0.0, 0.5, ROWS))


def train(
    model: Linear, make: Callable[[], Any], *, restart: bool = False, whole: bool = False, drop: bool = False
) -> tuple[list[float], dict[str, Any]]:
    """Excess over the least squares loss after each epoch, and the parameters at the end.

    Args:
        model: The regression.
        make: Makes the optimizer.
        restart: t is 0 again before every epoch while m and v live on.
        whole: Gradients are divided by the size of the whole set, not of the batch.
        drop: The last, smaller batch is left out.
    """
    params, optimizer = model.start(), make()
    floor = model.loss(model.solution())
    excess = [model.loss(params) - floor]
    for _ in range(EPOCHS):
        if restart and optimizer.t:
            optimizer.load_state_dict({**optimizer.state_dict(), "t": 0})
        for first in range(0, ROWS, BATCH):
            rows = slice(first, min(first + BATCH, ROWS))
            count = rows.stop - rows.start
            if not (drop and count < BATCH):
                factor = count / ROWS if whole else 1.0
                optimizer.step(params, {k: factor * g for k, g in model.gradient(params, rows).items()})
        excess.append(model.loss(params) - floor)
    return excess, params


def epochs_to(excess: list[float], share: float) -> int | None:
    """Epochs until the excess is below that share of the start's."""
    return next((i for i, value in enumerate(excess) if value <= share * excess[0]), None)
