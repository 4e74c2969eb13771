"""The studies of the tutorials: key numbers against formulas and reference results, and the verdicts."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from adamas.lab.studies import Outcome, get_study


@cache
def outcome(name: str) -> Outcome:
    """Each study once."""
    return get_study(name).run()


def factor(t, beta1=0.9, beta2=0.999):
    """Step without bias correction over the step with it, under a constant gradient."""
    return (1 - beta1**t) / np.sqrt(1 - beta2**t)


# ---- which Adam is this?


def test_power_misprint_ends_in_nan_because_the_first_gradient_is_negative():
    found = outcome("which-adam-power-misprint")

    assert found.numbers["steps_with_finite_parameters"] == {
        "as printed": 0,
        "only the powers": 30,
        "only g not squared": 0,
    }
    assert found.numbers["final_value_adam"] == pytest.approx(0.10220501224574535, rel=1e-5)  # there with eps-hat
    assert found.numbers["largest_distance_from_adam"]["only the powers"] > 1
    assert not found.passed


def test_eps_under_the_root_acts_as_its_root_beside_it():
    found = outcome("which-adam-eps-inside")
    steps = found.numbers["first_step_over_lr"]
    g = np.array(found.numbers["gradients"])

    assert steps["eps under the root (its text)"] == pytest.approx(g / np.sqrt(g * g + 1e-7), rel=1e-12)
    assert steps["Algorithm 1"] == pytest.approx(g / (g + 1e-7), rel=1e-12)
    root = np.sqrt(0.001)
    assert steps["folded (the tutorial's code)"] == pytest.approx(g * root / (g * root + 1e-7), rel=1e-9)
    assert found.numbers["largest_distance_on_the_bowl"] < 1e-6
    assert not found.passed


def test_without_the_root_the_first_step_is_lr_times_the_gradient():
    found = outcome("which-adam-no-root")
    steps = found.numbers["first_step_over_lr_by_scale"]

    assert steps["printed"] == pytest.approx({"0.01": 0.04, "1": 4.0, "100": 400.0}, rel=1e-12)  # gradient in y: 4
    assert list(steps["Adam"].values()) == pytest.approx([1, 1, 1], abs=1e-5)
    assert found.numbers["largest_distance_from_adam"] > 1
    assert found.numbers["moved_by_scaling_the_function_by_100"]["printed"] > 1e6
    assert found.numbers["moved_by_scaling_the_function_by_100"]["Adam"] < 1e-5
    assert not found.passed


def test_multiplied_corrections_and_the_turned_gradient():
    found = outcome("which-adam-wrong-product")
    t = np.array([1, 10, 100, 1000])
    # without correction a step is factor(t) of the right one; the printed line multiplies by both corrections
    expected = factor(t) * (1 - 0.9**t) * (1 - 0.999**t)

    assert list(found.numbers["step_over_algorithm_1_at_t"].values()) == pytest.approx(expected, rel=1e-5)
    slopes = found.numbers["slope_after_1000_steps"]
    assert slopes["Algorithm 1"] == pytest.approx(2, abs=1e-3)
    assert slopes["both as printed"] < -1
    assert not found.passed


# ---- t


def test_a_counter_from_zero_leaves_nothing_finite():
    found = outcome("division-by-zero-at-t0")

    assert found.numbers["finite_parameters_counted_from_0"] == [2] + [0] * 50
    assert found.numbers["first_step_counted_from_1"] == pytest.approx([0.1, 0.1], abs=1e-8)
    assert "division by zero" in found.numbers["adamas_says"]
    assert found.passed


def test_restarting_t_changes_the_steps():
    found = outcome("t-restarts-each-epoch")
    t = np.array([5, 37, 397])
    expected = factor(t) / factor(1)

    assert list(found.numbers["restarted_step_over_algorithm_1"].values()) == pytest.approx(expected, rel=1e-12)
    for reached in found.numbers["epochs_to_10_percent"].values():
        assert reached["restarted"] < reached["Algorithm 1"]
    divisors = found.numbers["epochs_to_10_percent_by_divisor"]
    assert divisors["SGD"]["whole set"] > 2 * divisors["SGD"]["batch"]
    assert abs(divisors["Adam"]["whole set"] - divisors["Adam"]["batch"]) <= 2
    slope = found.numbers["slope"]
    assert abs(slope["last batch dropped"] - slope["least squares"]) > 5 * abs(
        slope["all batches"] - slope["least squares"]
    )
    assert not found.passed


# ---- T3


def test_the_impossible_two_and_a_half():
    pytest.importorskip("torch")
    found = outcome("the-impossible-2-5")

    assert found.numbers["start"] == pytest.approx({"weight": -0.249, "bias": 0.045}, abs=5e-4)
    end = found.numbers["after_1000_steps"]
    assert end == pytest.approx({"weight": 0.645, "bias": 0.786, "loss": 2.0005}, abs=3e-3)  # 2.0005: one step before
    assert found.numbers["largest_step_over_lr"] <= 1
    assert found.numbers["weights_from_other_starts"]["highest"] <= 2
    assert found.numbers["weight_after_6000_steps"] == pytest.approx(2, abs=1e-3)
    assert not found.passed


# ---- T2


def test_swapped_moments_fail():
    found = outcome("moments-cannot-swap-roles")

    assert found.numbers["value_at_the_start"] == pytest.approx(49 / 20 + 4, rel=1e-15)
    assert found.numbers["share_of_the_start"]["Adam"] < 0.1
    assert found.numbers["best_final_value"]["v / sqrt(m)"] is None  # the first gradient in x is negative
    assert found.numbers["share_of_the_start"]["sqrt(v) / |m|"] > 0.1
    assert found.passed
