"""`adamas.minimize`: state that overflows, numbers that are not finite, memory of the path, names of other libraries."""

from typing import ClassVar

import numpy as np
import pytest

import adamas
from adamas import minimize

# ---- overflow of the state


@pytest.mark.parametrize("name", ["adam", "adamw", "nadam", "rmsprop", "adagrad", "amsgrad", "adabelief", "yogi"])
def test_a_second_moment_that_overflows_is_named(name):
    result = minimize(lambda x: 1e300 * x[0] ** 2, [1.0], jac=lambda x: 2e300 * x, optimizer=name, tol=1e-3)

    assert (result.success, result.status, result.nit) == (False, 4, 1)
    for words in ("state slot", "overflowed at step 1", "2e+300", "Scale fun down", "without a second moment"):
        assert words in result.message


def test_without_a_second_moment_or_scaled_down_it_works():
    def run(scale, **call):
        return minimize(lambda x: scale * x[0] ** 2, [1.0], jac=lambda x: 2.0 * scale * x, steps=500, **call)

    assert run(1e300, optimizer="sgd", lr=0.25e-300, xtol=1e-6).success
    assert run(1.0, lr=0.1, xtol=1e-6).success
    assert run(1e150, lr=0.1, xtol=1e-6).success


def test_an_overflow_on_the_way_keeps_the_best_point():
    result = minimize(lambda x: x[0], [3.0], jac=lambda x: [1.0 if x[0] > 1.5 else 1e200], lr=1.0, steps=9)

    assert (result.status, result.nit) == (4, 3)
    assert result.fun == result.losses.min()


def test_a_reused_instance_whose_state_has_overflowed_is_seen():
    instance = adamas.Adam(lr=0.1)
    assert minimize(lambda x: 1e300 * x[0], [1.0], jac=lambda x: [1e300], optimizer=instance, steps=9).status == 4
    again = minimize(lambda x: x[0] ** 2, [1.0], jac=lambda x: 2 * x, optimizer=instance, steps=9, tol=1.0)
    assert (again.success, again.status) == (False, 4)


class CountsOverflows:
    """A foreign optimizer with a counter, which overflows at its third step."""

    counters: ClassVar = {"overflow": 5}

    def step(self, x, grad):
        self.t = getattr(self, "t", 0) + 1
        self.counters = {"overflow": 5 + (self.t >= 3)}


def test_the_counter_of_the_optimizer_is_believed_from_where_it_stood():
    result = minimize(lambda x: x[0], [3.0], jac=lambda x: [1.0], optimizer=CountsOverflows(), steps=9)

    assert (result.status, result.nit) == (4, 3)
    assert "CountsOverflows" in result.message


# ---- numbers that are not finite


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_loss_not_finite_at_the_start_is_not_blamed_on_lr(bad):
    message = minimize(lambda x: bad, [4.0], gtol=1.0).message

    assert message == f"The loss at the start x0 is not finite ({bad}). Start where fun is defined, or check fun there."
    assert "lr" not in message


def test_a_gradient_not_finite_at_the_start_is_not_blamed_on_lr():
    result = minimize(lambda x: 1.0, [4.0], jac=lambda x: [np.nan])

    assert (result.success, result.status) == (False, 2)
    assert result.message == (
        "The gradient at the start x0 is not finite. Start where fun is defined, or check fun there."
    )


def test_a_loss_of_minus_infinity_on_the_way_is_no_success_and_no_matter_of_lr():
    result = minimize(lambda x: x[0] if x[0] > 0 else -np.inf, [0.9], jac=lambda x: [1.0], lr=0.5, steps=9, gtol=1e-3)

    assert (result.success, result.status, result.nit) == (False, 2, 2)
    assert "(-inf)" in result.message
    assert "bounds" in result.message
    assert "lr" not in result.message


# ---- memory


def steady(x):
    return 0.0


def test_the_path_is_kept_while_it_is_small():
    keep = {"x0": np.zeros(1_000), "jac": np.ones_like, "optimizer": "sgd", "steps": 2}
    assert minimize(steady, **keep).trajectory.shape == (3, 1000)
    # 64 MiB are 8388608 numbers: 8388 steps of 1000 and the start are 8389000
    assert minimize(steady, **keep | {"steps": 8388}, callback=stop_at_once).trajectory is None
    assert minimize(steady, **keep | {"steps": 8387}, callback=stop_at_once).trajectory.shape == (2, 1000)
    assert minimize(steady, **keep | {"steps": 8388}, callback=stop_at_once, record=True).trajectory.shape == (2, 1000)
    assert minimize(steady, **keep, record=False).trajectory is None


def stop_at_once(x):
    raise StopIteration


def test_a_million_unknowns_take_no_memory_for_the_path():
    import tracemalloc

    tracemalloc.start()
    result = minimize(steady, np.ones(1_000_000), jac=np.ones_like, optimizer="sgd", lr=1.0, steps=20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.trajectory is None
    assert result.losses.shape == (21,)
    assert peak < 14 * 8e6  # the path alone would be 21 arrays of 8 MB


@pytest.mark.parametrize(("size", "steps"), [(20_000, 200), (1000, 5000)])
def test_the_path_is_stored_once(size, steps):
    import tracemalloc

    tracemalloc.start()
    result = minimize(steady, np.zeros(size), jac=np.ones_like, optimizer="sgd", lr=1.0, steps=steps, record=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.trajectory[:, 0].tolist() == [-k for k in range(steps + 1)]
    assert result.trajectory.nbytes == 8 * size * (steps + 1)
    assert peak < 1.3 * result.trajectory.nbytes


def test_a_record_of_another_type_is_refused():
    with pytest.raises(TypeError, match="record='auto' must be True, False, or None"):
        minimize(steady, [1.0], record="auto")


# ---- arguments as other libraries call them


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("maxiter", "Its name here is 'steps'"),
        ("learning_rate", "Its name here is 'lr'"),
        ("eta", "Its name here is 'lr'"),
        ("method", "Its name here is 'optimizer'"),
        ("epsilon", "Its name here is 'eps'"),
        ("beta_1", "Its name here is 'beta1'"),
        ("beta_2", "Its name here is 'beta2'"),
        ("fatol", "Its name here is 'ftol'"),
        ("amsgrad", "optimizer='amsgrad'"),
        ("constraints", "There are bounds only"),
        ("stepz", "Did you mean 'steps'"),
    ],
)
@pytest.mark.parametrize("way", ["keyword", "option", "instance"])
def test_names_of_other_libraries_are_answered_with_ours(name, ours, way):
    call = {"options": {name: 1}} if way == "option" else {name: 1}
    optimizer = adamas.Adam() if way == "instance" else "adam"
    with pytest.raises(TypeError, match=f"minimize with Adam has no argument '{name}'; allowed: .*{ours}"):
        minimize(steady, [1.0], optimizer=optimizer, **call)


def test_the_same_hints_when_an_optimizer_is_made():
    with pytest.raises(TypeError, match=r"Adam has no argument 'learning_rate'; .* Its name here is 'lr'"):
        adamas.Adam(learning_rate=0.1)
    with pytest.raises(TypeError, match=r"AMSGrad is a member of its own: adamas\.AMSGrad"):
        adamas.Adam(amsgrad=True)
    with pytest.raises(TypeError) as caught:
        adamas.Adam(maxiter=3)
    assert "steps" not in str(caught.value)  # Adam has none


def test_an_argument_of_minimize_among_the_options_is_told_its_place():
    with pytest.raises(TypeError, match="options: gtol must be given to minimize by name"):
        minimize(steady, [1.0], options={"gtol": 1e-6})
    with pytest.raises(TypeError, match="options=3 must be a mapping"):
        minimize(steady, [1.0], options=3)


@pytest.mark.parametrize("tolerance", ["gtol", "ftol", "xtol", "tol"])
def test_a_loss_in_float32_has_finite_differences_of_zero(tolerance: str) -> None:
    """Steps of 1.5e-8 change nothing in float32, wherever the minimum is."""
    result = adamas.minimize(
        lambda x: float((np.float32(x[0]) - np.float32(3)) ** 2), [0.0], lr=0.01, steps=100, **{tolerance: 1e-3}
    )
    assert not result.success


def test_a_wrong_gradient_of_zero_is_not_believed() -> None:
    result = adamas.minimize(lambda x: ((x[0] - 3) ** 2, np.zeros(1)), [0.0], jac=True, xtol=1e-3, steps=100)
    assert not result.success


@pytest.mark.parametrize("scale", [1e30, 1e100, 1e200, 1e300])
@pytest.mark.parametrize("given", [{"tol": 1e-3}, {"ftol": 0.0}, {"ftol": 1e-3}])
def test_a_coordinate_of_large_scale_is_not_flat(scale: float, given: dict[str, float]) -> None:
    """The minimum is at 3 * scale, and finite differences at 0 are exactly zero."""
    result = adamas.minimize(lambda x: (x[0] / scale - 3) ** 2, [0.0], lr=0.05 * scale, steps=100, **given)
    assert not result.success


def test_a_constant_is_still_at_its_minimum() -> None:
    result = adamas.minimize(lambda x: 2.0, [0.0, 1.0], tol=1e-3, steps=50)
    assert result.success
