"""adamas fit: coefficients against independent solutions, the loop against hand-made steps."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_race import invoke

import adamas
from adamas.lab import LabError, fit
from adamas.lab.descent import descend
from adamas.lab.errors import InputError
from adamas.lab.models import Linear, Logistic
from adamas.lab.standardise import Scale, in_data_units


def write(path: Path, header: list[str], rows: Any) -> Path:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


@pytest.fixture
def line() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """y = 2 x1 - 300 x2 + 1 + noise on scales a thousand times apart."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(101, 2)) * [10, 0.01] + [5, 1]
    return x, 2 * x[:, 0] - 300 * x[:, 1] + 1 + rng.normal(size=101)


@pytest.mark.parametrize(
    ("optimizer", "lr"), [("adam", 0.01), ("sgd", 0.1), ("momentum", 0.01), ("rmsprop", 1e-4), ("nadam", 1e-3)]
)
def test_linear_reaches_least_squares(line: Any, optimizer: str, lr: float) -> None:
    x, y = line
    found = fit(x, y, optimizer=optimizer, lr=lr, tol=1e-14)
    design = np.column_stack([x, np.ones(len(x))])
    expected = np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose(found.closed_coefficients, expected[:2], rtol=1e-9)
    assert found.closed_intercept == pytest.approx(expected[2], rel=1e-9)
    np.testing.assert_allclose(found.coefficients, expected[:2], rtol=2e-3)
    assert found.loss == pytest.approx(np.mean((y - found.predict(x)) ** 2), rel=1e-9)
    assert found.closed_loss == pytest.approx(np.mean((y - design @ expected) ** 2), rel=1e-9)
    assert found.score == pytest.approx(1 - found.loss / y.var(), rel=1e-12)
    assert found.losses[0] == pytest.approx(y.var(), rel=1e-12)
    assert found.losses[-1] == found.loss


def test_stop_threshold_full_batch(line: Any) -> None:
    x, y = line
    found = fit(x, y, lr=0.01, tol=1e-6)
    assert found.converged
    changes = np.abs(np.diff(found.losses)) / y.var()
    assert np.all(changes[-3:] < 1e-6)
    assert not any(np.all(changes[i : i + 3] < 1e-6) for i in range(len(changes) - 3))
    assert found.steps == found.epochs == len(found.losses) - 1
    assert found.message == "the loss changed by less than 1e-06 in 3 steps in a row"
    never = fit(x, y, lr=0.01, tol=0, steps=50)
    assert (never.steps, never.converged) == (50, True)
    short = fit(x, y, lr=0.01, tol=1e-12, steps=50)
    assert (short.steps, short.converged) == (50, False)
    assert "budget of 50 steps" in short.message


class Spy:
    """An optimizer that records what it is given and counts its own steps."""

    def __init__(self) -> None:
        self.inner = adamas.Adam(lr=0.01)
        self.grads: list[Any] = []

    def step(self, params: Any, grads: Any) -> None:
        self.grads.append({k: v.copy() for k, v in grads.items()})
        self.inner.step(params, grads)

    def state_dict(self) -> dict[str, Any]:
        return {}


def test_mini_batches_keep_the_last_one_divide_by_their_size_and_never_restart_t(line: Any) -> None:
    x, y = line
    model = Linear(Scale.of(x).apply(x), Scale.of(y[:, None]).apply(y[:, None])[:, 0])
    spy, sizes = Spy(), []
    gradient = model.gradient

    def watched(params: Any, rows: Any = slice(None)) -> Any:
        sizes.append(len(rows))
        found = gradient(params, rows)
        error = model.x[rows] @ params["weight"] + params["bias"] - model.y[rows]
        np.testing.assert_allclose(found["bias"], [2 * error.sum() / len(rows)], rtol=1e-12)
        return found

    model.gradient = watched  # type: ignore[method-assign]
    done = descend(model, 101, spy, batch_size=32, max_steps=12, tol=0, seed=0)
    assert sizes == [32, 32, 32, 5] * 3
    assert (done.steps, done.epochs, spy.inner.t) == (12, 3, 12)
    assert len(done.losses) == 4
    cut = descend(Linear(model.x, model.y[:, 0]), 101, Spy(), batch_size=32, max_steps=6, tol=0, seed=0)
    assert (cut.steps, cut.epochs, len(cut.losses)) == (6, 2, 3)


def test_mini_batches_stop_on_the_change_over_an_epoch(line: Any) -> None:
    x, y = line
    found = fit(x, y, optimizer="sgd", lr=0.01, batch_size=32, tol=1e-2, steps=4000)
    assert found.converged
    assert "3 epochs in a row" in found.message
    changes = np.abs(np.diff(found.losses)) / y.var()
    assert np.all(changes[-3:] < 1e-2)
    assert changes[-4] >= 1e-2
    assert found.steps == 4 * found.epochs
    again = fit(x, y, optimizer="sgd", lr=0.01, batch_size=32, tol=1e-2, steps=4000)
    assert again.losses == found.losses
    assert (
        fit(x, y, lr=0.01, batch_size=32, epochs=2, seed=1).losses != fit(x, y, lr=0.01, batch_size=32, epochs=2).losses
    )


def test_full_batch_loop_equals_the_tutorials_loop(line: Any) -> None:
    """The same numbers as stepping by hand on standardised data."""
    x, y = line
    z, w = (x - x.mean(axis=0)) / x.std(axis=0), (y - y.mean()) / y.std()
    params = {"weight": np.zeros((2, 1)), "bias": np.zeros(1)}
    optimizer = adamas.Adam(lr=0.02)
    for _ in range(100):
        error = z @ params["weight"] + params["bias"] - w[:, None]
        optimizer.step(params, {"weight": 2 / 101 * z.T @ error, "bias": 2 / 101 * error.sum(axis=0)})
    found = fit(x, y, lr=0.02, steps=100, tol=0)
    np.testing.assert_allclose(found.coefficients, params["weight"][:, 0] * y.std() / x.std(axis=0), rtol=1e-9)


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_gradient_equals_finite_differences(classes: int) -> None:
    rng = np.random.default_rng(1)
    model = Logistic(rng.normal(size=(12, 3)), rng.integers(0, classes, 12), classes)
    params = {k: rng.normal(size=v.shape) for k, v in model.start().items()}
    rows = np.array([0, 3, 4, 9, 11])
    grads = model.gradient(params, rows)
    for name, value in params.items():
        for place in np.ndindex(value.shape):
            losses = []
            for shift in (1e-6, -1e-6):
                moved = {k: v.copy() for k, v in params.items()}
                moved[name][place] += shift
                losses.append(model.loss(moved, rows))
            assert grads[name][place] == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-6, abs=1e-9)


def test_logistic_binary_reaches_scikit_learn_in_original_units() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 2)) * [100, 1] + [50, 0]
    y = (rng.random(300) < 1 / (1 + np.exp(-(0.01 * x[:, 0] - x[:, 1])))).astype(float)
    found = fit(x, y, lr=0.05, tol=1e-13)
    assert (found.model, found.classes) == ("logistic", [0, 1])
    from sklearn.linear_model import LogisticRegression

    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=5000).fit(x / [100, 1], y)
    expected = reference.coef_[0] / [100, 1]
    np.testing.assert_allclose(found.closed_coefficients, expected, rtol=1e-3)
    np.testing.assert_allclose(found.coefficients, found.closed_coefficients, rtol=1e-4)
    assert found.score == np.mean(found.predict(x) == y)
    assert found.notes == []


def test_logistic_with_three_text_classes() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(240, 2))
    kinds = np.array(["ant", "bee", "cow"])
    y = kinds[np.argmax(x @ [[1, 0, -1], [0, 1, 1]] + rng.gumbel(size=(240, 3)), axis=1)]
    found = fit(x, y, lr=0.05, tol=1e-13)
    assert found.classes == ["ant", "bee", "cow"]
    np.testing.assert_allclose(found.coefficients, found.closed_coefficients, atol=1e-3)
    np.testing.assert_allclose(found.coefficients.sum(axis=1), 0, atol=1e-12)
    assert found.loss == pytest.approx(found.closed_loss, rel=1e-7)
    assert found.score == np.mean(found.predict(x) == y)


def test_separable_classes_are_said_to_be() -> None:
    found = fit(np.arange(20.0), np.repeat([0.0, 1.0], 10), steps=50)
    assert any("told apart from the rest without an error: 0, 1" in note for note in found.notes)


def test_constant_and_dependent_columns_are_said_to_be() -> None:
    x = np.random.default_rng(0).normal(size=(30, 1))
    wide = np.hstack([x, 3 * x, np.full((30, 1), 7.0)])
    found = fit(wide, x[:, 0] * 5, steps=10, names=["a", "b", "c"])
    assert "constant, hence without effect: c" in found.notes
    assert any("not unique" in note for note in found.notes)
    assert found.coefficients[2] == found.closed_coefficients[2] == 0


def test_scale_there_and_back() -> None:
    x = np.random.default_rng(0).normal(size=(9, 3)) * [1, 10, 100] + 5
    y = np.random.default_rng(1).normal(size=(9, 1))
    params = {"weight": np.array([[1.0], [2.0], [3.0]]), "bias": np.array([0.5])}
    scale, height = Scale.of(x), Scale.of(y)
    w, b = in_data_units(params, scale, height)
    standard = scale.apply(x) @ params["weight"][:, 0] + 0.5
    np.testing.assert_allclose(x @ w + b, standard * y.std() + y.mean(), rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"model": "cubic"}, "choose auto, linear or logistic"),
        ({"batch_size": 0}, "batch size 0: give 1 to 101"),
        ({"batch_size": 102}, "batch size 102: give 1 to 101"),
        ({"steps": 5, "epochs": 5}, "give one of them"),
        ({"epochs": 0}, "epochs = 0: give 1 or more"),
        ({"tol": -1.0}, "tol = -1.0: give a number of 0 or more"),
        ({"lr": 0.0}, "lr = 0.0: give a positive number"),
        ({"optimizer": "adma"}, "adma"),
        ({"names": ["one"]}, "1 names for 2 features"),
        ({"drop": ["a"]}, "are for files"),
        ({"model": "logistic"}, "101 different values, 100 classes are allowed"),
    ],
)
def test_fit_refuses(line: Any, arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        fit(*line, **arguments)


def test_fit_refuses_data(line: Any) -> None:
    x, y = line
    with pytest.raises(InputError, match=r"is 1\.0 in every row; there is nothing to fit"):
        fit(x, np.ones(101))
    x = x.copy()
    x[3, 1] = np.nan
    with pytest.raises(InputError, match=r"x\[3, 1\] = nan: values must be finite"):
        fit(x, y)
    with pytest.raises(InputError, match=r"x has shape \(101, 2\), y \(5,\)"):
        fit(x, y[:5])


def test_a_diverging_fit_is_a_failed_run(line: Any) -> None:
    with pytest.raises(LabError, match="the learning rate is too large"):
        fit(*line, optimizer="sgd", lr=100.0)


def test_command_prints_coefficients_and_writes_files(tmp_path: Path) -> None:
    rows = [(i, i % 7, 2 * i - 3 * (i % 7) + 1) for i in range(40)]
    data = write(tmp_path / "data.csv", ["a", "b", "y"], rows)
    result = invoke("fit", data, "--target", "y", "--lr", "0.01", "--out", tmp_path / "out", "-q")
    assert result.exit_code == 0, result.stderr
    assert "y: linear regression, 40 rows, 2 features" in result.stdout
    table = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()[3:6]}
    for name, value in (("(intercept)", 1), ("a", 2), ("b", -3)):
        assert float(table[name][0]) == pytest.approx(value, abs=0.02)
        assert float(table[name][1]) == pytest.approx(value, abs=1e-6)
    names = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert names == {
        "manifest.json", "records.jsonl", "summary.json", "coefficients.csv", "losses.csv",
        "figures/loss.png", "figures/loss.svg",
    }  # fmt: skip
    assert (tmp_path / "out/figures/loss.png").read_bytes()[:4] == b"\x89PNG"
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["command"] == (
        f"adamas fit {data} --target y --model auto --optimizer adam --lr 0.01 --tol 1e-08 --seed 0"
    )
    assert result.stderr == f"loss curve: {tmp_path / 'out/figures/loss.png'}\n"


def test_command_json_is_pure(tmp_path: Path) -> None:
    rows = [(i, ["no", "yes"][(i * 7 % 11) > 5]) for i in range(40)]
    data = write(tmp_path / "data.csv", ["a", "kind"], rows)
    result = invoke(
        "fit", data, "--target", "kind", "--batch-size", "16", "--epochs", "3", "--json", "--out", tmp_path / "o"
    )
    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert found["model"] == "logistic"
    assert found["classes"] == ["no", "yes"]
    assert (found["steps"], found["epochs"]) == (9, 3)
    assert found["converged"] is False
    assert "not converged" in result.stderr
    assert "figures/loss.png" in found["files"]


def test_command_exit_codes(tmp_path: Path) -> None:
    data = write(tmp_path / "data.csv", ["a", "y"], [(i, 3 * i) for i in range(9)])
    failed = invoke("fit", data, "--target", "y", "--optimizer", "sgd", "--lr", "1e6", "--out", tmp_path / "o")
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert "the learning rate is too large" in failed.stderr
    assert invoke("fit", data, "--target", "z", "--out", tmp_path / "o").exit_code == 2
    assert invoke("fit", data, "--out", tmp_path / "o").exit_code == 2
    assert not (tmp_path / "o").exists()
