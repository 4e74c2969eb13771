"""One run: one optimizer, one learning rate, one problem, one seed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from .probe import Reading, read, reading_steps
from .problems import Losses, Problem


class Stepper(Protocol):
    """The part of an optimizer that a run needs."""

    def step(self, params: Any, grads: Any) -> Any:
        """Update the parameters in place."""
        ...

    def state_dict(self) -> Mapping[str, Any]:
        """State as plain arrays and numbers."""
        ...


@dataclass
class Trial:
    """What one run measured.

    Attributes:
        status: "ok", or "nonfinite" when a loss became infinite or NaN and the run stopped there.
        steps: Steps at which the loss was evaluated, 0 first.
        train: Loss on the whole training set at those steps.
        valid: Loss on the whole validation set at those steps.
        test_accuracy: At the end; None where the problem has none or the run failed.
        step_ns: Median time of one optimizer step inside the loop, gradients excluded, nanoseconds.
        state_bytes: Bytes per parameter of the arrays of the optimizer's state.
        path: Parameters after every step, start first; only for problems of two coordinates.
        readings: Effective learning rates and RMS_t at some of those steps, where they were asked for.
    """

    status: str = "ok"
    steps: list[int] = field(default_factory=list)
    train: list[float] = field(default_factory=list)
    valid: list[float] = field(default_factory=list)
    test_accuracy: float | None = None
    step_ns: float = math.nan
    state_bytes: float = math.nan
    path: list[tuple[float, float]] | None = None
    readings: list[Reading] = field(default_factory=list)

    @property
    def final_train(self) -> float:
        """Training loss at the end of the budget; infinite for a failed run."""
        return self.train[-1] if self.status == "ok" else math.inf

    @property
    def final_valid(self) -> float:
        """Validation loss at the end of the budget; infinite for a failed run."""
        return self.valid[-1] if self.status == "ok" else math.inf


def run_trial(
    problem: Problem,
    optimizer: Stepper,
    seed: int,
    steps: int,
    *,
    evaluate_every: int | None = None,
    on_point: Callable[[int, Losses], None] | None = None,
    keep_path: bool = False,
    probe: bool = False,
) -> Trial:
    """Run `steps` steps; evaluate without noise at the start, every few steps and at the end.

    Args:
        problem: What to minimise.
        optimizer: Fresh, not yet stepped.
        seed: Fixes start and batches.
        steps: Budget, 1 or more; the run never stops early unless a loss is no longer finite.
        evaluate_every: Steps between evaluations; None takes the problem's own.
        on_point: Called with (step, losses) at every evaluation.
        keep_path: Keep the parameters after every step (two coordinates only).
        probe: Take readings of steps, outside what is timed.
    """
    params = problem.start(seed)
    gradient = problem.gradients(seed, steps)
    trial = Trial()
    path = [_point(params)] if keep_path and problem.surface is not None else None
    times = np.empty(steps, np.int64)
    done = 0
    every = evaluate_every or problem.evaluate_every
    looked_at = reading_steps(sorted({*range(every, steps, every), steps})) if probe else set()
    clock = time.perf_counter_ns

    def evaluate(step: int) -> bool:
        losses = problem.evaluate(params)
        trial.steps.append(step)
        trial.train.append(losses.train)
        trial.valid.append(losses.valid)
        if on_point is not None:
            on_point(step, losses)
        return math.isfinite(losses.train) and math.isfinite(losses.valid)

    with np.errstate(all="ignore"):  # a diverging run is a result, not a warning
        evaluate(0)
        for step in range(steps):
            grads = gradient(params, step)
            done = step + 1
            held = {name: p.copy() for name, p in params.items()} if done in looked_at else None
            before = clock()
            optimizer.step(params, grads)
            times[step] = clock() - before
            if held is not None:
                trial.readings.append(read(done, held, params, grads, optimizer))
            if path is not None:
                path.append(_point(params))
            if (done % every == 0 or done == steps) and not evaluate(done):
                trial.status = "nonfinite"
                break
        if trial.status == "ok":
            trial.test_accuracy = problem.test_accuracy(params)
    trial.step_ns = float(np.median(times[1:done] if done > 1 else times[:done]))
    trial.state_bytes = array_bytes(optimizer.state_dict()) / sum(p.size for p in params.values())
    trial.path = path
    return trial


def _point(params: Mapping[str, Any]) -> tuple[float, float]:
    x, y = params["z"]
    return float(x), float(y)


def array_bytes(state: Any) -> int:
    """Bytes of all arrays in a nesting of dicts, lists and tuples; bare numbers such as t are free."""
    if isinstance(state, np.ndarray):
        return state.nbytes
    if isinstance(state, Mapping):
        return sum(array_bytes(item) for item in state.values())
    if isinstance(state, list | tuple):
        return sum(array_bytes(item) for item in state)
    return 0
