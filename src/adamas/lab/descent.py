"""The training loop of `fit`: full batch or mini-batches, stopped by the change of the loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .errors import LabError
from .models import Model, Params
from .trial import Stepper

PATIENCE = 3


@dataclass
class Descent:
    """A finished run in standardised units.

    Attributes:
        params: Where it ended.
        losses: Before the first step and after every step (full batch) or epoch (mini-batches).
        steps: Steps done.
        epochs: Passes over the data begun.
        converged: True if the tolerance stopped it.
        message: Why it stopped.
    """

    params: Params
    losses: list[float]
    steps: int
    epochs: int
    converged: bool
    message: str


def descend(
    model: Model,
    rows: int,
    stepper: Stepper,
    *,
    batch_size: int,
    max_steps: int,
    tol: float,
    seed: int,
    on_epoch: Callable[[int], None] | None = None,
) -> Descent:
    """Step until the loss over all rows changed by less than `tol` from epoch to epoch, three times in a row.

    With all rows in every batch an epoch is one step. Each epoch has its own random order; the last,
    smaller batch is used; the optimizer counts its steps through all epochs.

    Args:
        model: Loss and gradient.
        rows: Number of rows.
        stepper: Fresh optimizer.
        batch_size: 1 to `rows`.
        max_steps: Budget.
        tol: Threshold; 0 never stops.
        seed: Of the order.
        on_epoch: Called with the number of steps done after every epoch.

    Raises:
        LabError: The loss is no longer finite.
    """
    params = model.start()
    losses = [model.loss(params)]
    rng = np.random.default_rng(seed)
    full = batch_size >= rows
    done = epochs = quiet = 0
    unit = "step" if full else "epoch"
    change = math.inf
    with np.errstate(all="ignore"):  # a diverging loss is reported below, once
        while done < max_steps:
            epochs += 1
            order = slice(None) if full else rng.permutation(rows)
            for first in range(0, rows, batch_size):
                batch = order if isinstance(order, slice) else order[first : first + batch_size]
                stepper.step(params, model.gradient(params, batch))
                done += 1
                if done == max_steps:
                    break
            losses.append(model.loss(params))
            if not math.isfinite(losses[-1]):
                raise LabError(
                    f"the loss is {losses[-1]} after step {done}: "
                    "the learning rate is too large; give a smaller one (--lr)"
                )
            if on_epoch is not None:
                on_epoch(done)
            change = abs(losses[-1] - losses[-2])
            quiet = quiet + 1 if change < tol else 0
            if quiet == PATIENCE:
                message = f"the loss changed by less than {tol:g} in {PATIENCE} {unit}s in a row"
                return Descent(params, losses, done, epochs, True, message)
    message = f"the budget of {max_steps} steps is used up; the last change of the loss was {change:.1e} per {unit}"
    return Descent(params, losses, done, epochs, tol == 0, message)
