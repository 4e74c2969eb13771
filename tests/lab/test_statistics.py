"""Statistics against values worked out by hand, and laws that must hold for any data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from adamas.lab.statistics import (
    Comparison,
    bootstrap_median,
    compare_all,
    holm,
    log_ratios,
    median,
    quantile,
    quantiles,
    rate_width,
    signed_rank_p,
    steps_to_target,
)
from adamas.lab.verdict import seeds_needed

INF = math.inf
finite = st.floats(-1e6, 1e6)
samples = st.lists(finite, min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("losses", "target", "expected"),
    [
        ([5, 1, 1, 1, 1], 1, 10),  # the first of the row, not the third
        ([5, 1, 1, 2, 1, 1, 1], 1, 40),  # two in a row are not enough
        ([5, 1, 1], 1, INF),  # the budget ends within the row
        ([1, 1, 1], 1, 0),  # at the start already
        ([5, math.nan, 1, 1, 1], 1, 20),  # NaN is not reached
        ([5, 1, math.nan, 1, 1], 1, INF),
        ([5, 4, 3], 1, INF),
        ([], 1, INF),
    ],
)
def test_steps_to_target(losses: list[float], target: float, expected: float) -> None:
    assert steps_to_target([10 * i for i in range(len(losses))], losses, target) == expected


def test_steps_to_target_with_another_row_length() -> None:
    assert steps_to_target([0, 1, 2, 3], [3, 1, 2, 1], 1, consecutive=1) == 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0], 3), ([1, 3], 2), ([1, INF], INF), ([INF, INF], INF), ([1, 2, INF], 2), ([1, 2, INF, INF], INF),
        ([1, 2, 3, INF], 2.5), ([-INF, INF], 0), ([-INF, 4, INF], 4),
    ],
)  # fmt: skip
def test_median_with_infinity(values: list[float], expected: float) -> None:
    assert median(values) == expected


def test_quantile_by_hand() -> None:
    assert quantile([1, 2, 3, 4, 5], 0.25) == 2
    assert quantile([1, 2, 3, 4], 0.25) == 1.75
    assert quantile([0, 10, INF], 0.75) == INF


@pytest.mark.parametrize(("values", "q"), [([], 0.5), ([math.nan, 1], 0.5), ([1.0], 1.5)])
def test_quantile_refuses(values: list[float], q: float) -> None:
    with pytest.raises(ValueError, match="give"):
        quantile(values, q)


@given(samples, st.floats(0, 1))
def test_quantile_equals_numpy_on_finite_values(values: list[float], q: float) -> None:
    expected = float(np.quantile(values, q))
    assert quantile(values, q) == pytest.approx(expected, rel=1e-12, abs=1e-6)


@given(st.lists(st.one_of(finite, st.just(INF)), min_size=1, max_size=9))
def test_a_censored_run_never_lowers_the_median(values: list[float]) -> None:
    assert median([*values, INF]) >= median(values)


def test_log_ratios_of_censored_and_zero_values() -> None:
    found = log_ratios([2, INF, INF, 1, 0, 0], [1, INF, 1, INF, 1, 0])
    assert found.tolist() == [math.log(2), 0, INF, -INF, -INF, 0]


def test_log_ratios_refuse_unequal_lengths() -> None:
    with pytest.raises(ValueError, match="2 and 1 values"):
        log_ratios([1, 2], [1])


def test_bootstrap_interval_of_constant_differences_is_that_constant() -> None:
    assert bootstrap_median(np.full(7, 0.3)) == (0.3, 0.3)


def test_bootstrap_interval_against_the_exact_distribution() -> None:
    """For n = 5 and odd resamples P(median <= second) = P(Binomial(5, 2/5) >= 3) = 0.317, of the first 0.058."""
    low, high = bootstrap_median(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert (low, high) == (1.0, 5.0)
    nine = np.arange(1.0, 10.0)  # P(median <= 2) = P(Binomial(9, 2/9) >= 5) = 0.029, of 1 = 0.001: low is 2
    assert bootstrap_median(nine) == (2.0, 8.0)


def test_bootstrap_with_infinities() -> None:
    low, high = bootstrap_median(np.array([0.1, 0.2, 0.3, INF, INF]))
    assert (low, high) == (0.1, INF)
    assert bootstrap_median(np.array([INF, INF, INF])) == (INF, INF)


@given(samples)
def test_bootstrap_is_the_same_again_lies_within_the_data_and_turns_with_the_sign(values: list[float]) -> None:
    d = np.array(values)
    low, high = bootstrap_median(d, resamples=400)
    assert (low, high) == bootstrap_median(d, resamples=400)
    assert d.min() <= low <= high <= d.max()
    assert low <= median(d) <= high or len(values) < 4
    assert bootstrap_median(-d, resamples=400) == (-high, -low)


def test_signed_rank_by_hand() -> None:
    assert signed_rank_p(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == 2 / 32
    assert signed_rank_p(np.array([0.0, 0.0])) == 1
    # ranks 1 2 3; |W| = |-1 + 2 + 3| = 4; patterns with |W| >= 4: 6, 4 and their negatives: 4 of 8
    assert signed_rank_p(np.array([-1.0, 2.0, 3.0])) == 0.5
    assert signed_rank_p(np.array([INF] * 5)) == 2 / 32


@given(st.lists(st.integers(-50, 50), min_size=3, max_size=10, unique_by=abs).filter(lambda v: 0 not in v))
def test_signed_rank_equals_scipy_without_ties(values: list[int]) -> None:
    d = np.array(values, np.float64)
    assert signed_rank_p(d) == pytest.approx(float(wilcoxon(d, method="exact").pvalue), abs=1e-12)


def test_signed_rank_of_many_pairs_is_close_to_scipy() -> None:
    d = np.random.default_rng(0).normal(0.3, 1, 30)
    assert signed_rank_p(d) == pytest.approx(float(wilcoxon(d, method="exact").pvalue), abs=0.01)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_never_lowers_a_p_and_keeps_the_order(p: list[float]) -> None:
    adjusted = holm(p)
    assert all(a >= b for a, b in zip(adjusted, p, strict=True))
    order = np.argsort(p, kind="stable")
    assert sorted(adjusted) == [adjusted[i] for i in order]


def test_distinguishable_needs_interval_and_p() -> None:
    assert Comparison(0.5, 0.4, 0.6, 0.01, neutral=1.0).distinguishable
    assert not Comparison(0.5, 0.4, 1.0, 0.01, neutral=1.0).distinguishable
    assert not Comparison(0.5, 0.4, 0.6, 0.05, neutral=1.0).distinguishable


def test_compare_all_gives_ratios_and_finds_a_clear_difference_only() -> None:
    clear = np.log(np.linspace(0.4, 0.6, 10))
    noise = np.array([0.1, -0.1, 0.2, -0.2, 0.3, -0.3, 0.4, -0.4, 0.5, -0.5])
    found = compare_all({"clear": clear, "noise": noise}, ratio=True)
    assert found["clear"].centre == pytest.approx(0.5, rel=1e-2)
    assert found["clear"].distinguishable
    assert found["clear"].p == pytest.approx(2 * 2 / 1024)
    assert not found["noise"].distinguishable
    assert compare_all({"all censored": np.array([INF] * 6)}, ratio=True)["all censored"].centre == INF


def test_seeds_needed_follows_from_the_smallest_p() -> None:
    assert seeds_needed(1) == 6  # 2/32 = 0.0625 is too much, 2/64 is not
    assert seeds_needed(7) == 9  # 14/256 = 0.0547, 14/512 = 0.027


def test_rate_width_counts_neighbours_of_the_best_only() -> None:
    rates = [1e-3, 1e-2, 1e-1, 1.0, 10.0]
    assert rate_width(rates, [0.1, 0.9, 0.2, 0.1, INF], start=2.0) == 0  # 0.2 <= 0.29, but 0.9 is between
    assert rate_width(rates, [0.9, 0.2, 0.1, 0.15, INF], start=2.0) == pytest.approx(2)
    assert rate_width(rates, [INF] * 5, start=2.0) == 0


def test_quantiles_are_those_of_every_column() -> None:
    inf = math.inf
    columns = [[1.0, 2.0, 4.0, 8.0], [1.0, inf, inf, inf], [-inf, -inf, inf, inf], [inf] * 4]
    for rows in (4, 3, 1):
        table = np.array(columns).T[:rows]
        for share, found in zip(
            (0.0, 0.25, 0.5, 0.75, 1.0), quantiles(table, (0.0, 0.25, 0.5, 0.75, 1.0)), strict=True
        ):
            assert found.tolist() == [quantile(column, share) for column in table.T]
