"""Gradients against finite differences, starts and batches against their promises."""

from __future__ import annotations

import numpy as np
import pytest

import adamas
from adamas.lab import digits
from adamas.lab.errors import InputError
from adamas.lab.networks import DenseLayers, DenseNetwork, DenseRegression
from adamas.lab.problems import get_problem, registry
from adamas.lab.problems.base import batches
from adamas.lab.problems.tabular import DiabetesNetwork
from adamas.lab.problems.wilson import Wilson, examples
from adamas.lab.surfaces import SURFACES, get_surface


@pytest.mark.parametrize("hidden", [(), (32,), (7, 5)])
def test_network_gradient_equals_finite_differences(hidden: tuple[int, ...]) -> None:
    data = digits.load("float64").train
    rows = np.arange(20)
    numbers = np.random.default_rng(1).standard_normal((20, 3))
    for network, y in ((DenseNetwork((64, *hidden, 10)), data.y[rows]), (DenseRegression((64, *hidden, 3)), numbers)):
        assert_gradient(network, data.x[rows], y)


def assert_gradient(network: DenseLayers, x: np.ndarray, y: np.ndarray) -> None:
    params = network.start(np.random.default_rng(3), np.float64)
    grads = network.gradient(params, x, y)
    rng = np.random.default_rng(0)
    for name, value in params.items():
        for flat in rng.choice(value.size, min(value.size, 25), replace=False):
            place = np.unravel_index(flat, value.shape)
            losses = []
            for shift in (1e-6, -1e-6):
                moved = {k: v.copy() for k, v in params.items()}
                moved[name][place] += shift
                losses.append(network.loss(moved, x, y))
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


def test_regression_loss_is_half_the_squared_error() -> None:
    params = {"layer1.weight": np.array([[2.0, 0.0]]), "layer1.bias": np.array([0.0, 1.0])}
    x, y = np.array([[1.0], [3.0]]), np.array([[0.0, 1.0], [6.0, 4.0]])
    # predicted (2, 1) and (6, 1): squared errors 4 + 0 and 0 + 9
    assert DenseRegression((1, 2)).loss(params, x, y) == 13 / 4
    grads = DenseRegression((1, 2)).gradient(params, x, y)
    np.testing.assert_array_equal(grads["layer1.weight"], [[1.0, -4.5]])
    np.testing.assert_array_equal(grads["layer1.bias"], [1.0, -1.5])


def test_rows_of_wilson() -> None:
    np.testing.assert_array_equal(
        examples(np.array([1.0, -1.0])), [[1, 1, 1, 1, 0, 0, 0, 0, 0], [-1, 1, 1, 0, 1, 1, 1, 1, 1]]
    )


def test_gradient_descent_finds_the_shortest_solution_of_wilson_and_adam_another() -> None:
    problem = get_problem("wilson")
    assert isinstance(problem, Wilson)
    start = problem.start(0)["weight"]
    shortest = start + np.linalg.lstsq(problem.x, problem.y - problem.x @ start, rcond=None)[0]
    found = {}
    for name, optimizer in (("sgd", adamas.SGD(lr=0.3)), ("adam", adamas.Adam(lr=0.01))):
        params, gradient = problem.start(0), problem.gradients(0, 4000)
        for step in range(4000):
            optimizer.step(params, gradient(params, step))
        assert problem.evaluate(params).train < 1e-10
        found[name] = params["weight"]
    np.testing.assert_allclose(found["sgd"], shortest, atol=1e-4)
    positive = np.mean(problem.y > 0)
    for weight in found.values():
        w0, w12 = weight[0], weight[1] + weight[2]
        by_hand = (positive * (w0 + w12 - 1) ** 2 + (1 - positive) * (w12 - w0 + 1) ** 2) / 2
        assert problem.evaluate({"weight": weight}).valid == pytest.approx(by_hand, rel=1e-12)
    np.testing.assert_allclose(found["adam"][:3], 0.25, atol=2e-3)
    # 3/4 for every fresh example of label 1, 1/4 for every one of label -1
    expected = (positive * 0.25**2 + (1 - positive) * 1.25**2) / 2
    assert problem.evaluate({"weight": found["adam"]}).valid == pytest.approx(expected, rel=0.01)
    assert problem.evaluate({"weight": found["sgd"]}).valid < 2e-4


def test_diabetes_network_holds_out_a_fifth() -> None:
    problem = get_problem("diabetes-mlp")
    assert isinstance(problem, DiabetesNetwork)
    (x, y), (held_x, held_y) = problem.parts
    assert (x.shape, y.shape, held_x.shape, held_y.shape) == ((354, 10), (354, 1), (88, 10), (88, 1))
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(y.std(), 1, rtol=1e-6)
    zero = {name: np.zeros_like(value) for name, value in problem.start(0).items()}
    assert problem.evaluate(zero).train == pytest.approx(0.5, rel=1e-6)
    assert problem.evaluate(zero).valid == pytest.approx(np.mean(held_y**2) / 2, rel=1e-6)


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
    for module in problem.needs:
        pytest.importorskip(module)
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
