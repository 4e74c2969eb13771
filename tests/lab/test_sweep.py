"""Sweeps: the same trials for everyone, whoever runs them and however often they are killed."""

from __future__ import annotations

import csv
import json
import math
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from processes import in_trial, killed, start
from small_race import invoke
from sqlalchemy.exc import OperationalError

from adamas.lab import sweep_search
from adamas.lab.errors import InputError
from adamas.lab.jobs import Task, run_task
from adamas.lab.problems import get_problem
from adamas.lab.records import read_runs
from adamas.lab.selection import judge
from adamas.lab.statistics import median
from adamas.lab.sweep_contest import sweep
from adamas.lab.sweep_search import open_storage
from adamas.lab.sweep_space import Axis, draw, parse_space, random_point, sobol_point
from snapshots import GUARD

SPACE = "lr=1e-3:1:log,beta2=0.9:0.9999:logit"
FIXED: dict[str, Any] = {
    "optimizers": ["adam", "sgd"], "trials": 9, "space": SPACE, "seeds": 5, "steps": 40, "quiet": True,
}  # fmt: skip


def words(out: Path, *more: str) -> list[str]:
    return ["sweep", "t0-bowl", "--optimizers", "adam,sgd", "--trials", "9", "--space", SPACE, "--seeds", "5",
            "--steps", "40", "-q", "--out", str(out), *more]  # fmt: skip


def table(folder: Path) -> dict[str, Any]:
    """The summary, without anything that names the folder."""
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


def complete(database: Path) -> int:
    """Finished trials in the database, counted beside Optuna."""
    with sqlite3.connect(database) as connection:
        return int(connection.execute("select count(*) from trials where state = 'COMPLETE'").fetchone()[0])


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One undisturbed sweep."""
    folder = tmp_path_factory.mktemp("sweep") / "run"
    sweep("t0-bowl", out=folder, **FIXED)
    return folder


def test_everyone_has_the_same_trials_and_trial_zero_is_the_published_default(done: Path) -> None:
    found = table(done)["optimizers"]
    adam, sgd = found["Adam"]["trials"], found["SGD"]["trials"]
    assert [t["number"] for t in adam] == [t["number"] for t in sgd] == list(range(9))
    assert adam[0]["hyper"] == sgd[0]["hyper"] == {}
    for ours, theirs in zip(adam[1:], sgd[1:], strict=True):
        assert set(ours["hyper"]) == {"lr", "beta2"}
        assert set(theirs["hyper"]) == {"lr"}
        assert ours["hyper"]["lr"] == theirs["hyper"]["lr"]
        assert 1e-3 <= ours["hyper"]["lr"] <= 1
        assert 0.9 <= ours["hyper"]["beta2"] <= 0.9999
    assert complete(done / "sweep.db") == 18


def test_a_trial_is_what_its_hyper_parameters_give(done: Path) -> None:
    problem = get_problem("t0-bowl")
    for trial in table(done)["optimizers"]["Adam"]["trials"][:3]:
        runs = [run_task(Task("t0-bowl", "Adam", "Adam", None, seed, 40, trial["hyper"]))
                for seed in (1_000_000, 1_000_001, 1_000_002)]  # fmt: skip
        loss, steps = judge(runs, problem.targets[-1], problem.floor)
        assert trial["valid_loss"] == loss
        assert trial["steps"] == (steps if math.isfinite(steps) else None)


def test_columns_are_the_best_of_the_first_k_on_other_seeds(done: Path) -> None:
    summary, runs = table(done), read_runs(done)
    assert summary["budgets"] == [1, 8, 9]
    assert {run.heading.seed for run in runs} == set(range(5))
    for label, numbers in summary["optimizers"].items():
        losses = [t["valid_loss"] for t in numbers["trials"]]
        assert numbers["best_so_far"] == list(np.minimum.accumulate(losses))
        assert numbers["tuned"]["1"]["trial"] == 0
        for k in (1, 8, 9):
            cell = numbers["tuned"][f"{k}"]
            assert losses[cell["trial"]] == min(losses[:k])
            own = [r for r in runs if r.heading.optimizer == label and f"tuned{k}" in r.heading.columns]
            assert {r.heading.trial for r in own} == {cell["trial"]}
            assert cell["valid_loss"]["median"] == median([r.trial.final_valid for r in own])
    against = summary["optimizers"]["SGD"]["tuned"]["9"]["against"]
    assert against["low"] <= against["centre"] <= against["high"]
    assert summary["optimizers"]["Adam"]["tuned"]["9"]["against"] is None


def test_table_and_files(done: Path, tmp_path: Path) -> None:
    result = invoke(*words(tmp_path / "shown"))
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "t0-bowl: 40 steps, median of 5 seeds"
    for word in ("tuned(1)", "tuned(8)", "tuned(9)", "chosen", "against Adam"):
        assert word in lines[1]
    assert "SGD has no beta2: its search is over lr." in lines
    assert lines[-1].startswith("5 seeds cannot separate 2 optimizers")
    assert lines[-1].endswith("use --seeds 6 or more.")
    assert "lr=0.001:1:log, beta2=0.9:0.9999:logit; 9 trials (random, seed 0)" in result.stdout
    assert table(tmp_path / "shown") == table(done)
    with (done / "trials.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["trial"] for row in rows if row["optimizer"] == "SGD"] == [str(i) for i in range(9)]
    assert {row["beta2"] for row in rows if row["optimizer"] == "SGD"} == {""}
    manifest = json.loads((done / "manifest.json").read_text())
    assert (manifest["kind"], manifest["status"]) == ("sweep", "complete")
    again = invoke(*manifest["command"].split()[1:], "--out", tmp_path / "again", "-q", "--json")
    assert table(tmp_path / "again") == table(done)
    printed = json.loads(again.stdout)
    assert {k: printed[k] for k in table(done)} == table(done)


def test_a_killed_sweep_goes_on_to_exactly_its_trials(done: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    killed(*words(out), first=in_trial(3))
    assert complete(out / "sweep.db") == 3  # and a fourth was run, and is lost
    result = invoke(*words(out, "--resume"))
    assert result.exit_code == 0, result.stderr
    assert table(out) == table(done)
    assert complete(out / "sweep.db") == 18


def test_a_trial_left_by_a_dead_worker_is_run_by_another(done: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    sweep("t0-bowl", out=tmp_path / "a", storage=url, **{**FIXED, "trials": 4})
    for name in optuna.get_all_study_names(url):  # two workers ask and die
        study = optuna.load_study(study_name=name, storage=url)
        study.ask()
        study.ask()
    sweep("t0-bowl", out=tmp_path / "b", storage=url, **FIXED)
    assert table(tmp_path / "b") == table(done)


def test_two_workers_on_one_database_share_the_trials_and_give_one_table(done: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    workers = [start(*words(tmp_path / name, "--storage", url)) for name in ("a", "b")]
    errors = [worker.communicate(timeout=GUARD)[1].decode() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], errors
    assert table(tmp_path / "a") == table(tmp_path / "b") == table(done)
    assert 18 <= complete(tmp_path / "shared.db") <= 18 + 4  # the last trials of each study may be run by both


def test_tables_that_another_worker_is_making_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred refusals are no failure; a file that is no database is told at the first."""
    url, real, asked = f"sqlite:///{tmp_path / 'shared.db'}", optuna.storages.RDBStorage, []

    def making(*arguments: Any, **others: Any) -> Any:
        asked.append(arguments)
        if len(asked) <= 100:
            raise OperationalError("CREATE TABLE studies", {}, Exception("table studies already exists"))
        return real(*arguments, **others)

    monkeypatch.setattr(optuna.storages, "RDBStorage", making)
    monkeypatch.setattr(sweep_search, "SECONDS_BETWEEN_OPENINGS", 0.0)
    assert isinstance(open_storage(url), real)
    (tmp_path / "other.db").write_text("no database, but long enough to have been one")
    with pytest.raises(InputError, match="cannot be opened"):
        open_storage(f"sqlite:///{tmp_path / 'other.db'}")
    assert len(asked) == 102


@pytest.mark.parametrize("jobs", [2])
def test_processes_do_not_change_the_table(done: Path, tmp_path: Path, jobs: int) -> None:
    sweep("t0-bowl", out=tmp_path / "jobs", jobs=jobs, **FIXED)
    assert table(tmp_path / "jobs") == table(done)


def test_more_trials_continue_the_same_study(done: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    few = sweep("t0-bowl", out=tmp_path / "few", storage=url, **{**FIXED, "trials": 5})
    more = sweep("t0-bowl", out=tmp_path / "more", storage=url, **FIXED)
    assert complete(tmp_path / "shared.db") == 18
    assert table(tmp_path / "more") == table(done)
    for label in ("Adam", "SGD"):
        first = few.summary["optimizers"][label]["trials"]
        assert first == more.summary["optimizers"][label]["trials"][:5]


def test_tpe_repeats_and_learns(tmp_path: Path) -> None:
    arguments = {**FIXED, "optimizers": ["adam"], "trials": 24, "sampler": "tpe"}
    one = sweep("t0-bowl", out=tmp_path / "one", **arguments).summary["optimizers"]["Adam"]["trials"]
    two = sweep("t0-bowl", out=tmp_path / "two", **arguments).summary["optimizers"]["Adam"]["trials"]
    assert one == two
    early, late = [np.log([t["hyper"]["lr"] for t in part]) for part in (one[1:11], one[11:])]
    best = math.log(min(one, key=lambda t: t["valid_loss"])["hyper"]["lr"])
    assert np.median(np.abs(late - best)) < np.median(np.abs(early - best))


def test_points_are_functions_of_seed_and_number() -> None:
    for points in (random_point, sobol_point):
        forward = [points(3, k, 2).tolist() for k in range(64)]
        assert forward == [points(3, k, 2).tolist() for k in reversed(range(64))][::-1]
        assert forward != [points(4, k, 2).tolist() for k in range(64)]
        assert 0 <= np.min(forward) <= np.max(forward) < 1
    cells = {tuple((np.array(p) * 8).astype(int)) for p in (sobol_point(0, k, 2) for k in range(64))}
    assert len(cells) > 45  # 64 random points leave about 23 of the 64 cells empty


def test_axes_are_uniform_on_their_scales() -> None:
    axes = parse_space("lr=1e-4:1:log,beta2=0.9:0.9999:logit,momentum=0:0.5")
    assert axes == (Axis("lr", 1e-4, 1.0, "log"), Axis("beta2", 0.9, 0.9999, "logit"), Axis("momentum", 0.0, 0.5))
    every = [draw("random", axes, 0, k) for k in range(2000)]
    values = {axis.name: np.array([axis.value(places[axis.name]) for places in every]) for axis in axes}
    assert np.median(values["lr"]) == pytest.approx(1e-2, rel=0.3)
    middle = math.sqrt(0.9 / 0.1 * 0.9999 / 0.0001)  # odds in the middle of the logit axis
    assert np.median(values["beta2"] / (1 - values["beta2"])) == pytest.approx(middle, rel=0.3)
    assert np.median(values["momentum"]) == pytest.approx(0.25, rel=0.1)
    for axis in axes:
        assert axis.low <= values[axis.name].min() <= values[axis.name].max() <= axis.high
        low, high = axis.ends
        assert axis.value(low) == pytest.approx(axis.low, rel=1e-12)
        assert axis.value(high) == pytest.approx(axis.high, rel=1e-12)
        assert axis.place(axis.high * 2) is None


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--trials", "0"], "--trials 0: give 1 or more"),
        (["--seeds", "4"], "--seeds 4: give 5 or more"),
        (["--sampler", "grid"], "--sampler grid: choose one of: random, qmc, tpe"),
        (["--space", "lr"], "--space 'lr': give NAME=LOW:HIGH"),
        (["--space", "lr=1:0.1:log"], "a log axis needs low < high, both between 0 and inf"),
        (["--space", "lr=0:1:log"], "a log axis needs low < high"),
        (["--space", "beta2=0.9:1:logit"], "both between 0 and 1"),
        (["--space", "lr=0.1:1:cubic"], "the scale must be one of linear, log, logit"),
        (["--space", "lr=0.1:1,lr=0.1:1"], "lr is given twice"),
        (["--space", ""], "give at least one axis"),
        (["--space", "beta2=0.9:0.99"], "SGD has none of beta2; it has lr, weight_decay"),
        (["--space", "lr=0.1:1,gamma=0:1"], "no optimizer of this sweep has gamma"),
        (["--optimizers", "nosuch"], "optimizer 'nosuch'"),
        (["--jobs", "0"], "--jobs 0"),
        (["--storage", "nonsense"], "--storage nonsense: cannot be opened"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_made(more: list[str], text: str, tmp_path: Path) -> None:
    result = invoke(*words(tmp_path / "out", *more))
    assert result.exit_code == 2
    assert text in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_other_settings_do_not_resume(done: Path) -> None:
    with pytest.raises(InputError, match="trials was 9 and is now 10"):
        sweep("t0-bowl", out=done, resume=True, **{**FIXED, "trials": 10})
    with pytest.raises(InputError, match="--resume needs the folder"):
        sweep("t0-bowl", resume=True, **FIXED)
