"""Effective learning rates and RMS_t, by hand and along runs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_race import SmallRace

import adamas
from adamas.lab.probe import MOST_READINGS, Reading, median_reading, read, reading_steps
from adamas.lab.problems import get_problem
from adamas.lab.records import read_runs
from adamas.lab.trial import run_trial


def step(made: Any, p: list[float], gradients: list[list[float]]) -> Reading:
    """The reading of the last of several steps."""
    params = {"a": np.array(p[:1]), "b": np.array(p[1:])}
    for g in gradients:
        before, grads = {k: v.copy() for k, v in params.items()}, {"a": np.array(g[:1]), "b": np.array(g[1:])}
        made.step(params, grads)
    return read(len(gradients), before, params, grads, made)


def test_rates_by_hand() -> None:
    sgd = step(adamas.SGD(lr=0.25), [1.0, 2.0, 3.0], [[1.0, 0.0, -4.0]])
    assert (sgd.rate, sgd.rms) == ((0.25, 0.25, 0.25), None)
    signs = step(adamas.Lion(lr=0.5), [0.0, 0.0, 0.0], [[1.0, 2.0, -4.0]])  # moves 0.5 whatever the gradient
    assert signs.rate == pytest.approx((0.1875, 0.25, 0.375))
    still = step(adamas.SGD(lr=0.25), [1.0, 2.0, 3.0], [[0.0, 0.0, 0.0]])
    assert still.rate is None


def test_rms_by_hand() -> None:
    """Corrected for bias, the second moment of a first step is the square of its gradient."""
    for made in (adamas.Adam(), adamas.AdamW(), adamas.NAdam(), adamas.AMSGrad(), adamas.RAdam()):
        assert step(made, [1.0, 2.0, 3.0], [[1.0, 5.0, -0.1]]).rms == pytest.approx(1.0, rel=1e-12)
    # v = 0.01 g^2 uncorrected, so that g^2 / v = 100
    assert step(adamas.RMSprop(alpha=0.99), [1.0, 2.0, 3.0], [[1.0, 5.0, -0.1]]).rms == pytest.approx(10.0)
    # a gradient of 100 after one of 1: v_hat = (0.9 * 0.1 * 1 + 0.1 * 1e4) / (1 - 0.81)
    v_hat = (0.09 + 1000.0) / 0.19
    found = step(adamas.Adam(betas=(0.9, 0.9)), [0.0, 0.0], [[1.0, 1.0], [100.0, 0.0]])
    assert found.rms == pytest.approx(math.sqrt(0.5 * 1e4 / v_hat))
    # below eps^2 the second moment does not count
    assert step(adamas.Adam(eps=1e-3), [0.0], [[1e-6]]).rms == pytest.approx(1e-3)
    for made in (adamas.SGD(), adamas.Momentum(), adamas.Adagrad(), adamas.Lion(), adamas.Adamax()):
        assert step(made, [1.0, 1.0], [[1.0, 1.0]]).rms is None


def test_what_is_not_finite_is_no_reading() -> None:
    found = step(adamas.Adam(nonfinite="propagate"), [1.0, 1.0], [[math.inf, 1.0]])
    assert (found.rate, found.rms) == (None, None)


def test_readings_are_taken_where_the_loss_is_evaluated_and_change_nothing() -> None:
    assert reading_steps([10, 20, 25]) == {10, 20, 25}
    many = reading_steps(list(range(1, 2001)))
    assert len(many) == MOST_READINGS
    assert {1, 2000} <= many
    problem = get_problem("digits-softmax")
    with_, without = (run_trial(problem, adamas.Adam(), 0, 25, evaluate_every=10, probe=p) for p in (True, False))
    assert [r.step for r in with_.readings] == [10, 20, 25]
    assert without.readings == []
    assert (with_.train, with_.valid) == (without.train, without.valid)
    assert all(r.rate is not None and r.rate[0] <= r.rate[1] <= r.rate[2] for r in with_.readings)


def test_only_reported_runs_have_readings(race: SmallRace) -> None:
    for run in race.runs:
        assert bool(run.trial.readings) == (run.heading.role == "evaluate"), run.heading.run_id
        assert all((r.rms is None) == (run.heading.optimizer != "Adam") for r in run.trial.readings)


def test_folders_without_readings_still_open(race: SmallRace, tmp_path: Path) -> None:
    from adamas.lab.report import build

    lines = (race.folder / "records.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "records.jsonl").write_text("".join(line for line in lines if '"reading"' not in line))
    (tmp_path / "manifest.json").write_bytes((race.folder / "manifest.json").read_bytes())
    assert [run.trial.valid for run in read_runs(tmp_path)] == [run.trial.valid for run in race.runs]
    summary = build(tmp_path, formats=["html"], out=tmp_path / "out")
    assert {row["largest_rms"] for row in summary["diagnostics"]} == {None}
    assert "RMS_t (no unit)" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_medians_over_runs_by_hand() -> None:
    runs = [
        [Reading(1, (1.0, 2.0, 3.0), 1.0), Reading(2, None, None)],
        [Reading(1, (3.0, 4.0, 5.0), 3.0), Reading(2, None, 2.0), Reading(3, (1.0, 1.0, 1.0), 1.0)],
    ]
    steps, rates, rms = median_reading(runs)
    assert steps == [1, 2]
    assert rates[:, 0].tolist() == [2.0, 3.0, 4.0]
    assert np.isnan(rates[:, 1]).all()
    assert rms.tolist() == [2.0, 2.0]
    assert median_reading([])[0] == []
