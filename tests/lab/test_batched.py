"""Rows of one call: the bits of separate runs, and the grid of a race's steps to target."""

from __future__ import annotations

import math

import numpy as np
import pytest

import adamas
from adamas.lab.batched import Rows, steps_grid
from adamas.lab.errors import InputError
from adamas.lab.statistics import steps_to_target
from adamas.lab.surfaces import get_surface


@pytest.mark.parametrize("member", ["Adam", "Momentum", "RAdam", "AdamW", "Lion"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_bits_of_separate_runs(member: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    start = rng.standard_normal((12, 3)).astype(dtype)
    rates = np.geomspace(1e-4, 1, 12)
    rows = Rows(member, start.copy(), {"lr": rates})
    alone = [start[i].copy() for i in range(12)]
    optimizers = [adamas.get(member)(lr=rate) for rate in rates]
    for _ in range(25):
        slopes = rng.standard_normal((12, 3)).astype(dtype)
        rows.grads[...] = slopes
        rows.step()
        for p, g, optimizer in zip(alone, slopes, optimizers, strict=True):
            optimizer.step(p, g)
    assert rows.params.tobytes() == np.array(alone).tobytes()
    assert len({p.tobytes() for p in alone}) == 12


@pytest.mark.parametrize("name", ["rosenbrock", "t0-bowl"])
def test_the_grid_is_what_single_runs_say(name: str) -> None:
    surface = get_surface(name)
    betas, rates, target = [0.0, 0.9], [0.01, 0.1, 0.3, 1e3], 1.0
    grid = steps_grid(name, "adam", down=("beta1", betas), across=("lr", rates), target=target, steps=150)
    for i, beta1 in enumerate(betas):
        for j, rate in enumerate(rates):
            x = np.array(surface.start)
            optimizer = adamas.Adam(lr=rate, beta1=beta1)
            values = [float(surface.value(x))]
            for _ in range(150):
                optimizer.step(x, surface.gradient(x))
                values.append(float(surface.value(x)))
            assert grid.steps[i, j] == steps_to_target(range(151), values, target)
    assert np.isinf(grid.steps[0, -1])
    assert np.isfinite(grid.steps[:, 2]).all()
    assert (grid.surface, grid.target, grid.budget) == (name, target, 150)


def test_thousands_of_runs_at_once() -> None:
    grid = steps_grid("t0-bowl", "adam", down=("beta1", np.linspace(0, 0.99, 64)),
                      across=("lr", np.geomspace(1e-3, 1, 64)), steps=60, target=1.0)  # fmt: skip
    assert grid.steps.shape == (64, 64)
    assert 0.1 < np.isfinite(grid.steps).mean() < 0.9


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match="no argument 'beta2'"):
        steps_grid("t0-bowl", "sgd", down=("beta2", [0.9]), across=("lr", [0.1]))
    with pytest.raises(InputError, match=r"lr=-1\.0"):
        steps_grid("t0-bowl", down=("beta1", [0.9]), across=("lr", [0.1, -1]))
    with pytest.raises(InputError, match="two different hyper-parameters"):
        steps_grid("t0-bowl", down=("lr", [0.9]), across=("lr", [0.1]))
    with pytest.raises(InputError, match="unknown surface"):
        steps_grid("nosuch", down=("beta1", [0.9]), across=("lr", [0.1]))
    with pytest.raises(InputError, match="unknown optimizer"):
        steps_grid("t0-bowl", "nosuch", down=("beta1", [0.9]), across=("lr", [0.1]))
    with pytest.raises(InputError, match="steps = 0"):
        steps_grid("t0-bowl", down=("beta1", [0.9]), across=("lr", [0.1]), steps=0)
    with pytest.raises(InputError, match="give a C-ordered array"):
        Rows("adam", np.ones(3), {})
    with pytest.raises(InputError, match="another form of the rule"):
        Rows("rmsprop", np.ones((2, 2)), {"momentum": [0.0, 0.9]})
    assert math.isinf(steps_grid("t0-bowl", down=("beta1", [0.9]), across=("lr", [1e-9]), steps=3).steps[0, 0])
