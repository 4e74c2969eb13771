"""adamas minimize: the tutorial's path, files, messages."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from small_race import invoke

import adamas
from adamas.lab.surfaces import get_surface


def test_path_equals_stepping_by_hand(tmp_path: Path) -> None:
    result = invoke("minimize", "t0-bowl", "--lr", "0.3", "--steps", "30", "--out", tmp_path / "o", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    z = np.array([-7.0, 2.0])
    optimizer = adamas.Adam(lr=0.3)
    for _ in range(30):
        optimizer.step(z, np.array([z[0] / 10, 2 * z[1]]))
    np.testing.assert_allclose(found["last"], z, rtol=1e-12)
    assert found["last_f"] == pytest.approx(z[0] ** 2 / 20 + z[1] ** 2, rel=1e-12)
    assert found["steps"] == 30
    with (tmp_path / "o/path.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 31
    assert [float(rows[0][k]) for k in ("x", "y", "f")] == [-7, 2, pytest.approx(6.45)]
    np.testing.assert_allclose([float(rows[-1]["x"]), float(rows[-1]["y"])], z, rtol=1e-12)


def test_defaults_files_and_table(tmp_path: Path) -> None:
    result = invoke("minimize", "rosenbrock", "--optimizer", "nadam", "--lr", "0.05", "--out", tmp_path / "o")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("NAdam, lr 0.05, on rosenbrock: (1 - x)² + 100 (y - x²)²\n")
    assert f"after {get_surface('rosenbrock').steps} steps" in result.stdout
    for name in ("figures/path.png", "figures/path.svg", "path.csv", "summary.json", "manifest.json", "records.jsonl"):
        assert (tmp_path / "o" / name).stat().st_size > 50, name
    manifest = json.loads((tmp_path / "o/manifest.json").read_text())
    assert manifest["command"] == "adamas minimize rosenbrock --optimizer NAdam --lr 0.05 --steps 2000 --start=-1.2,1"
    assert result.stderr == f"path: {tmp_path / 'o/figures/path.png'}\n"


def test_users_rule(tmp_path: Path, rule_file: Path) -> None:
    words = [
        "minimize",
        "quadratic",
        "--optimizer",
        f"{rule_file}:plain",
        "--lr",
        "0.01",
        "--steps",
        "3",
        "--start",
        "1,1",
    ]
    found = json.loads(invoke(*words, "--json", "--out", tmp_path / "o").stdout)
    np.testing.assert_allclose(found["last"], [0.99**3, 0], atol=1e-15)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["bowl"], "unknown surface 'bowl'; choose one of: rosenbrock, t0-bowl, quadratic"),
        (["t0-bowl", "--optimizer", "adma"], "optimizer 'adma'"),
        (["t0-bowl", "--lr", "0"], "--lr 0.0: give a positive number"),
        (["t0-bowl", "--steps", "0"], "--steps 0: give 1 or more"),
        (["t0-bowl", "--start", "1"], "--start '1': give two numbers"),
        (["t0-bowl", "--start", "1,nan"], "must be finite"),
    ],
)
def test_wrong_usage(words: list[str], text: str, tmp_path: Path) -> None:
    result = invoke("minimize", *words, "--out", tmp_path / "o")
    assert (result.exit_code, result.stdout) == (2, "")
    assert text in result.stderr
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("start", "steps", "text"),
    [
        ("1e90,1", 0, "from 1e+90,1: The loss at the start x0 is not finite (inf)"),
        ("1e60,1", 1, "from 1e+60,1: A state slot of Adam overflowed at step 1"),
    ],
)
def test_a_start_that_no_rate_helps_is_not_blamed_on_the_rate(
    start: str, steps: int, text: str, tmp_path: Path
) -> None:
    result = invoke("minimize", "rosenbrock", f"--start={start}", "--out", tmp_path / "o")
    assert result.exit_code == 1
    assert text in result.stderr
    assert "--lr" not in result.stderr
    assert f"after {steps} steps" in result.stdout


def test_the_path_is_kept_however_long_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adamas._path.RECORD_BYTES", 16)
    result = invoke("minimize", "t0-bowl", "--lr", "0.3", "--steps", "30", "--out", tmp_path / "o", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["message"] == "All 30 steps were done; no tolerance was set."
    assert len((tmp_path / "o/path.csv").read_text().splitlines()) == 32


def test_divergence_is_exit_code_1_with_its_picture(tmp_path: Path) -> None:
    result = invoke("minimize", "rosenbrock", "--optimizer", "sgd", "--lr", "0.1", "--out", tmp_path / "o")
    assert result.exit_code == 1
    assert "diverged" in result.stderr
    assert (tmp_path / "o/figures/path.png").is_file()
    assert "Infinity" not in (tmp_path / "o/summary.json").read_text()
