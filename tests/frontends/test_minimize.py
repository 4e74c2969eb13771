"""`adamas.minimize`: path, reasons for stopping, bounds, finite differences, callbacks, wrong calls."""

import copy
import pickle

import numpy as np
import pytest

import adamas
from adamas import minimize, schedules


def bowl(x):
    """Minimum 0 at (1, -2); curvatures 2 and 20."""
    return (x[0] - 1.0) ** 2 + 10.0 * (x[1] + 2.0) ** 2


def bowl_grad(x):
    return np.array([2.0 * (x[0] - 1.0), 20.0 * (x[1] + 2.0)])


def bowl_both(x):
    return bowl(x), bowl_grad(x)


class Counted:
    """A function that remembers the points at which it was called."""

    def __init__(self, function):
        self.function, self.points = function, []

    def __call__(self, x, *args):
        self.points.append(np.copy(x))
        return self.function(x, *args)


# ---- the path


def test_path_of_gradient_descent_by_hand():
    result = minimize(lambda x: float(x @ x), [4.0, -8.0], jac=lambda x: 2.0 * x, optimizer="sgd", lr=0.25, steps=3)

    assert result.trajectory.tolist() == [[4, -8], [2, -4], [1, -2], [0.5, -1]]
    assert result.losses.tolist() == [80, 20, 5, 1.25]
    assert result.x.tolist() == result.x_last.tolist() == [0.5, -1.0]
    assert (result.fun, result.fun_last, result.nit, result.nit_best) == (1.25, 1.25, 3, 3)
    assert (result.nfev, result.njev) == (4, 4)
    assert result.jac.tolist() == [1.0, -2.0]


def test_same_path_as_stepping_by_hand():
    result = minimize(bowl, [3.0, 1.0], jac=bowl_grad, lr=0.1, betas=(0.8, 0.99), steps=40)
    x, hand = np.array([3.0, 1.0]), adamas.Adam(lr=0.1, betas=(0.8, 0.99))
    for k in range(40):
        assert result.trajectory[k].tolist() == x.tolist()
        hand.step(x, bowl_grad(x))

    assert result.x_last.tolist() == x.tolist()
    assert result.trajectory.shape == (41, 2)
    assert result.losses.tolist() == [bowl(point) for point in result.trajectory]


def test_defaults_are_adam_with_its_own_defaults_for_1000_steps():
    result = minimize(bowl_both, [3.0, 1.0], jac=True)

    assert result.nit == 1000
    assert result.trajectory[1] == pytest.approx([2.999, 0.999], abs=1e-9)


@pytest.mark.parametrize("optimizer", ["ADAM", "class", "instance"])
def test_optimizer_by_name_class_or_instance(optimizer):
    made = {"class": adamas.Adam, "instance": adamas.Adam(lr=0.1)}.get(optimizer, optimizer)
    hyper = {} if optimizer == "instance" else {"lr": 0.1}
    result = minimize(bowl_both, [3.0, 1.0], jac=True, optimizer=made, steps=30, **hyper)
    expected = minimize(bowl_both, [3.0, 1.0], jac=True, optimizer="adam", steps=30, options={"lr": 0.1})

    assert result.trajectory.tolist() == expected.trajectory.tolist()


def test_an_instance_continues():
    whole = minimize(bowl_both, [3.0, 1.0], jac=True, lr=0.1, steps=30)
    instance = adamas.Adam(lr=0.1)
    first = minimize(bowl_both, [3.0, 1.0], jac=True, optimizer=instance, steps=13)
    second = minimize(bowl_both, first.x_last, jac=True, optimizer=instance, steps=17)

    assert np.vstack([first.trajectory, second.trajectory[1:]]).tolist() == whole.trajectory.tolist()


def test_a_schedule_as_lr():
    result = minimize(
        lambda x: x[0], [0.0], jac=lambda x: np.ones(1), optimizer="sgd", lr=schedules.linear(1.0, 4), steps=6
    )

    assert result.trajectory.ravel().tolist() == [0, -1, -1.75, -2.25, -2.5, -2.5, -2.5]


def test_x_is_the_best_point_and_x_last_the_last():
    result = minimize(lambda x: x[0] ** 2, [1.0], jac=lambda x: 2 * x, optimizer="sgd", lr=1.5, steps=5)

    assert result.losses.tolist() == [1, 4, 16, 64, 256, 1024]
    assert result.x.tolist() == [1.0]
    assert result.x_best is result.x
    assert (result.fun, result.nit_best, result.jac.tolist()) == (1.0, 0, [2.0])
    assert (result.x_last.tolist(), result.fun_last) == ([-32.0], 1024.0)


def test_first_of_equal_losses_is_the_best():
    assert minimize(lambda x: 7.0, [1.0, 2.0], jac=lambda x: np.ones(2), steps=5).nit_best == 0


def test_args_reach_fun_and_jac():
    result = minimize(
        lambda x, a, b: a * x[0] + b, [0.0], (3.0, 1.0), lambda x, a, b: [a], optimizer="sgd", lr=1.0, steps=1
    )
    single = minimize(lambda x, a: a * x[0], [0.0], 3.0, lambda x, a: [a], optimizer="sgd", lr=1.0, steps=1)

    assert (result.x.tolist(), result.fun) == ([-3.0], -8.0)
    assert single.x.tolist() == [-3.0]


@pytest.mark.parametrize(
    ("x0", "shape"),
    [(3, (1,)), ([3, 4], (2,)), (np.ones((2, 3), np.float32, order="F"), (2, 3)), ([[True]], (1, 1))],
)
def test_shapes_and_types_of_x0(x0, shape):
    before = copy.deepcopy(x0)
    fun = Counted(lambda x: float((x * x).sum()))
    result = minimize(fun, x0, jac=lambda x: 2 * x, lr=0.1, steps=4)

    assert {point.shape for point in fun.points} == {shape}
    assert {point.dtype for point in fun.points} == {np.dtype(np.float64)}
    assert result.x.shape == result.x_last.shape == result.jac.shape == shape
    assert result.trajectory.shape == (5, int(np.prod(shape)))
    assert result.trajectory[0].tolist() == np.ravel(x0).tolist()
    assert np.array_equal(before, x0)


def test_fun_and_jac_get_copies():
    def vandal(x):
        value = bowl(x)
        x[:] = np.nan
        return value

    buffer = np.zeros(2)

    def vandal_grad(x):
        buffer[:] = bowl_grad(x)  # the same array every time
        x[:] = np.nan
        return buffer

    harmed = minimize(vandal, [3.0, 1.0], jac=vandal_grad, lr=0.1, steps=20)
    clean = minimize(bowl, [3.0, 1.0], jac=bowl_grad, lr=0.1, steps=20)

    assert harmed.trajectory.tolist() == clean.trajectory.tolist()
    assert harmed.jac.tolist() == clean.jac.tolist()


def test_jac_of_the_best_point_outlives_a_reused_buffer():
    buffer = np.zeros(1)

    def grad(x):
        buffer[:] = 2.0 * x
        return buffer

    result = minimize(lambda x: x[0] ** 2, [1.0], jac=grad, optimizer="sgd", lr=1.5, steps=3)

    assert (result.nit_best, result.jac.tolist()) == (0, [2.0])


def test_jac_true_calls_fun_once_per_point():
    fun = Counted(bowl_both)
    result = minimize(fun, [3.0, 1.0], jac=True, steps=7)

    assert len(fun.points) == result.nfev == result.njev == 8
    assert np.array_equal(fun.points, result.trajectory)


def test_no_steps_evaluates_the_start_only():
    result = minimize(bowl, [3.0, 1.0], jac=bowl_grad, steps=0)

    assert (result.nit, result.nfev, result.fun, result.success, result.status) == (0, 1, 94.0, False, 1)
    assert result.trajectory.tolist() == [[3.0, 1.0]]


def test_record_false_keeps_no_trajectory():
    result = minimize(bowl, [3.0, 1.0], jac=bowl_grad, steps=5, record=False)

    assert result.trajectory is None
    assert result.losses.shape == (6,)


# ---- stopping


def test_the_end_of_the_steps_is_no_success_with_and_without_a_tolerance():
    free = minimize(bowl_both, [3.0, 1.0], jac=True, steps=5)
    bound = minimize(bowl_both, [3.0, 1.0], jac=True, steps=5, gtol=1e-9)

    assert (free.success, free.status, free.message) == (
        False,
        1,
        "All 5 steps were done; no tolerance was set.",
    )
    assert (bound.success, bound.status, bound.message) == (
        False,
        1,
        "All 5 steps were done; at x an entry of the projected gradient exceeds gtol=1e-09.",
    )


def test_gtol_stops_at_the_first_small_gradient():
    result = minimize(lambda x: x @ x, [4.0, -8.0], jac=lambda x: 2 * x, optimizer="sgd", lr=0.25, gtol=2.0)

    assert (result.nit, result.x.tolist()) == (3, [0.5, -1.0])
    assert (result.success, result.status) == (True, 0)
    assert "gtol=2" in result.message


def test_gtol_may_hold_at_the_start():
    assert minimize(bowl, [1.0, -2.0], jac=bowl_grad, gtol=0.0).nit == 0


@pytest.mark.parametrize(("window", "nit"), [(1, 3), (2, 4), (3, 5)])
def test_xtol_wants_a_whole_window_of_short_steps(window, nit):
    # Steps from x = 4: 2, 1, 0.5, 0.25, ...; the first of length <= 0.5 is the third.
    result = minimize(lambda x: x @ x, [4.0], jac=lambda x: 2 * x, optimizer="sgd", lr=0.25, xtol=0.5, window=window)

    assert result.nit == nit
    assert "xtol=0.5" in result.message


def test_xtol_is_not_checked_before_a_whole_window_has_passed():
    lr = schedules.piecewise([1e-6, 1.0, 1e-6], [2, 4])  # as a warm-up: two short steps, two long ones, short ones
    result = minimize(lambda x: x @ x, [1e-4], jac=lambda x: 2 * x, optimizer="sgd", lr=lr, xtol=1e-3, window=3)

    assert result.nit == 3  # the long steps go to -1e-4 and back to 1e-4: none is longer than xtol
    far = minimize(lambda x: x @ x, [1.0], jac=lambda x: 2 * x, optimizer="sgd", lr=lr, xtol=1e-3, window=3, steps=9)
    assert (far.nit, far.success) == (9, False)  # the short steps end far from the minimum


@pytest.mark.parametrize(("window", "nit"), [(1, 4), (2, 5), (3, 6)])
def test_ftol_wants_a_whole_window_of_equal_losses(window, nit):
    # At 8, 4, 2, ... losses 64, 16, 4, 1, 0.25, 1/16, 1/64: the first spreads <= 0.99 over 1, 2, 3 steps end at 4, 5, 6.
    result = minimize(lambda x: x @ x, [8.0], jac=lambda x: 2 * x, optimizer="sgd", lr=0.25, ftol=0.99, window=window)

    assert result.nit == nit
    assert "ftol=0.99" in result.message


def test_ftol_is_relative_for_large_losses():
    def run(ftol):  # at 32, 16, 8, ...: losses 1000 + 1024, 1000 + 256, 1000 + 64, 1000 + 16, 1000 + 4
        return minimize(
            lambda x: 1000.0 + x @ x, [32.0], jac=lambda x: 2 * x, optimizer="sgd", lr=0.25, ftol=ftol, window=1
        )

    assert run(50 / 1016).nit == 3
    assert run(47 / 1016).nit == 4


@pytest.mark.parametrize("given", [{"ftol": 0.9}, {"xtol": 0.5}, {"gtol": 2.0}])
def test_tol_sets_those_that_are_missing_and_all_must_hold(given):
    def run(**tolerances):
        return minimize(lambda x: x @ x, [4.0], jac=lambda x: 2 * x, optimizer="sgd", lr=0.25, window=1, **tolerances)

    (name,) = given
    loose, strict = run(tol=1e9, **given), run(tol=1e-30, **given)
    assert loose.nit == run(**given, **dict.fromkeys({"ftol", "xtol", "gtol"} - {name}, 1000000000.0)).nit
    assert strict.nit > 40  # halved at every step from 4: the others hold below 1e-15 at the earliest
    assert f"{name}={given[name]:g}" in strict.message
    assert run(tol=0.5).nit == max(run(ftol=0.5).nit, run(xtol=0.5).nit, run(gtol=0.5).nit)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_loss_not_finite_stops_with_the_best_point(bad):
    fun = Counted(lambda x: x[0] if x[0] > 1.5 else bad)
    result = minimize(fun, [4.0], jac=lambda x: np.ones(1), optimizer="sgd", lr=1.0)

    assert (result.success, result.status, result.nit) == (False, 2, 3)
    assert "loss at step 3 is not finite" in result.message
    assert (result.x.tolist(), result.fun, result.nit_best) == ([2.0], 2.0, 2)
    assert (result.x_last.tolist(), result.losses[:3].tolist()) == ([1.0], [4, 3, 2])
    assert np.array_equal(result.fun_last, bad, equal_nan=True)
    assert len(fun.points) == result.nfev == 4
    assert result.njev == 3


def test_loss_not_finite_at_the_start():
    result = minimize(lambda x: np.nan, [4.0])

    assert (result.success, result.nit, result.nfev, result.x.tolist()) == (False, 0, 1, [4.0])


def test_gradient_not_finite_stops():
    result = minimize(lambda x: x[0], [4.0, 1.0], jac=lambda x: [1.0, np.nan], optimizer="sgd", lr=1.0)

    assert (result.success, result.status, result.nit, result.x.tolist()) == (False, 2, 0, [4.0, 1.0])
    assert "gradient at the start x0 is not finite" in result.message


# ---- bounds


@pytest.mark.parametrize("kind", ["pairs", "array", "scipy", "scipy scalars"])
def test_bounds_hold_at_every_point_and_find_the_corner(kind):
    pairs = [(-5.0, 0.5), (-5.0, 0.5)]
    if kind.startswith("scipy"):
        scipy = pytest.importorskip("scipy.optimize")
        given = scipy.Bounds(-5.0, 0.5) if kind.endswith("scalars") else scipy.Bounds([-5, -5], [0.5, 0.5])
    else:
        given = np.array(pairs) if kind == "array" else pairs
    result = minimize(bowl, [-4.0, 0.5], jac=bowl_grad, bounds=given, lr=0.2, steps=300, gtol=1e-6)

    assert result.trajectory.max() <= 0.5
    assert result.trajectory.min() >= -5.0
    assert result.success
    assert result.x == pytest.approx([0.5, -2.0], abs=1e-6)


def test_bounds_half_open_fixed_and_a_start_outside():
    result = minimize(
        lambda x: x.sum(), [9.0, 9.0, 9.0, -9.0], jac=lambda x: np.ones(4), optimizer="sgd", lr=1.0, steps=9,
        bounds=[(3.5, None), (None, 2.0), (7.0, 7.0), (-10.0, None)],
    )  # fmt: skip

    assert result.trajectory[0].tolist() == [9.0, 2.0, 7.0, -9.0]
    assert result.x.tolist() == [3.5, -7.0, 7.0, -10.0]


def test_gtol_does_not_lose_a_small_gradient_beside_a_large_x():
    result = minimize(lambda x: 0.0, [1e12], jac=lambda x: [1e-6], optimizer="sgd", steps=3, gtol=1e-7)

    assert (result.nit, result.success) == (3, False)


def test_gtol_with_bounds_ignores_what_pushes_outward():
    result = minimize(lambda x: x[0], [3.0], jac=lambda x: [1.0], optimizer="sgd", lr=1.0, bounds=[(0, 9)], gtol=1e-9)

    assert (result.nit, result.x.tolist(), result.success) == (3, [0.0], True)


# ---- finite differences


def wavy(x):
    return float(np.sin(x[0]) * np.exp(0.3 * x[1]) + x[1] ** 3)


def wavy_grad(x):
    return np.array([np.cos(x[0]) * np.exp(0.3 * x[1]), 0.3 * np.sin(x[0]) * np.exp(0.3 * x[1]) + 3 * x[1] ** 2])


@pytest.mark.parametrize("at", [[0.7, 1.3], [-0.7, 0.0], [2.0, -4.0]])
@pytest.mark.parametrize(("jac", "calls", "rel"), [(None, 3, 1e-6), ("2-point", 3, 1e-6), ("3-point", 5, 1e-9)])
def test_finite_differences(at, jac, calls, rel):
    fun = Counted(wavy)
    result = minimize(fun, at, jac=jac, steps=0)

    assert result.jac == pytest.approx(wavy_grad(at), rel=5 * rel, abs=rel)
    assert len(fun.points) == result.nfev == calls
    assert result.njev == 1


@pytest.mark.parametrize("jac", ["2-point", "3-point"])
@pytest.mark.parametrize("at", [1e12, -1e12, 1e-12])
def test_finite_differences_step_by_the_scale_of_x(jac, at):
    """At 1e12 an absolute step of 1e-8 would be lost in rounding."""
    assert minimize(lambda x: 3.0 * x[0], [at], jac=jac, steps=0).jac == pytest.approx([3.0], rel=1e-7)


def test_finite_differences_agree_with_scipy_to_the_last_bits():
    numdiff = pytest.importorskip("scipy.optimize").approx_fprime
    at = np.array([0.7, -1.3])

    # scipy's approx_fprime steps by eps itself: give it our absolute steps
    assert minimize(wavy, at, steps=0).jac == pytest.approx(
        numdiff(at, wavy, np.sqrt(np.finfo(float).eps) * np.array([1.0, -1.3])), rel=1e-12
    )


def test_finite_differences_of_a_quadratic_are_exact_where_they_should_be():
    # Dyadic numbers, so nothing rounds: forward differences are off by the step, parabolas by nothing.
    def square(x):
        return float(x[0] ** 2)

    at, step = [2.0], 0.0625
    assert minimize(square, at, steps=0, finite_diff_rel_step=step).jac.tolist() == [4.125]
    assert minimize(square, at, jac="3-point", steps=0, finite_diff_rel_step=step).jac.tolist() == [4.0]
    for bounds in (
        (2.0, 9.0),
        (0.0, 2.0),
        (2.0, 2.0625),
        (1.9375, 2.03125),
    ):  # one-sided, with and without room
        got = minimize(square, at, jac="3-point", steps=0, finite_diff_rel_step=step, bounds=[bounds]).jac
        assert got == pytest.approx([4.0], abs=1e-14)


@pytest.mark.parametrize("jac", ["2-point", "3-point"])
@pytest.mark.parametrize("span", [(-1.0, 1.0), (1.0, 1.0 + 1e-12), (1.0 - 1e-9, 1.0 + 1e-12), (1.0, None), (None, 1.0)])
def test_finite_differences_stay_inside_bounds(jac, span):
    fun = Counted(lambda x: float(np.exp(x[0])))
    result = minimize(fun, [1.0], jac=jac, bounds=[span], steps=0)
    low, high = (-np.inf if span[0] is None else span[0]), (np.inf if span[1] is None else span[1])

    assert all(low <= point[0] <= high for point in fun.points)
    assert all(point[0] != 1.0 for point in fun.points[1:])
    assert result.jac == pytest.approx([np.e], rel=1e-2 if span[1] == 1.0 + 1e-12 else 1e-6)


def test_finite_differences_leave_fixed_coordinates_alone():
    fun = Counted(bowl)
    result = minimize(fun, [3.0, 1.0], bounds=[(0, 9), (1, 1)], lr=0.1, steps=5)

    assert result.nfev == 6 * 2
    assert {point[1] for point in fun.points} == {1.0}


def test_finite_differences_follow_the_analytic_path():
    exact = minimize(bowl, [3.0, 1.0], jac=bowl_grad, lr=0.1, steps=100)
    forward = minimize(bowl, [3.0, 1.0], lr=0.1, steps=100)
    central = minimize(bowl, [3.0, 1.0], jac="3-point", lr=0.1, steps=100)

    assert forward.trajectory == pytest.approx(exact.trajectory, abs=1e-6)
    assert central.trajectory == pytest.approx(exact.trajectory, abs=1e-9)
    assert (forward.nfev, central.nfev) == (303, 505)


# ---- callbacks


def test_callback_with_x():
    seen = []

    def callback(xk):
        seen.append(xk)
        xk += np.nan  # a copy: harmless

    result = minimize(bowl, [3.0, 1.0], jac=bowl_grad, lr=0.1, steps=6, callback=callback)

    assert len(seen) == 6
    assert np.isfinite(result.trajectory).all()


def test_callback_with_intermediate_result():
    seen = []
    result = minimize(
        bowl,
        [3.0, 1.0],
        lr=0.1,
        steps=6,
        callback=lambda intermediate_result: seen.append(intermediate_result),
    )

    assert [news.nit for news in seen] == [1, 2, 3, 4, 5, 6]
    assert [news.x.tolist() for news in seen] == result.trajectory[1:].tolist()
    assert [news.fun for news in seen] == result.losses[1:].tolist()
    assert [news.nfev for news in seen] == [6, 9, 12, 15, 18, 21]
    assert seen[-1].jac == pytest.approx(bowl_grad(result.x_last), abs=1e-5)


def test_callback_gets_copies():
    def vandal(intermediate_result):
        intermediate_result.x[:] = np.nan
        intermediate_result.jac[:] = np.nan

    harmed = minimize(bowl, [3.0, 1.0], jac=bowl_grad, lr=0.1, steps=6, callback=vandal)
    clean = minimize(bowl, [3.0, 1.0], jac=bowl_grad, lr=0.1, steps=6)

    assert harmed.trajectory.tolist() == clean.trajectory.tolist()
    assert harmed.jac.tolist() == clean.jac.tolist()


def test_callback_stopiteration_stops_and_true_does_not():
    fun = Counted(bowl)

    def callback(x):
        if len(fun.points) == 4:
            raise StopIteration
        return True

    result = minimize(fun, [3.0, 1.0], jac=bowl_grad, callback=callback)

    assert (result.success, result.status, result.nit) == (False, 99, 3)
    assert result.message == "`callback` raised `StopIteration`."
    assert len(fun.points) == 4


def test_other_errors_of_fun_and_callback_pass_through():
    def broken(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        minimize(broken, [1.0])
    with pytest.raises(KeyError, match="mine"):
        minimize(bowl, [3.0, 1.0], callback=broken)


# ---- the result


def test_result_is_a_dict_with_attributes_that_pickles_and_copies():
    result = minimize(bowl, [3.0, 1.0], jac=bowl_grad, steps=3)

    assert result["fun"] == result.fun
    assert set(result) <= set(dir(result))
    for twin in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
        assert type(twin) is type(result)
        assert twin.trajectory.tolist() == result.trajectory.tolist()
    with pytest.raises(AttributeError, match="no 'hess'; it has message, success"):
        result.hess  # noqa: B018
    result.note = 1
    assert result["note"] == 1


def test_result_prints_one_line_per_entry_with_long_arrays_cut():
    text = repr(minimize(bowl, [3.0, 1.0], jac=bowl_grad, steps=500))

    assert "   message: All 500 steps were done; no tolerance was set." in text.splitlines()[0]
    assert "   success: False" in text.splitlines()
    assert "losses: [94.0" not in text
    assert "..." in text
    assert len(text.splitlines()) < 25
    assert max(map(len, text.splitlines())) <= 110


def test_fields_of_scipy_are_all_there():
    scipy = pytest.importorskip("scipy.optimize")
    theirs = scipy.minimize(bowl, [3.0, 1.0], jac=bowl_grad, method="CG")
    ours = minimize(bowl, [3.0, 1.0], jac=bowl_grad, lr=schedules.cosine(0.3, 500), steps=500)

    assert set(theirs) <= set(ours)
    assert ours.x == pytest.approx(theirs.x, abs=1e-5)


def test_rosenbrock():
    def rosen(x):
        slope = -400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0])
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2, np.array([slope, 200 * (x[1] - x[0] ** 2)])

    result = minimize(rosen, [-1.2, 1.0], jac=True, lr=schedules.cosine(0.05, 5000), steps=5000)

    assert result.x == pytest.approx([1.0, 1.0], abs=1e-4)


# ---- wrong calls: each raises, says what is wrong, and calls nothing


class Untouchable:
    def __call__(self, *args):
        raise AssertionError("fun was called")


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        ({"fun": 3.0}, TypeError, "fun=3.0 must be a function"),
        ({"fun": None}, TypeError, "fun=None must be a function"),
        ({"callback": "print"}, TypeError, "callback='print' must be a function"),
        ({"jac": "4-point"}, ValueError, "jac='4-point' must be a function, True, None, or one of"),
        ({"jac": "adam"}, ValueError, "jac='adam'"),
        ({"jac": 1.5}, ValueError, "jac=1.5"),
        ({"x0": []}, TypeError, "x0 must be a non-empty array of real numbers"),
        ({"x0": [1.0, np.nan]}, ValueError, "x0 must be finite; entry 1"),
        ({"x0": [np.inf, 1.0]}, ValueError, "x0 must be finite; entry 0"),
        ({"x0": [1j, 1.0]}, TypeError, "real numbers"),
        ({"x0": "ab"}, TypeError, "real numbers"),
        ({"x0": {"w": 1.0}}, TypeError, "not dict; for a dict or list of arrays"),
        ({"x0": None}, TypeError, "real numbers"),
        ({"steps": -1}, ValueError, "steps=-1 must be a whole number >= 0"),
        ({"steps": 10.0}, ValueError, "steps=10.0 must be a whole number"),
        ({"steps": True}, ValueError, "steps=True must be a whole number"),
        ({"window": 0}, ValueError, "window=0 must be a whole number >= 1"),
        ({"tol": -1e-9}, ValueError, "tol=-1e-09 must be a finite number >= 0"),
        ({"ftol": np.nan}, ValueError, "ftol=nan"),
        ({"xtol": "small"}, ValueError, "xtol='small'"),
        ({"gtol": np.inf}, ValueError, "gtol=inf"),
        ({"finite_diff_rel_step": 0.0}, ValueError, "finite_diff_rel_step=0.0 must be a number > 0"),
        ({"finite_diff_rel_step": 1e-6, "jac": True}, ValueError, "needs finite differences"),
        ({"bounds": [(0, 1)]}, ValueError, r"bounds must be 2 pairs \(low, high\)"),
        ({"bounds": [(0, 1), (0, 1), (0, 1)]}, ValueError, "bounds must be 2 pairs"),
        ({"bounds": [(0, 1), (0, 1, 2)]}, ValueError, "bounds must be 2 pairs"),
        ({"bounds": 3}, ValueError, "bounds must be 2 pairs"),
        ({"bounds": [(0, 1), (2, 1)]}, ValueError, r"low=2.0 must be <= high=1.0 at entry 1"),
        ({"bounds": [(0, 1), (np.nan, 1)]}, ValueError, r"low=nan must be <= high=1.0 at entry 1"),
        ({"bounds": [(0, 1), ("a", 1)]}, ValueError, "must be real numbers or None"),
        ({"optimizer": "adma"}, ValueError, "(?i)adam"),
        ({"optimizer": 3}, TypeError, "optimizer=3 must be a name, an optimizer class or an instance"),
        ({"optimizer": dict}, TypeError, "must be a name, an optimizer class or an instance"),
        ({"optimizer": adamas.Adam(), "lr": 0.1}, TypeError, "lr: set these when making the optimizer"),
        ({"options": {"lr": 0.1}, "lr": 0.1}, TypeError, "lr given both by name and in options"),
        ({"maximize": True}, ValueError, "maximize=True contradicts minimize"),
        ({"learning_rate": 0.1}, TypeError, "learning_rate"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_wrong_call(call, error, text):
    with pytest.raises(error, match=text):
        minimize(**{"fun": Untouchable(), "x0": [3.0, 1.0]} | call)


@pytest.mark.parametrize(
    ("fun", "jac", "error", "text"),
    [
        (lambda x: x, None, TypeError, r"fun must return one real number .* not ndarray of shape \(2,\)"),
        (lambda x: None, None, TypeError, "not NoneType"),
        (lambda x: "1", None, TypeError, "not str"),
        (lambda x: 1j, None, TypeError, "not complex"),
        (lambda x: (1.0, x), None, TypeError, "with jac=True, and a gradient"),
        (lambda x: 1.0, True, TypeError, r"must return a pair \(loss, gradient\), not float"),
        (
            lambda x: 1.0,
            lambda x: [1.0],
            ValueError,
            r"gradient must be real, of shape \(2,\) like x0, not list",
        ),
        (lambda x: 1.0, lambda x: x + 1j, ValueError, "gradient must be real"),
        (lambda x: 1.0, lambda x: None, ValueError, "gradient must be real"),
    ],
)
def test_wrong_returns(fun, jac, error, text):
    with pytest.raises(error, match=text):
        minimize(fun, [3.0, 1.0], jac=jac)


@pytest.mark.parametrize("value", [np.float32(2.0), np.array([2.0]), np.array([[2.0]]), 2, np.int64(2), np.array(2.0)])
def test_anything_that_is_one_real_number_is_a_loss(value):
    assert minimize(lambda x: value, [1.0], jac=lambda x: [0.0], steps=0).fun == 2.0


def test_a_gradient_of_the_right_size_is_reshaped():
    result = minimize(lambda x: x.sum(), np.ones((2, 3)), jac=lambda x: np.arange(6), optimizer="sgd", lr=1.0, steps=1)

    assert result.x.tolist() == [[1, 0, -1], [-2, -3, -4]]
