"""The studies of the step itself: key numbers against formulas and reference figures, and the verdicts."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from matplotlib.figure import Figure

import adamas
from adamas.lab.studies import Outcome, get_study
from adamas.lab.studies._alternating import LONG, SHORT, falling
from adamas.lab.studies._capped import WatchedAdam


@cache
def outcome(name: str) -> Outcome:
    return get_study(name).run()


def axes_of(name: str) -> list[str]:
    """Draws the figure; every panel must have its title and both labels."""
    figure = Figure(figsize=(9.2, 4.2))
    outcome(name).draw(figure)
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    assert all(axes.get_title() and axes.get_xlabel() and axes.get_ylabel() for axes in panels)
    return [axes.get_title() for axes in panels]


def test_bias_correction_is_the_formula_and_the_belief_is_wrong() -> None:
    numbers = outcome("bias-correction").numbers
    factor = {t: (1 - 0.9**t) / math.sqrt(1 - 0.999**t) for t in range(1, 2001)}
    assert numbers["ratio_at_steps_1_12_100_1000"] == pytest.approx([factor[t] for t in (1, 12, 100, 1000)], rel=1e-12)
    assert numbers["peak_step"] == max(factor, key=factor.__getitem__) == 12
    assert numbers["peak_ratio"] == pytest.approx(6.57, abs=0.005)
    first = {beta2: pair[0] for beta2, pair in numbers["first_and_largest_ratio_by_beta2"].items()}
    assert first == pytest.approx({b: 0.1 / math.sqrt(1 - float(b)) for b in first}, rel=1e-9)
    assert numbers["relative_error_of_the_formula"] < 1e-12
    assert not outcome("bias-correction").passed
    assert len(axes_of("bias-correction")) == 1


def test_bias_correction_on_a_bowl_the_order_turns() -> None:
    numbers = outcome("bias-correction-on-a-bowl").numbers
    at = [numbers["rates"].index(lr) for lr in (0.1, 0.3, 0.5)]
    assert [numbers["steps_to_0.01_Adam"][k] for k in at] == [101, 52, 15]
    assert [numbers["steps_to_0.01_uncorrected"][k] for k in at] == [37, 51, 39]
    assert numbers["longest_step_over_lr_Adam"] == pytest.approx([1] * 5, abs=1e-6)  # no step exceeds lr here
    assert not outcome("bias-correction-on-a-bowl").passed
    assert len(axes_of("bias-correction-on-a-bowl")) == 2


def test_the_alternating_game_in_plain_arithmetic() -> None:
    x, expected = 0.0, []
    for t in range(1, 31):
        x = min(1.0, max(-1.0, x - 0.1 / math.sqrt(t) * (3.0 if t % 3 == 1 else -1.0)))
        expected.append(x)
    np.testing.assert_allclose(SHORT.play(adamas.SGD(lr=falling(0.1)), 30)[1:], expected, rtol=1e-13)
    total = sum(LONG.steep if t % LONG.period == 1 else -LONG.gentle for t in range(1, 102))
    assert total == 10  # over a period the loss falls towards -1


def test_amsgrad_counterexample() -> None:
    found = outcome("amsgrad-counterexample")
    assert found.numbers["short_game_Adam_at_100_1000_10000"] == pytest.approx([0.338, 0.997, 0.999], abs=1e-3)
    assert found.numbers["short_game_AMSGrad_at_100_1000_10000"] == pytest.approx([-0.274, -0.774, -1.0], abs=1e-3)
    assert found.numbers["long_game_Adam_at_100_1000_10000"][2] > 0.9
    assert found.numbers["long_game_at_50000"]["AMSGrad"] < -0.99
    assert found.passed
    assert len(axes_of("amsgrad-counterexample")) == 2


@pytest.mark.slow
def test_large_beta2_turns_the_drift() -> None:
    found = outcome("large-beta2-converges")
    drift = dict(zip(found.numbers["beta2"], found.numbers["drift"], strict=True))
    ends = dict(zip(found.numbers["beta2"], found.numbers["x_at_30000"], strict=True))
    assert ends[0.99] > 0.9
    assert drift[0.999] > 0.01  # negative, but on its way to the worst point
    assert ends[0.999] < 0
    assert drift[0.9999] < -0.01
    assert found.passed
    assert len(axes_of("large-beta2-converges")) == 1


def test_watched_adam_measures_and_caps() -> None:
    optimizer = WatchedAdam(capped=True, lr=0.5, betas=(0.9, 0.99), eps=0.0)
    params = {"a": np.zeros(2), "b": np.zeros(1)}
    optimizer.step(params, {"a": np.ones(2), "b": np.ones(1)})
    assert params["a"] == pytest.approx([-0.5, -0.5])
    optimizer.step(params, {"a": np.array([1.0, 3.0]), "b": np.ones(1)})
    second = (0.99 * 0.01 + 0.01 * 9) / (1 - 0.99**2)
    assert optimizer.rms == pytest.approx([1.0, math.sqrt((1 + 9 / second) / 2)], rel=1e-9)
    plain = WatchedAdam(capped=False, lr=0.5, betas=(0.9, 0.99), eps=0.0)
    free = {"a": np.zeros(2), "b": np.zeros(1)}
    plain.step(free, {"a": np.ones(2), "b": np.ones(1)})
    plain.step(free, {"a": np.array([1.0, 3.0]), "b": np.ones(1)})
    assert (params["a"] + 0.5) * optimizer.rms[1] == pytest.approx(free["a"] + 0.5, rel=1e-12)


@pytest.mark.slow
def test_stale_second_moment() -> None:
    found = outcome("stale-second-moment")
    longest = found.numbers["longest_step_over_lr"]

    # after k steps of size K behind n steps of 1, in closed form
    def length(beta2: float, size: float, k: int, n: int = 5000) -> float:
        m = 1 + (size - 1) * (1 - 0.9**k) - 0.9 ** (n + k)
        v = (1 - beta2**n) * beta2**k + size**2 * (1 - beta2**k)
        return m / (1 - 0.9 ** (n + k)) / math.sqrt(v / (1 - beta2 ** (n + k)))

    for beta2 in (0.999, 0.99, 0.95):
        for size in (3, 10, 100):
            expected = max(length(beta2, size, k) for k in range(61))
            assert longest[f"{beta2:g}, jump to {size}"] == pytest.approx(expected, rel=1e-9)
    assert longest["0.999, jump to 100"] == pytest.approx(6.57, abs=0.03)
    assert found.numbers["rms_at_a_jump_to_100"] == pytest.approx({"0.999": 30.2, "0.99": 9.9, "0.95": 4.5}, rel=0.01)
    assert found.numbers["longest_capped_step_over_lr_jump_to_100"] == pytest.approx(1.0, abs=1e-9)
    assert min(found.numbers["rms_at_the_bad_batch"]) > 2.3 > max(found.numbers["largest_rms_of_300_steps_before"])
    capped, free = (found.numbers[f"rise_of_the_loss{word}"] for word in ("_capped", ""))
    assert all(1 < a < b < 1.2 for a, b in zip(capped, free, strict=True))
    assert found.passed
    assert len(axes_of("stale-second-moment")) == 2


def test_scale_equivariance() -> None:
    found = outcome("scale-equivariance")
    assert max(found.numbers["distance_from_unscaled_path_eps_scaled_along"]) <= 1e-12
    assert found.numbers["first_step_over_lr_where_gradient_equals_eps"] == pytest.approx(0.5, abs=1e-12)
    assert found.numbers["distance_from_unscaled_path_eps_fixed"][0] > 1  # gradients below eps: another path
    assert found.passed
    assert len(axes_of("scale-equivariance")) == 2


def test_rotation() -> None:
    found = outcome("rotation")
    assert found.numbers["gradient_descent_relative_difference"] < 1e-9
    assert min(found.numbers["adam_ratio_of_steps"]) > 3
    assert found.passed
    assert len(axes_of("rotation")) == 1


def test_cautious_is_faster_but_no_easier_to_tune_on_rosenbrock() -> None:
    found = outcome("cautious")
    for name in ("rosenbrock", "t0-bowl", "quadratic"):
        steps = found.numbers[f"best_steps_{name}"]
        assert steps["cautious Adam"] <= 0.9 * steps["Adam"]
    assert found.numbers["rates_that_reach_the_target_rosenbrock"] == {"Adam": 7, "cautious Adam": 6}
    assert not found.passed
    assert len(axes_of("cautious")) == 2


@pytest.mark.slow
def test_warmup_and_radam() -> None:
    found = outcome("warmup-radam")
    first = found.numbers["first_rectified_step"]
    limit = 2 / (1 - 0.999) - 1

    def rho(t: int) -> float:
        return limit - 2 * t * 0.999**t / (1 - 0.999**t)

    assert rho(first - 1) <= 5 < rho(first)
    assert found.numbers["factor_at_first_100_1000_5000"][1:] == pytest.approx([0.215, 0.645, 0.983], abs=6e-4)
    assert not found.passed
    assert len(axes_of("warmup-radam")) == 2


@pytest.mark.slow
def test_equal_betas_are_near_the_best_pair() -> None:
    found = outcome("equal-betas")
    table = np.array(found.numbers["loss_by_beta1_then_beta2"])
    assert found.numbers["equal_over_best"] == pytest.approx(found.numbers["best_loss_of_equal_betas"] / table.min())
    assert 1 <= found.numbers["equal_over_best"] <= 1.1
    assert found.passed
    assert len(axes_of("equal-betas")) == 1
