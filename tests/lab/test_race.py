"""The race: paired, deterministic, tuned on seeds and data that are not reported."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_race import GRID, SEEDS, STEPS, SmallRace

from adamas.lab import LabError, compare
from adamas.lab.errors import InputError
from adamas.lab.problems import get_problem
from adamas.lab.race import Settings, default_folder, settings_to_dict
from adamas.lab.records import Run, read_runs
from adamas.lab.statistics import median, steps_to_target

TIMES = {"step_ns"}
T0_TARGETS = get_problem("t0-bowl").targets


def of(race: SmallRace, **wanted: Any) -> list[Run]:
    """Runs with such headings."""
    return [r for r in race.runs if all(getattr(r.heading, k) == v for k, v in wanted.items())]


def test_every_optimizer_has_the_same_trials_seeds_and_budget(race: SmallRace) -> None:
    labels = {run.heading.optimizer for run in race.runs}
    assert len(labels) == 3
    for problem in ("digits-softmax", "t0-bowl"):
        for label in labels:
            tuning = of(race, problem=problem, optimizer=label, role="tune")
            assert len(tuning) == 3 * (1 + len(GRID))
            assert [run.heading.lr for run in tuning if run.heading.trial > 0] == [*GRID] * 3
            for column in ("default", "tuned"):
                runs = [r for r in of(race, problem=problem, optimizer=label, role="evaluate")
                        if column in r.heading.columns]  # fmt: skip
                assert [run.heading.seed for run in runs] == list(range(SEEDS))
    assert {run.heading.budget for run in race.runs} == {STEPS}


def test_tuning_seeds_and_evaluation_seeds_are_disjoint(race: SmallRace) -> None:
    tuning = {run.heading.seed for run in race.runs if run.heading.role == "tune"}
    evaluation = {run.heading.seed for run in race.runs if run.heading.role == "evaluate"}
    assert tuning == {1_000_000, 1_000_001, 1_000_002}
    assert evaluation == set(range(SEEDS))
    widest = Settings(seeds=500_000, seed=500_000)
    assert set(widest.evaluation_seeds).isdisjoint(widest.tuning_seeds)


def test_trial_zero_is_the_published_default(race: SmallRace) -> None:
    defaults = {r.heading.optimizer: r.heading.lr for r in race.runs if r.heading.trial == 0}
    assert defaults["SGD"] == 0.01
    assert defaults["Adam"] == 0.001
    assert 0.05 in defaults.values()


def test_runs_of_one_seed_start_alike(race: SmallRace) -> None:
    for problem in ("digits-softmax", "t0-bowl"):
        for seed in range(SEEDS):
            starts = {run.trial.valid[0] for run in of(race, problem=problem, seed=seed)}
            assert len(starts) == 1


def test_selection_is_by_validation_loss_on_tuning_seeds_only(race: SmallRace) -> None:
    for problem, numbers in race.json["problems"].items():
        floor = get_problem(problem).floor
        for label, search in numbers["search"].items():
            losses = []
            for trial in range(1 + len(GRID)):
                runs = of(race, problem=problem, optimizer=label, role="tune", trial=trial)
                losses.append(median([max(run.trial.final_valid, floor) for run in runs]))
            best = min(range(len(losses)), key=losses.__getitem__)
            assert losses[search["chosen_trial"]] == losses[best]
            assert search["chosen_lr"] == numbers["columns"]["tuned"][label]["lr"]
            assert search["at_edge"] == (search["chosen_lr"] in (GRID[0], GRID[-1]))


def test_summary_repeats_what_the_records_say(race: SmallRace) -> None:
    for problem, numbers in race.json["problems"].items():
        for column, cells in numbers["columns"].items():
            for label, cell in cells.items():
                runs = [r for r in of(race, problem=problem, optimizer=label, role="evaluate")
                        if column in r.heading.columns]  # fmt: skip
                finals = [run.trial.valid[-1] for run in runs]
                assert cell["valid_loss"]["median"] == pytest.approx(float(np.median(finals)), rel=1e-15)
                assert cell["valid_loss"]["q1"] == pytest.approx(float(np.quantile(finals, 0.25)), rel=1e-15)
                target = numbers["targets"][0]
                steps = [steps_to_target(r.trial.steps, r.trial.valid, target) for r in runs]
                shown = cell["steps_to_target"][f"{target:g}"]
                assert shown["reached"] == sum(math.isfinite(s) for s in steps)
                assert shown["median"] == (median(steps) if math.isfinite(median(steps)) else None)
                if numbers["surface"]:
                    assert cell["test_accuracy"] is None
                else:
                    accuracies = [run.trial.test_accuracy for run in runs]
                    assert cell["test_accuracy"]["median"] == pytest.approx(float(np.median(accuracies)))


def test_intervals_are_against_adam_and_paired(race: SmallRace) -> None:
    assert race.json["reference"] == "Adam"
    cells = race.json["problems"]["digits-softmax"]["columns"]["default"]
    assert cells["Adam"]["against"] is None
    ours = [r.trial.final_valid for r in of(race, problem="digits-softmax", optimizer="SGD", role="evaluate")
            if "default" in r.heading.columns]  # fmt: skip
    theirs = [r.trial.final_valid for r in of(race, problem="digits-softmax", optimizer="Adam", role="evaluate")
              if "default" in r.heading.columns]  # fmt: skip
    ratios = np.array(ours) / np.array(theirs)
    found = cells["SGD"]["against"]["valid_loss"]
    assert found["centre"] == pytest.approx(math.exp(np.median(np.log(ratios))), rel=1e-12)
    assert ratios.min() * (1 - 1e-12) <= found["low"] <= found["centre"] <= found["high"] <= ratios.max() * (1 + 1e-12)
    assert found["p_holm"] == pytest.approx(2 * 2 / 2**SEEDS)  # two comparisons, every pair the same way
    gain = cells["SGD"]["against"]["test_accuracy"]["centre"]
    assert -1 <= gain <= 1


@pytest.mark.usefixtures("no_report")
def test_same_command_same_numbers(race: SmallRace, tmp_path: Path) -> None:
    again = compare(
        ["digits-softmax", "t0-bowl"], optimizers=["SGD", "adam", f"{race.rule_file}:plain"],
        steps=STEPS, seeds=SEEDS, lr_grid=GRID, out=tmp_path / "again", quiet=True,
    )  # fmt: skip

    def lines(folder: Path) -> list[dict[str, Any]]:
        events = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
        return [{k: v for k, v in event.items() if k not in TIMES} for event in events]

    assert lines(race.folder) == lines(again.folder)
    other = compare(
        "t0-bowl", optimizers=["SGD"], steps=5, seeds=5, seed=1, lr_grid=GRID, out=tmp_path / "b", quiet=True
    )
    first = read_runs(other.folder)[-1].heading.seed
    assert first == 5


def test_users_rule_runs_and_equals_the_member_it_copies(race: SmallRace) -> None:
    """Same formula as SGD: at the same rate and seed the same losses, bit for bit."""
    (label,) = {run.heading.optimizer for run in race.runs} - {"SGD", "Adam"}
    for problem in ("digits-softmax", "t0-bowl"):
        for rate in GRID:
            mine = [r.trial.valid for r in of(race, problem=problem, optimizer=label, role="tune", lr=rate)]
            theirs = [r.trial.valid for r in of(race, problem=problem, optimizer="SGD", role="tune", lr=rate)]
            assert mine == theirs
    manifest = json.loads((race.folder / "manifest.json").read_text())
    digest = hashlib.sha256(race.rule_file.read_bytes()).hexdigest()
    assert manifest["settings"]["rule_files"] == {f"{race.rule_file}:plain": digest}
    assert race.json["facts"][label]["f32_state_bytes_per_param"] == 0


def test_floor_makes_tiny_values_of_a_surface_equal(tmp_path: Path) -> None:
    done = compare("t0-bowl", optimizers=["adam", "momentum"], seeds=6, lr_grid=[0.3], out=tmp_path / "r", quiet=True)
    cell = done.summary["problems"]["t0-bowl"]["columns"]["tuned"]["Momentum"]
    assert cell["valid_loss"]["median"] < 1e-6
    assert cell["against"]["valid_loss"]["centre"] == 1
    assert not cell["against"]["valid_loss"]["distinguishable"]
    assert "counts as the minimum" in done.summary["problems"]["t0-bowl"]["verdict"][0]


def test_divergence_is_a_result(tmp_path: Path) -> None:
    done = compare("rosenbrock", optimizers=["sgd", "adam"], steps=50, seeds=5, lr_grid=[100.0],
                   out=tmp_path / "r", quiet=True)  # fmt: skip
    cell = done.summary["problems"]["rosenbrock"]["columns"]["default"]["SGD"]
    assert cell["failed"] == cell["runs"] == 5
    assert cell["valid_loss"]["median"] == math.inf
    written = json.loads((done.folder / "summary.json").read_text())
    assert written["problems"]["rosenbrock"]["columns"]["default"]["SGD"]["valid_loss"]["median"] is None


def test_a_rule_that_raises_ends_the_race_and_keeps_its_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = get_problem("t0-bowl")
    calls = 0

    def broken(self: Any, params: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 100:
            raise RuntimeError("planted")
        return evaluate(self, params)

    evaluate = type(problem).evaluate
    monkeypatch.setattr(type(problem), "evaluate", broken)
    text = r"Adam on t0-bowl failed \(lr 0.1, seed 1000001\): RuntimeError: planted; what was measured before is in"
    with pytest.raises(LabError, match=text):
        compare("t0-bowl", optimizers=["adam"], steps=30, seeds=5, lr_grid=[0.1], out=tmp_path / "r", quiet=True)
    manifest = json.loads((tmp_path / "r" / "manifest.json").read_text())
    assert manifest["status"] == "failed"
    assert "planted" in manifest["error"]
    assert [run.heading.trial for run in read_runs(tmp_path / "r")] == [0, 1, 0]  # 31 evaluations each


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"seeds": 4}, "--seeds 4: give 5 or more"),
        ({"steps": 0}, "--steps 0: give 1 or more"),
        ({"seed": -1}, "--seed -1: give 0 to"),
        ({"seed": 999_999}, "--seed 999999: give 0 to 999990"),
        ({"lr_grid": (0.1, -1.0)}, "give positive numbers"),
        ({"lr_grid": ()}, "give positive numbers"),
        ({"lr_grid": (math.inf,)}, "give positive numbers"),
        ({"problems": ()}, "at least one problem"),
        ({"problems": ("t0-bowl", "t0-bowl")}, "name every problem once"),
    ],
)
def test_settings_refuse(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        Settings(**arguments)


@pytest.mark.parametrize(
    ("names", "wanted", "expected"),
    [(("sgd", "lion"), None, "SGD"), (("sgd", "adam"), None, "Adam"), (("adam", "lion"), "LION", "Lion")],
)
def test_reference(names: tuple[str, ...], wanted: str | None, expected: str) -> None:
    facts = settings_to_dict(Settings(("t0-bowl",), names, reference=wanted))
    assert facts["reference"] == expected


def test_another_reference_is_what_the_others_are_compared_with(tmp_path: Path) -> None:
    done = compare("t0-bowl", optimizers=["adam", "lion"], reference="lion", steps=6, seeds=5, lr_grid=[0.1],
                   out=tmp_path / "r", quiet=True)  # fmt: skip
    cells = done.summary["problems"]["t0-bowl"]["columns"]["tuned"]
    assert cells["Lion"]["against"] is None
    assert set(cells["Adam"]["against"]) == {"valid_loss", "train_loss", *(f"steps_to_{t:g}" for t in T0_TARGETS)}


def test_default_folder_names_problem_and_time(tmp_path: Path) -> None:
    assert default_folder(["digits-softmax", "digits-mlp"], tmp_path).name.startswith("digits-2")
    assert default_folder(["rosenbrock"], tmp_path).name.startswith("rosenbrock-2")
    assert default_folder(["rosenbrock", "digits-mlp"], tmp_path).name.startswith("race-2")
    first = default_folder(["rosenbrock"], tmp_path)
    first.mkdir()
    assert default_folder(["rosenbrock"], tmp_path) != first
