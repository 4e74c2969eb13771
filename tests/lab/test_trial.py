"""One run: what it measures and when it stops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import adamas
from adamas.lab.problems import get_problem
from adamas.lab.trial import array_bytes, run_trial


class Constant:
    """A stepper that moves every coordinate by a fixed amount."""

    def __init__(self, by: float) -> None:
        self.by = by
        self.calls = 0

    def step(self, params: Any, grads: Any) -> None:
        self.calls += 1
        for p in params.values():
            p += self.by

    def state_dict(self) -> dict[str, Any]:
        return {"t": self.calls, "state": {"z": {"m": np.zeros(2, np.float32)}}}


def test_evaluates_at_the_start_every_few_steps_and_at_the_end() -> None:
    points: list[int] = []
    trial = run_trial(
        get_problem("t0-bowl"), Constant(0.0), 0, 23, evaluate_every=10, on_point=lambda step, _: points.append(step)
    )
    assert trial.steps == points == [0, 10, 20, 23]
    assert trial.status == "ok"
    assert trial.train[0] == trial.train[-1] == trial.final_valid


def test_a_step_is_taken_exactly_as_often_as_asked_and_the_path_kept() -> None:
    stepper = Constant(0.5)
    trial = run_trial(get_problem("quadratic"), stepper, 4, 6, keep_path=True)
    assert stepper.calls == 6
    assert trial.path is not None
    start = get_problem("quadratic").start(4)["z"]
    np.testing.assert_allclose(trial.path, [start + 0.5 * i for i in range(7)], rtol=1e-14)
    assert trial.state_bytes == 4


def test_a_diverging_run_stops_and_counts_as_infinite() -> None:
    trial = run_trial(get_problem("rosenbrock"), adamas.SGD(lr=10.0), 0, 500)
    assert trial.status == "nonfinite"
    assert trial.steps[-1] < 500
    assert trial.final_train == trial.final_valid == math.inf
    assert trial.test_accuracy is None


def test_it_is_the_engine_that_steps() -> None:
    """Against the loop of the tutorial: one step of Adam moves each coordinate by lr."""
    trial = run_trial(get_problem("t0-bowl"), adamas.Adam(lr=0.25), 0, 1, keep_path=True)
    assert trial.path is not None
    moved = np.abs(np.subtract(*trial.path))
    np.testing.assert_allclose(moved, 0.25, rtol=1e-6)


@pytest.mark.parametrize(("make", "expected"), [(adamas.SGD, 0), (adamas.Momentum, 4), (adamas.Adam, 8)])
def test_state_bytes_per_parameter(make: Any, expected: int) -> None:
    trial = run_trial(get_problem("digits-softmax"), make(), 0, 2)
    assert trial.state_bytes == expected
    assert trial.step_ns > 0
    assert trial.test_accuracy is not None


def test_array_bytes_counts_arrays_only() -> None:
    assert array_bytes({"t": 3, "a": [np.zeros(3), (np.zeros(2, np.float32), 1.5)]}) == 24 + 8
