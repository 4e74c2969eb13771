"""Running times, distributions, profiles, tuning curves and spikes against values by hand and by brute force."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adamas.lab.profiles import areas, areas_over_seeds, ecdf, expected_running_time, performance_profiles
from adamas.lab.spikes import find_spikes
from adamas.lab.statistics import expected_excess, median, tuning_curve

INF = math.inf
costs = st.one_of(st.integers(1, 40).map(float), st.just(INF))


def test_running_time_by_hand() -> None:
    assert expected_running_time([10, 20, INF], 100) == 130 / 2
    assert expected_running_time([0, 0], 100) == 0
    assert expected_running_time([INF, INF], 100) == INF


@pytest.mark.parametrize(("steps", "budget"), [([], 10), ([1.0], 0)])
def test_running_time_refuses(steps: list[float], budget: int) -> None:
    with pytest.raises(ValueError, match="give at least one run"):
        expected_running_time(steps, budget)


def test_ecdf_by_hand() -> None:
    assert ecdf([5, 2, INF, 5]) == ([2, 5], [0.25, 0.75])
    assert ecdf([INF]) == ([], [])
    with pytest.raises(ValueError, match="no NaN"):
        ecdf([math.nan])


@given(st.lists(costs, min_size=1, max_size=12), st.integers(0, 41))
def test_ecdf_equals_counting(values: list[float], place: int) -> None:
    places, shares = ecdf(values)
    height = max((s for p, s in zip(places, shares, strict=True) if p <= place), default=0.0)
    assert height == sum(v <= place for v in values) / len(values)


def test_profiles_by_hand() -> None:
    found = performance_profiles({"a": [10, 10, INF, INF], "b": [20, 10, 30, INF]})
    assert (found["a"].ratios, found["a"].shares) == ([1], [0.5])
    assert (found["b"].ratios, found["b"].shares) == ([1, 2], [0.5, 0.75])
    assert found["a"].area() == 0.5
    assert found["b"].area() == pytest.approx((0.5 * 1 + 0.75 * 2) / 3)
    assert found["b"].area(widest=2.0) == 0.5


def test_a_faster_competitor_lowers_the_others() -> None:
    alone = performance_profiles({"a": [10.0, 10.0]})["a"].area()
    beaten = performance_profiles({"a": [10.0, 10.0], "b": [4.0, 1.0]})["a"].area()
    assert (alone, beaten) == (1.0, pytest.approx(0.5 * (4 - 2.5) / 3))


@pytest.mark.parametrize("table", [{"a": [1.0], "b": [1.0, 2.0]}, {"a": []}, {"a": [0.0]}, {"a": [math.nan]}])
def test_profiles_refuse(table: dict[str, list[float]]) -> None:
    with pytest.raises(ValueError, match=r"instances|positive"):
        performance_profiles(table)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(costs, costs, costs), min_size=1, max_size=6))
def test_area_equals_a_fine_sum_over_the_profile(rows: list[tuple[float, float, float]]) -> None:
    by_solver = dict(zip("abc", map(list, zip(*rows, strict=True)), strict=True))
    at_once = areas(np.array(list(by_solver.values())))
    middles = 1 + 3 * (np.arange(1500) + 0.5) / 1500
    for solver, area in zip("abc", at_once, strict=True):
        heights = []
        for tau in middles:
            solved = [math.isfinite(min(row)) and by_solver[solver][i] <= tau * min(row) for i, row in enumerate(rows)]
            heights.append(sum(solved) / len(rows))
        assert area == pytest.approx(np.mean(heights), abs=2e-3)
        assert area == pytest.approx(performance_profiles(by_solver)[solver].area(), abs=1e-12)


def test_areas_over_seeds_are_those_of_the_medians_and_certain_when_all_seeds_agree() -> None:
    one = {"a": np.array([[10.0, 10, 10], [20, 20, 20]]), "b": np.array([[20.0, 20, 20], [20, 20, 20]])}
    two = {"a": np.array([[INF, INF, INF]]), "b": np.array([[7.0, 7, 7]])}
    found = areas_over_seeds([one, two])
    assert found.values["a"] == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    b = (2 / 3 + 1 + 1) / 3
    assert found.values["b"] == pytest.approx((b, b, b))
    assert found.lead is not None
    assert found.lead[:2] == ("b", "a")
    assert found.lead[2:] == pytest.approx((b - 2 / 3,) * 3)
    assert areas_over_seeds([{"a": np.ones((1, 3))}]).lead is None


def test_areas_over_seeds_widen_with_the_seeds_and_pair_them() -> None:
    random = np.random.default_rng(1)
    noise = random.integers(50, 150, (3, 9)).astype(float)
    found = areas_over_seeds([{"a": noise, "b": noise * 1.5, "c": noise[:, ::-1].copy()}])
    value, low, high = found.values["a"]
    assert low < value <= high or low <= value < high
    # b is always 1.5 times a, whatever seeds are drawn: its area never exceeds a's
    assert found.values["b"][2] < found.values["a"][2]


@given(st.lists(costs, min_size=1, max_size=9))
def test_vectorised_medians_are_those_of_the_statistics(values: list[float]) -> None:
    other = 8.0  # against a constant competitor the area of one instance shows the median
    found = areas_over_seeds([{"a": np.array([values]), "b": np.full((1, len(values)), other)}], resamples=2)
    expected = areas(np.array([[median(values)], [other]]))
    assert found.values["a"][0] == pytest.approx(float(expected[0]))


def test_tuning_curve_by_hand() -> None:
    assert tuning_curve([4.0, 1.0, 2.0], start=9.0) == pytest.approx([7 / 3, 4 / 3, 1.0])
    assert tuning_curve([INF, 1.0], start=3.0) == pytest.approx([2.0, 1.0])
    with pytest.raises(ValueError, match="one loss per trial"):
        tuning_curve([], 1.0)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=7))
def test_tuning_curve_equals_all_subsets(losses: list[float]) -> None:
    for k, found in enumerate(tuning_curve(losses, start=1e9), 1):
        subsets = list(combinations(losses, k))
        assert found == pytest.approx(sum(map(min, subsets)) / len(subsets), abs=1e-9)


def test_expected_excess_by_hand() -> None:
    assert expected_excess([1.0, 2.0, INF, 9.0], start=4.0) == (0 + 1 + 3 + 3) / 4
    assert expected_excess([INF, INF], start=4.0) == 0
    with pytest.raises(ValueError, match="learning rate"):
        expected_excess([], 1.0)


def test_spikes_injected_into_noise_are_found_and_nothing_else() -> None:
    hits = misses = false = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        losses = 2 * np.exp(-np.arange(300) / 100) + 1 + random.normal(0, 0.02, 300)
        injected = sorted(random.choice(np.arange(40, 290, 25), 4, replace=False))
        losses[injected] += 1.0
        found = find_spikes(losses.tolist())
        hits += len(set(found) & set(injected))
        misses += len(set(injected) - set(found))
        false += len(set(found) - set(injected))
    assert hits / (hits + misses) == 1.0
    assert hits / (hits + false) >= 0.95


def test_falling_constant_and_rounding_curves_have_no_spikes() -> None:
    assert find_spikes([math.exp(-i / 10) for i in range(100)]) == []
    assert find_spikes([1.0] * 50) == []
    assert find_spikes([1.0 + 1e-9 * (i % 7) for i in range(50)]) == []
    assert find_spikes([1.0] * 20 + [0.1] * 20) == []  # one-sided


def test_a_jump_that_lasts_counts_once_and_infinity_counts() -> None:
    assert find_spikes([1.0] * 20 + [5.0] * 4 + [1.0] * 30) == [20]
    assert find_spikes([1.0] * 20 + [5.0, 6.0, 7.0] + [1.0] * 30) == [20]  # still rising: the same spike
    assert find_spikes([1.0] * 20 + [math.nan]) == [20]
    assert find_spikes([1.0] * 10 + [5.0]) == []  # fewer values before it than the window


@pytest.mark.parametrize(("window", "threshold"), [(2, 6.0), (15, 0.0), (15, math.nan)])
def test_spike_settings_are_checked(window: int, threshold: float) -> None:
    with pytest.raises(ValueError, match="give 3 or more"):
        find_spikes([1.0], window, threshold)
