"""Combinations of the tasks' gradients, against what their papers state, by other means; the trunk's gradients."""

from __future__ import annotations

import numpy as np
import pytest

from adamas.lab.studies._multitask import COMBINATIONS, Trunk, cagrad, cosine, gradnorm, pcgrad, plain_sum

ONES = np.ones(2)


def test_sum():
    assert plain_sum()(np.array([[1.0, 2.0], [3.0, -4.0]]), ONES).tolist() == [4, -2]


@pytest.mark.parametrize("name", COMBINATIONS)
def test_equal_gradients_are_left_alone(name):
    g = np.array([[3.0, -1.0, 0.5]])
    together = COMBINATIONS[name](0)(np.repeat(g, 2, axis=0), ONES)

    assert cosine(together, g[0]) == pytest.approx(1, abs=1e-12)


def test_pcgrad_takes_away_the_conflicting_part_only():
    a, b = np.array([1.0, 0.0]), np.array([-1.0, 1.0])
    # a loses its part along b: a + b/2 = (0.5, 0.5); b loses its part along a: (0, 1)
    assert pcgrad(0)(np.array([a, b]), ONES) == pytest.approx([0.5, 1.5], abs=1e-15)
    agreeing = np.array([[1.0, 0.2], [0.3, 1.0]])
    assert pcgrad(0)(agreeing, ONES) == pytest.approx(agreeing.sum(axis=0), abs=1e-15)


def test_cagrad_has_the_largest_worst_gain_in_its_ball():
    """The primal problem by brute force over directions: max min_i g_i d, |d - g0| = c |g0|."""
    rng = np.random.default_rng(3)
    angle = np.linspace(0, 2 * np.pi, 200_001)
    for _ in range(5):
        g = rng.standard_normal((2, 2)) * [[1.0, 1.0], [3.0, 3.0]]
        mean = g.mean(axis=0)
        ball = mean + 0.5 * np.linalg.norm(mean) * np.column_stack([np.cos(angle), np.sin(angle)])
        best = (ball @ g.T).min(axis=1).max()
        found = cagrad(0.5)(g, ONES) / 2

        assert np.linalg.norm(found - mean) == pytest.approx(0.5 * np.linalg.norm(mean), rel=1e-9)
        assert (g @ found).min() == pytest.approx(best, abs=0.02 * np.abs(g @ g.T).max())


def test_gradnorm_favours_small_gradients_and_slow_tasks():
    combine = gradnorm(alpha=0.0)
    for _ in range(300):
        combine(np.array([[4.0, 0.0], [0.0, 1.0]]), ONES)
    large, small = combine(np.array([[4.0, 0.0], [0.0, 1.0]]), ONES)
    assert large == pytest.approx(small, rel=0.2)  # 4 w1 = w2

    slow = gradnorm(alpha=1.0)
    slow(np.eye(2), np.array([1.0, 1.0]))
    for _ in range(50):
        first, second = slow(np.eye(2), np.array([0.2, 0.9]))
    assert second > first


def test_trunk_gradients_are_those_of_finite_differences():
    rng = np.random.default_rng(0)
    trunk, x = Trunk(3, 4, (1, 3)), rng.standard_normal((6, 3))
    targets = [rng.standard_normal(6), rng.integers(0, 3, 6)]
    params = trunk.start(rng)
    _, gradients, heads = trunk.losses(params, x, targets)
    h = 1e-6

    def slopes(name):
        found = np.zeros((2, params[name].size))
        for i in range(params[name].size):
            for sign in (1, -1):
                params[name].flat[i] += sign * h
                found[:, i] += sign * trunk.losses(params, x, targets)[0] / (2 * h)
                params[name].flat[i] -= sign * h
        return found

    assert gradients == pytest.approx(slopes("trunk"), abs=1e-8)
    for k in (0, 1):
        assert heads[f"head{k}"].ravel() == pytest.approx(slopes(f"head{k}")[k], abs=1e-8)
