"""A rule in a user's own file is a first-class member: NumPy, `compare`, `bench`; nothing else is touched."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import adamas
from adamas.lab.commands import adamas as program
from family import same_bits

SOURCE = '''
import adamas


@adamas.rule
def settle(p, g, m, t, *, lr=0.02, beta1=0.8):
    """Momentum of clipped gradients, corrected."""
    m = beta1 * m + (1 - beta1) * adamas.clip(g, -3, 3)
    return p - lr / (1 - beta1**t) * m, m
'''.replace("adamas.clip(", "clip(").replace("import adamas\n", "import adamas\nfrom adamas import clip\n")


@pytest.fixture
def member(tmp_path: Path) -> str:
    file = tmp_path / "own.py"
    file.write_text(SOURCE, encoding="utf-8")
    return f"{file}:settle"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_through_numpy(member: str, dtype: type) -> None:
    start = np.random.default_rng(0).standard_normal(1003).astype(dtype)
    out = []
    for backend in ("cpu", "reference"):
        x = start.copy()
        opt = adamas.get(member)(backend=backend, weight_decay=0.1, clip_norm=2.0)
        for k in range(5):
            opt.step(x, (np.sin(x * (k + 1)) * 4).astype(dtype))
        out.append(x)
        assert not np.array_equal(x, start)
    assert same_bits(out[0], out[1])


def test_value_of_two_steps(member: str) -> None:
    """By hand: g = 4 is clipped to 3; m = 0.6, 1.08; steps 0.02 * 3 each, since the correction makes the mean 3."""
    x = np.array([1.0])
    opt = adamas.get(member)()
    for _ in range(2):
        opt.step(x, np.array([4.0]))
    assert abs(x[0] - (1 - 2 * 0.06)) < 1e-15


def test_through_compare(member: str, tmp_path: Path) -> None:
    arguments = ["compare", "t0-bowl", "--optimizers", f"sgd,{member}", "--steps", "30", "--seeds", "5", "--json", "-q"]
    done = CliRunner().invoke(program, [*arguments, "--out", str(tmp_path / "race")])
    assert done.exit_code == 0, done.output
    assert "settle" in json.dumps(json.loads(done.stdout))


def test_through_bench(member: str) -> None:
    done = CliRunner().invoke(program, ["bench", "--only", "user-rule", "--rule", member, "--quick", "--json", "-q"])
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["ours"], row["peer"]) == ("settle", "Momentum")  # the built-in with as many state arrays
    assert row["ours_us"] > 0
    assert row["ratio"] > 0


def test_a_step_that_does_nothing_is_no_figure(tmp_path: Path) -> None:
    file = tmp_path / "idle.py"
    file.write_text("import adamas\n\n\n@adamas.rule\ndef idle(p, g, *, lr=0.1):\n    return p\n", encoding="utf-8")
    done = CliRunner().invoke(program, ["bench", "--only", "user-rule", "--rule", f"{file}:idle", "--quick", "-q"])
    assert done.exit_code == 1
    assert "did not change" in done.output
