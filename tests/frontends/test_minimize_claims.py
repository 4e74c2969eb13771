"""`adamas.minimize`: no success without proof. What a check tries, what it costs, and every way in which it is refused."""

import math

import numpy as np
import pytest

from adamas import minimize, schedules
from adamas._objective import Objective
from adamas._proof import Point, falls, lines, turns
from adamas._tolerances import Tolerances


def far(x):
    return (x[0] - 1e6) ** 2


def far_grad(x):
    return 2.0 * (x - 1e6)


def bowl(x):
    """Minimum 0 at (1, -2); curvatures 2 and 20."""
    return (x[0] - 1.0) ** 2 + 10.0 * (x[1] + 2.0) ** 2


def bowl_grad(x):
    return np.array([2.0 * (x[0] - 1.0), 20.0 * (x[1] + 2.0)])


def banana(x):
    return 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2


def banana_grad(x):
    floor = x[1] - x[0] ** 2
    return np.array([-400.0 * x[0] * floor - 2.0 * (1.0 - x[0]), 200.0 * floor])


class Along:
    """An optimizer that goes where it is told."""

    def __init__(self, *points):
        self.points = list(points)

    def step(self, x, grad):
        x[:] = self.points.pop(0)


class Counted:
    """A function that remembers the points at which it was called."""

    def __init__(self, function):
        self.function, self.points = function, []

    def __call__(self, x):
        self.points.append(np.copy(x))
        return self.function(x)


# ---- standing still is no success


@pytest.mark.parametrize("name", ["tol", "ftol", "xtol", "gtol"])
@pytest.mark.parametrize("lr", [1e-3, 1e-9, 1e-300])
@pytest.mark.parametrize("jac", [None, far_grad])
def test_a_small_step_meets_no_tolerance_far_from_the_minimum(name, lr, jac):
    result = minimize(far, [0.0], jac=jac, lr=lr, steps=100, **{name: 1e-3})

    assert (result.success, result.status, result.nit) == (False, 1, 100)


def test_the_example_of_the_issue():
    assert not minimize(far, [0.0], tol=1e-3).success


def test_tol_is_not_met_by_a_small_gradient_alone():
    """The gradient at 0 is 2e-4, below tol; the minimum is a million away and 100 lower."""
    assert not minimize(lambda x: 1e-10 * far(x), [0.0], jac=lambda x: 1e-10 * far_grad(x), tol=1e-3, steps=50).success
    assert minimize(lambda x: 1e-10 * far(x), [0.0], jac=lambda x: 1e-10 * far_grad(x), gtol=1e-3, steps=50).success


def test_on_the_floor_of_a_curved_valley_the_way_along_it_is_tried():
    """At (-1, 1) the negative gradient gains 0.01 at most, less than ftol * loss = 0.04; the minimum is 4 lower."""
    at = Point(np.array([-1.0, 1.0]), banana([-1.0, 1.0]), banana_grad([-1.0, 1.0]), 0)
    objective = Objective(banana, (), banana_grad, np.full(2, -np.inf), np.full(2, np.inf), None)
    steepest, newton = lines(objective, at, at.x)
    assert not falls(objective, at, steepest, 0.04)
    assert falls(objective, at, newton, 0.04)
    result = minimize(banana, [-1.0, 1.0], jac=banana_grad, lr=1e-7, ftol=1e-2, steps=100)
    assert (result.success, result.message) == (
        False,
        "All 100 steps were done; a point tried from x lowers the loss by more than ftol=0.01.",
    )


def test_newtons_line_leads_to_the_minimum_of_a_quadratic():
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    matrix = turn @ np.diag([1.0, 3.0, 10.0, 100.0, 300.0, 1000.0]) @ turn.T
    x = rng.normal(size=6)
    objective = Objective(
        lambda y: 0.5 * y @ matrix @ y, (), lambda y: matrix @ y, np.full(6, -np.inf), np.full(6, np.inf), None
    )
    *_, newton = lines(objective, Point(x, 0.5 * x @ matrix @ x, matrix @ x, 0), x)

    # The rounds end with a residual of 1e-6 |g| at most; |g| <= 1000 |x|, and the smallest curvature is 1.
    assert newton.direction == pytest.approx(-x / np.abs(x).max(), abs=1e-3)


def test_the_lines_are_the_gradient_the_way_of_travel_and_newtons_all_downhill():
    at = Point(np.array([3.0, 1.0]), bowl([3.0, 1.0]), bowl_grad([3.0, 1.0]), 0)
    objective = Objective(bowl, (), bowl_grad, np.full(2, -np.inf), np.full(2, np.inf), None)
    steepest, travel, newton = lines(objective, at, np.array([1.0, 1.5]))

    assert steepest.direction == pytest.approx([-4.0 / 60.0, -1.0])
    assert steepest.slope == pytest.approx(60.0 + 16.0 / 60.0)
    assert travel.direction == pytest.approx([1.0, -0.25])  # the slope is 4 - 15: it is downhill as it was gone
    assert travel.slope == pytest.approx(11.0)
    assert newton.direction == pytest.approx([-2.0 / 3.0, -1.0], rel=1e-3)
    turned = list(lines(objective, at, np.array([5.0, 0.5])))[1]
    assert turned.direction == pytest.approx([1.0, -0.25])  # it was gone uphill, and is turned
    held = Objective(bowl, (), bowl_grad, np.array([3.0, -9.0]), np.full(2, 9.0), None)
    (only,) = lines(held, at, at.x)
    assert only.direction.tolist() == [0.0, -1.0]


def test_the_way_of_travel_begins_a_quarter_to_half_of_the_steps_back():
    objective = Objective(bowl, (), bowl_grad, np.full(2, -np.inf), np.full(2, np.inf), None)
    watch = Tolerances(None, 1.0, None, None, 1000, objective, 1000)
    for nit in range(200):
        x = np.array([float(nit), 0.0])
        assert watch.arrived(Point(x, 1.0, x, nit), Point(x, 1.0, x, nit), x) is None
        begun = watch.origins[0][0]
        assert (nit < 2 and begun == 0.0) or nit / 4 <= begun <= nit / 2


def test_a_gradient_with_the_wrong_sign_is_found_out():
    result = minimize(lambda x: x @ x, [1.0], jac=lambda x: -2.0 * x, lr=1e-9, ftol=1e-3, steps=50)

    assert not result.success


def test_the_end_of_the_steps_is_never_a_success():
    for tolerance in ({}, {"tol": 1e-30}):
        result = minimize(bowl, [3.0, 1.0], jac=bowl_grad, lr=0.1, steps=30, **tolerance)
        assert (result.success, result.status) == (False, 1)


def test_a_ladder_that_begins_below_the_spacing_of_floats_climbs_to_it():
    """At 1e9 floats are 1e-7 apart; the first rung is at 1e-9, the minimum at a distance of 1."""
    line_of = Objective(
        lambda x: abs(x[0] - 1e9 - 1.0), (), lambda x: [-1.0], np.full(1, -np.inf), np.full(1, 9e9), None
    )
    at = Point(np.array([1e9]), 1.0, np.array([-1.0]), 0)
    (line,) = lines(line_of, at, at.x)
    assert falls(line_of, at, line, 1e-9)


def test_a_coordinate_that_has_reached_its_bound_has_stopped_falling():
    line_of = Objective(lambda x: x[0], (), lambda x: [1.0], np.zeros(1), np.full(1, 9.0), None)
    at = Point(np.array([1e-4]), 1e-4, np.array([1.0]), 0)
    (line,) = lines(line_of, at, at.x)
    assert turns(line_of, at, line, 1e-3)
    assert not turns(line_of, at, line, 1e-5)


def test_messages_name_the_tolerance_that_fails():
    def message(x0, **call):
        return minimize(bowl, x0, jac=bowl_grad, optimizer="sgd", steps=4, window=3, **call).message

    assert "an entry of the projected gradient exceeds gtol=0.1" in message([3.0, 1.0], lr=1e-9, gtol=0.1)
    assert "lowers the loss by more than ftol=0.001" in message([3.0, 1.0], lr=1e-9, ftol=1e-3)
    assert "still falls at a distance of xtol=0.001" in message([3.0, 1.0], lr=1e-9, xtol=1e-3)
    assert "the losses of the last 3 steps differ by more than ftol=0.001" in message([3.0, 1.0], lr=1e-2, ftol=1e-3)
    assert "one of the last 3 steps was longer than xtol=0.001" in message([3.0, 1.0], lr=1e-2, xtol=1e-3)
    assert minimize(bowl, [3.0, 1.0], steps=2, ftol=1.0).message == (
        "All 2 steps were done; they are fewer than window=10."
    )


def test_x_that_no_step_can_move_is_said():
    for call in ({"fun": lambda x: 1e-200 * (x @ x), "x0": [1.0]}, {"fun": far, "x0": [1e9], "lr": 1e-12}):
        result = minimize(steps=20, xtol=1e-3, **call)
        assert not result.success
        assert "No step moved x: lr is too small for x, or the gradient for the optimizer's eps." in result.message
    assert "No step moved" not in minimize(lambda x: 7.0, [1.0], steps=5).message  # there is nothing to move for
    assert "No step moved" not in minimize(bowl, [1.0, 2.0], steps=0).message


# ---- which point is returned


def test_a_flat_place_above_a_point_already_seen_is_no_success():
    """Cosine: from near the bottom up to the top, where the gradient is 0 and the loss is higher."""
    result = minimize(
        lambda x: math.cos(x[0]), [3.0], jac=lambda x: -np.sin(x), optimizer=Along([0.0]), steps=1, gtol=1e-9
    )

    assert (result.success, result.x.tolist(), result.nit_best) == (False, [3.0], 0)


def test_the_last_point_may_be_shown_where_its_loss_is_lowest_up_to_rounding():
    """The loss is 1e6 and a parabola that is lost in its last bits; the lowest is luck, the gradient tells."""
    result = minimize(
        lambda x: 1e6 + (1e-10 if x[0] == 0.0 else 0.0), [1e-4], jac=lambda x: 2.0 * x,
        optimizer=Along([0.0]), steps=1, gtol=1e-6,
    )  # fmt: skip

    assert (result.success, result.x.tolist(), result.jac.tolist(), result.nit_best) == (True, [0.0], [0.0], 1)


def test_the_best_point_is_shown_not_the_last():
    """From the minimum the path leaves in steps that xtol admits; x is the minimum."""
    result = minimize(
        lambda x: x @ x, [1e-3], jac=lambda x: 2.0 * x, xtol=1e-2, window=2,
        optimizer=Along([0.0], [5e-3]), steps=2,
    )  # fmt: skip

    assert (result.success, result.x.tolist(), result.x_last.tolist()) == (True, [0.0], [5e-3])


# ---- what holds at zero gradient, at the start, on bounds


def test_a_zero_gradient_is_called_so():
    for tolerances in ({"tol": 1e-6}, {"gtol": 0.0}):
        result = minimize(lambda x: 5.0, [1.0], jac=lambda x: [0.0], steps=20, **tolerances)
        assert result.success
        assert result.message.startswith("At x the projected gradient is zero")


@pytest.mark.parametrize("name", ["tol", "ftol", "xtol"])
def test_at_a_maximum_a_zero_gradient_does_not_suffice(name):
    """Two unknowns, and no way of travel: the fixed direction goes down on both sides."""
    result = minimize(lambda x: -x @ x, [0.0, 0.0], jac=lambda x: -2.0 * x, steps=30, **{name: 1e-3})
    assert not result.success


def test_a_staircase_without_slopes_is_no_minimum():
    """Finite differences are zero on every step, and the path stays where it began."""
    result = minimize(lambda x: np.floor(x[0]), [2.5], steps=30, tol=1e-3)
    assert not result.success
    assert "lowers the loss by more than ftol" in result.message
    assert minimize(lambda x: np.floor(x[0]), [2.5], steps=30, bounds=[(2.2, 9.0)], tol=1e-3).success


def test_a_difference_that_rounding_makes_zero_is_no_minimum():
    """Beside 1e6 a slope of 1e-3 is lost in differences over 1e-8; the minimum is 25 lower."""
    result = minimize(lambda x: 1e6 + 1e-6 * (x[0] - 5000.0) ** 2, [1.0], steps=30, ftol=1e-6, lr=1e-9)
    assert not result.success


def test_gtol_at_the_start_without_any_steps():
    assert minimize(bowl, [1.0, -2.0], jac=bowl_grad, steps=0, gtol=1e-9).success
    assert not minimize(bowl, [1.0, -2.1], jac=bowl_grad, steps=0, gtol=1e-9).success


@pytest.mark.parametrize("x0", [[-4.0, 0.0], [40.0, -40.0], [0, 0]])
def test_all_tolerances_hold_where_the_minimum_lies_on_bounds(x0):
    points = Counted(bowl)
    result = minimize(
        points, x0, jac=bowl_grad, bounds=[(-5.0, 0.5), (-3.0, None)], tol=1e-6,
        lr=schedules.cosine(0.2, 400), steps=400,
    )  # fmt: skip

    assert result.success
    assert result.x == pytest.approx([0.5, -2.0], abs=1e-6)
    assert max(point[0] for point in points.points) <= 0.5  # checks stay inside
    assert min(point[1] for point in points.points) >= -3.0


def test_a_bound_that_holds_every_coordinate_is_a_success():
    result = minimize(lambda x: x.sum(), [1.0, 1.0], jac=np.ones_like, lr=0.1, bounds=[(0, 2)] * 2, tol=1e-9, steps=99)

    assert (result.success, result.x.tolist()) == (True, [0.0, 0.0])


def test_a_callback_that_stops_is_no_success_at_the_minimum_either():
    def stop(x):
        raise StopIteration

    result = minimize(bowl, [1.0, -2.0], jac=bowl_grad, optimizer="sgd", callback=stop, ftol=1.0, window=1)
    assert (result.success, result.status) == (False, 99)


# ---- noise


@pytest.mark.parametrize("where", ["loss", "gradient", "both"])
@pytest.mark.parametrize("name", ["tol", "ftol", "xtol"])
def test_nothing_is_shown_of_a_noisy_function(where, name):
    """The noise is 0.01, the tolerance 0.1, the start the minimum: without noise each would be met at once."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        loss = 0.01 * (where != "gradient")
        slope = 0.01 * (where != "loss")
        result = minimize(
            lambda x, size=loss, rng=rng: bowl(x) + size * rng.normal(), [1.0, -2.0],
            jac=lambda x, size=slope, rng=rng: bowl_grad(x) + size * rng.normal(size=2),
            lr=1e-4, steps=100, **{name: 0.1},
        )  # fmt: skip
        if where == "loss" and name == "xtol":
            continue  # xtol is about the gradient, which is exact
        assert not result.success
        assert "fun is noisy, so nothing can be shown: at one point it gave" in result.message


def test_noise_far_below_the_tolerance_does_no_harm():
    """Sums by several threads differ in the last bits."""
    rng = np.random.default_rng(0)
    result = minimize(
        lambda x: bowl(x) + 1e-15 * rng.normal(), [1.5, -1.5], lr=0.03, steps=900, tol=1e-6,
        jac=lambda x: bowl_grad(x) + 1e-15 * rng.normal(size=2),
    )  # fmt: skip

    assert result.success


# ---- what a check costs, and what it does to fun


@pytest.mark.parametrize("jac", [bowl_grad, "2-point", "3-point"])
def test_every_call_is_counted(jac):
    fun, slope = Counted(bowl), Counted(bowl_grad)
    result = minimize(fun, [3.0, 1.0], jac=slope if callable(jac) else jac, lr=0.1, steps=900, ftol=1e-4)

    assert result.success
    assert result.nfev == len(fun.points)
    assert result.njev > result.nit + 1
    if callable(jac):
        assert result.njev == len(slope.points)


def test_every_gradient_is_counted_that_fun_returns():
    fun = Counted(lambda x: (bowl(x), bowl_grad(x)))
    result = minimize(fun, [3.0, 1.0], jac=True, lr=0.1, steps=900, ftol=1e-4)

    assert result.success
    assert result.nfev == result.njev == len(fun.points) > result.nit + 1


@pytest.mark.parametrize("name", ["ftol", "xtol"])
def test_checks_that_fail_take_a_fifth_of_the_evaluations_at_most(name):
    result = minimize(far, [0.0], jac=far_grad, lr=1e-6, steps=2000, **{name: 1e-3})
    path = 2 * 2001

    assert not result.success
    assert path < result.nfev + result.njev < 1.25 * path + 100  # and the last check


def test_fun_may_fail_or_overflow_where_a_check_looks_and_must_not_on_the_path():
    def domain(x):
        return x[0] - math.log(x[0])  # ValueError below 0

    def steep(x):
        return math.exp(x[0] ** 2)  # OverflowError far out

    for fun, slope in (
        (domain, lambda x: 1.0 - 1.0 / x),
        (steep, lambda x: 2.0 * x * np.exp(x**2)),
    ):
        result = minimize(fun, [0.7], jac=slope, lr=schedules.cosine(0.1, 200), steps=200, ftol=0.9, xtol=0.5)
        assert result.success
    with pytest.raises(ValueError, match=r"math domain|positive"):
        minimize(domain, [0.1], jac=lambda x: [1.0], lr=1.0)


def test_a_check_warns_of_nothing():
    """A tail that falls for ever is tried as far as floats reach; pytest makes a warning an error."""
    result = minimize(
        lambda x: np.exp(-x[0]) + 1e-30 * x[0] ** 2, [20.0], jac=lambda x: -np.exp(-x) + 2e-30 * x, lr=1e-3, steps=30,
        ftol=1e-3,
    )  # fmt: skip

    assert result.success
