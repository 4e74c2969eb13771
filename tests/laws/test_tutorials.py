"""What the tutorials describe, done right: their runs, against reference results computed independently.

T0: the path on x^2/20 + y^2, and Adam with and without bias correction. T1: linear regression with a
threshold on the change of loss, full batch and mini-batch. T3: the regression on torch's data and start.
"""

import numpy as np
import pytest

import adamas
from adamas import schedules
from adamas.rules import sqrt

TIGHT = {"rel": 1e-12, "abs": 1e-14}


@adamas.rule
def uncorrected(p, g, m, v, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Adam without bias correction, as some tutorials have it."""
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    return p - lr * m / (sqrt(v) + eps), m, v


# ---- T0: the path


def valley(x):
    return x[0] ** 2 / 20.0 + x[1] ** 2, np.array([x[0] / 10.0, 2.0 * x[1]])


PATH = {"lr": 0.3, "eps": 1e-7, "compat": "folded"}
PATH_END = (0.13600685239498186, 0.31824537553721943)


def test_t0_path():
    result = adamas.minimize(valley, [-7.0, 2.0], jac=True, optimizer="adam", steps=30, **PATH)

    assert result.trajectory.shape == (31, 2)
    assert result.trajectory[0].tolist() == [-7.0, 2.0]
    assert result.x_last == pytest.approx(PATH_END, **TIGHT)
    assert result.fun_last == pytest.approx(0.10220501224574535, **TIGHT)


@pytest.mark.parametrize("made", [float, np.float64, lambda value: np.array([value])])
def test_t0_path_over_a_dict_of_parameters(made):
    """As the tutorial has it: `params["x"]` and `params["y"]`, plain floats too."""
    params = {"x": made(-7.0), "y": made(2.0)}
    optimizer = adamas.Adam(**PATH)
    for _ in range(30):
        optimizer.step(params, {"x": params["x"] / 10.0, "y": 2.0 * params["y"]})

    assert [float(np.ravel(params[name])[0]) for name in "xy"] == pytest.approx(PATH_END, **TIGHT)
    assert optimizer.t == 30


def test_t0_printed_epsilon_is_the_folded_form_not_the_paper():
    paper = adamas.minimize(valley, [-7.0, 2.0], jac=True, steps=30, lr=0.3, eps=1e-7)

    assert paper.x_last == pytest.approx(PATH_END, rel=1e-4)
    assert paper.x_last.tolist() != pytest.approx(PATH_END, rel=1e-12)


# ---- T0: with and without bias correction


def study(optimizer):
    return adamas.minimize(lambda x: 0.5 * float(x @ x), [3.0, -2.0], jac=lambda x: x, optimizer=optimizer, steps=100)


def strides(result):
    return np.abs(np.diff(result.trajectory, axis=0))


def test_t0_corrected():
    result = study(adamas.Adam(lr=0.1))

    assert result.x_last == pytest.approx([0.019344562552051588, 0.00842280076927766], **TIGHT)
    assert strides(result)[0] == pytest.approx([0.1, 0.1], rel=1e-8)
    assert strides(result).max() == pytest.approx(0.0999999997, abs=1e-10)


def test_t0_uncorrected_as_a_rule_of_the_users_own():
    result = study(adamas.optimizer(uncorrected)(lr=0.1))

    assert result.x_last == pytest.approx([-0.011706675479993378, 0.00899261294062866], **TIGHT)
    assert strides(result)[0] == pytest.approx([0.3162277, 0.3162277], abs=5e-8)
    assert strides(result).max() == pytest.approx(0.5340224501718092, **TIGHT)


def test_t0_factor_of_the_step_without_correction():
    """Under a constant gradient of 1 the step is lr times (1 - beta1^t) / sqrt(1 - beta2^t)."""
    optimizer = adamas.optimizer(uncorrected)(lr=1.0, eps=1e-300)
    x, factors = np.zeros(1), [np.nan]
    for _ in range(1000):
        before = x.copy()
        optimizer.step(x, np.ones(1))
        factors.append(float((before - x)[0]))
    t = np.arange(1, 1001)

    assert factors[1:] == pytest.approx((1 - 0.9**t) / np.sqrt(1 - 0.999**t), rel=1e-9)
    assert int(np.nanargmax(factors)) == 12
    assert [round(factors[t], 2) for t in (1, 12, 100, 1000)] == [3.16, 6.57, 3.24, 1.26]


# ---- T1: linear regression


def line(noise, points=100):
    """Points around y = 4 + 3 x, and their least squares line (intercept, slope)."""
    random = np.random.default_rng(5)
    x = random.uniform(0.0, 2.0, points)
    design = np.column_stack([np.ones(points), x])
    y = design @ [4.0, 3.0] + random.normal(0.0, noise, points)
    return design, y, np.linalg.lstsq(design, y, rcond=None)[0]


def test_t1_full_batch_with_a_threshold_on_the_change_of_loss():
    design, y, best = line(noise=1.0)

    def loss(w):
        error = design @ w - y
        return float(error @ error) / len(y), 2.0 * design.T @ error / len(y)

    result = adamas.minimize(loss, [0.0, 0.0], jac=True, optimizer="adam", lr=0.1, steps=10_000, ftol=1e-12, window=1)

    assert result.success
    assert 100 < result.nit < 2000
    limit = 1e-12 * max(1.0, result.fun)
    assert abs(result.losses[-1] - result.losses[-2]) <= limit
    assert result.fun - loss(best)[0] <= limit  # the loss is quadratic: Newton's line leads to its minimum
    assert result.losses[:-200].min() - result.fun > limit  # and it did not search on for long
    assert result.x == pytest.approx(best, abs=1e-4)
    assert result.losses.shape == (result.nit + 1,)


def test_t1_first_step_has_t_equal_1_and_is_finite():
    """With t starting at 0 the correction divides by zero."""
    optimizer, w = adamas.Adam(lr=0.1), np.zeros(2)

    assert optimizer.t == 0
    optimizer.step(w, np.array([1e-3, -40.0]))
    assert optimizer.t == 1
    assert w == pytest.approx([-0.1, 0.1], rel=1e-4)


def test_t1_mini_batches():
    """Here t counts all steps, a batch divides by its own size, and the smaller last batch takes part."""
    design, y, best = line(noise=0.1)
    epochs, size = 400, 32
    optimizer = adamas.Adam(lr=schedules.cosine(0.1, steps=epochs * 4))
    w, random, sizes = np.zeros(2), np.random.default_rng(0), set()
    for _ in range(epochs):
        order = random.permutation(len(y))
        for rows in (order[k : k + size] for k in range(0, len(y), size)):
            sizes.add(len(rows))
            error = design[rows] @ w - y[rows]
            optimizer.step(w, 2.0 * design[rows].T @ error / len(rows))

    assert sizes == {32, 4}
    assert optimizer.t == epochs * 4
    assert w == pytest.approx(best, abs=0.02)


# ---- T3: torch's data and start


def test_t3_the_printed_parameter_cannot_come_from_this_run():
    """Seed 0, `x = randn(100, 1)`, then `Linear(1, 1)`: in this order the start is -0.249, 0.045."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    inputs = torch.randn(100, 1)
    layer = torch.nn.Linear(1, 1)
    x = inputs.numpy()[:, 0]
    y = 2.0 * x + 1.0
    params = {"weight": layer.weight.detach().numpy().copy()[0], "bias": layer.bias.detach().numpy().copy()}
    start = {name: float(value[0]) for name, value in params.items()}
    optimizer = adamas.Adam(lr=0.001)
    for _ in range(1000):
        error = params["weight"] * x + params["bias"] - y
        loss = float((error * error).mean())
        grads = {"weight": 2.0 * (error * x).mean(keepdims=True), "bias": 2.0 * error.mean(keepdims=True)}
        optimizer.step(params, grads)

    assert params["weight"].dtype == np.float32
    assert start == pytest.approx({"weight": -0.249, "bias": 0.045}, abs=5e-4)
    assert {name: float(value[0]) for name, value in params.items()} == pytest.approx(
        {"weight": 0.645, "bias": 0.786}, abs=5e-4
    )
    assert loss == pytest.approx(2.0005, abs=5e-5)
    assert all(abs(float(params[name][0]) - start[name]) < 1000 * 0.001 for name in params)
