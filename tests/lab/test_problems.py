"""Gradients against finite differences, starts and batches against their promises."""

from __future__ import annotations

import numpy as np
import pytest

from adamas.lab import digits
from adamas.lab.errors import InputError
from adamas.lab.networks import DenseNetwork
from adamas.lab.problems import DigitsProblem, get_problem, registry
from adamas.lab.problems.base import batches
from adamas.lab.surfaces import SURFACES, get_surface


@pytest.mark.parametrize("hidden", [(), (32,), (7, 5)])
def test_network_gradient_equals_finite_differences(hidden: tuple[int, ...]) -> None:
    problem = DigitsProblem("check", hidden, targets=(1.0,), dtype="float64")
    params = problem.start(3)
    data = digits.load("float64").train
    rows = np.arange(20)
    x, y = data.x[rows], data.y[rows]
    grads = problem.network.gradient(params, x, y)
    rng = np.random.default_rng(0)
    for name, value in params.items():
        for flat in rng.choice(value.size, min(value.size, 25), replace=False):
            place = np.unravel_index(flat, value.shape)
            losses = []
            for shift in (1e-6, -1e-6):
                moved = {k: v.copy() for k, v in params.items()}
                moved[name][place] += shift
                losses.append(problem.network.loss(moved, x, y))
            slope = (losses[0] - losses[1]) / 2e-6
            assert grads[name][place] == pytest.approx(slope, rel=1e-5, abs=1e-8), (name, place)


def test_network_loss_of_zero_parameters_is_log_of_classes() -> None:
    network = DenseNetwork((3, 4))
    params = {"layer1.weight": np.zeros((3, 4)), "layer1.bias": np.zeros(4)}
    x, y = np.ones((5, 3)), np.array([0, 1, 2, 3, 0])
    assert network.loss(params, x, y) == pytest.approx(np.log(4), rel=1e-15)
    assert network.accuracy(params, x, y) == 0.4


def test_network_loss_survives_large_scores() -> None:
    network = DenseNetwork((1, 2))
    params = {"layer1.weight": np.array([[1e4, 0.0]]), "layer1.bias": np.zeros(2)}
    assert network.loss(params, np.ones((1, 1)), np.array([1])) == 1e4


def test_network_refuses_sizes() -> None:
    with pytest.raises(ValueError, match="at least two positive numbers"):
        DenseNetwork((64,))


@pytest.mark.parametrize("name", SURFACES)
def test_surface_gradient_optimum_start_and_window(name: str) -> None:
    surface = get_surface(name)
    points = [surface.start, (0.3, -0.7)]
    if name != "ackley":  # a tip
        points.append(surface.optimum)
    for point in points:
        z = np.array(point)
        numeric = [
            (surface.value(z + step) - surface.value(z - step)) / 2e-6
            for step in (np.array([1e-6, 0]), np.array([0, 1e-6]))
        ]
        np.testing.assert_allclose(surface.gradient(z), numeric, rtol=1e-6, atol=1e-6)
    assert abs(surface.value(np.array(surface.optimum))) <= 1e-14
    assert np.abs(surface.gradient(np.array(surface.optimum))).max() <= 1e-14
    assert surface.value(np.array(surface.start)) > surface.targets[0]
    for place in (surface.start, surface.optimum):
        assert all(low < c < high for c, (low, high) in zip(place, surface.window, strict=True))
    grid = np.stack(np.meshgrid([0.0, 1.0], [2.0, 3.0, 4.0]))
    assert surface.value(grid)[2, 1] == surface.value(np.array([1.0, 4.0]))


def test_bowl_of_the_tutorial() -> None:
    assert get_surface("t0-bowl").value(np.array([-7.0, 2.0])) == pytest.approx(6.45, rel=1e-15)


def test_split_is_fixed_disjoint_and_stratified() -> None:
    data = digits.load()
    sizes = [len(part.y) for part in (data.train, data.valid, data.test)]
    assert sizes == [1077, 360, 360]
    for part in (data.train, data.valid, data.test):
        share = np.bincount(part.y, minlength=10) / len(part.y)
        assert np.all(np.abs(share - 0.1) < 0.01)
        assert part.x.dtype == np.float32
        assert part.x.min() == 0
        assert part.x.max() == 1
    assert [int(v) for v in data.test.y[:12]] == [7, 6, 3, 7, 7, 3, 2, 8, 9, 3, 2, 6]
    whole = np.sort(np.concatenate([p.x.sum(axis=1) for p in (data.train, data.valid, data.test)]))
    from sklearn.datasets import load_digits

    np.testing.assert_array_equal(whole, np.sort((load_digits().data / 16).astype(np.float32).sum(axis=1)))


def test_batches_are_whole_epochs_with_the_smaller_last_one() -> None:
    found = batches(1077, 64, seed=5, steps=40)
    assert len(found) == 40
    assert [len(rows) for rows in found[:17]] == [64] * 16 + [53]
    for epoch in (found[:17], found[17:34]):
        assert sorted(np.concatenate(epoch).tolist()) == list(range(1077))
    assert found[0].tolist() != found[17].tolist()
    again = batches.__wrapped__(1077, 64, 5, 40)
    assert all((a == b).all() for a, b in zip(found, again, strict=True))
    assert found[0].tolist() != batches(1077, 64, seed=6, steps=40)[0].tolist()


@pytest.mark.parametrize("name", [n for n, p in registry().items() if not p.needs])
def test_a_seed_fixes_start_and_gradients(name: str) -> None:
    problem = registry()[name]
    if problem.missing():
        pytest.skip(f"needs {problem.missing()}")
    first, again, other = problem.start(7), problem.start(7), problem.start(8)
    assert all((first[k] == again[k]).all() for k in first)
    assert any((first[k] != other[k]).any() for k in first)
    slopes = [problem.gradients(7, 3)(first, 2) for _ in range(2)]
    assert all((slopes[0][k] == slopes[1][k]).all() for k in first)
    assert len(problem.targets) >= 5
    assert list(problem.targets) == sorted(problem.targets, reverse=True)
    losses = problem.evaluate(first)
    assert losses.valid > problem.targets[0]


@pytest.mark.parametrize("name", ["t0-bowl", "rosenbrock", "quadratic"])
def test_surface_starts_stay_within_five_percent_of_the_window(name: str) -> None:
    problem = get_problem(name)
    assert problem.surface is not None
    width = np.ptp(np.array(problem.surface.window), axis=1)
    shifts = np.array([problem.start(seed)["z"] - problem.surface.start for seed in range(50)]) / width
    assert np.abs(shifts).max() <= 0.05
    assert np.abs(shifts).max() > 0.04


def test_unknown_names_list_what_there_is() -> None:
    with pytest.raises(InputError, match="choose from: digits-softmax, digits-mlp, rosenbrock"):
        get_problem("digit")
    with pytest.raises(InputError, match="choose one of: rosenbrock, t0-bowl, quadratic"):
        get_surface("bowl")
