"""From the runs of a folder to the numbers of its tables: medians, quartiles, intervals, search."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .profiles import expected_running_time
from .profiles_summary import Cell, distribution, overall_distribution, race_profiles
from .records import Run
from .report_diagnostics import diagnose
from .runfolder import SCHEMA_VERSION, write_csv
from .selection import floored, judge
from .statistics import (
    Floats,
    compare_all,
    expected_excess,
    log_ratios,
    median,
    quantile,
    rate_width,
    steps_to_target,
    tuning_curve,
)

COLUMNS = ("default", "tuned")
CSV_HEADER = (
    "problem",
    "column",
    "optimizer",
    "lr",
    "runs",
    "failed",
    "target",
    "steps_to_target",
    "reached",
    "train_loss",
    "train_q1",
    "train_q3",
    "valid_loss",
    "valid_q1",
    "valid_q3",
    "test_accuracy",
    "test_q1",
    "test_q3",
    "valid_ratio",
    "valid_ratio_low",
    "valid_ratio_high",
    "p_holm",
    "distinguishable",
    "step_ns",
    "state_bytes_per_param",
    "expected_running_time",
)


def summarise(runs: Sequence[Run], settings: dict[str, Any]) -> dict[str, Any]:
    """Everything that tables, verdicts and figures need; infinities stay floats (null once written).

    Args:
        runs: Finished runs, of any number of problems.
        settings: `settings` of the manifest.
    """
    labels = list(dict.fromkeys(run.heading.optimizer for run in runs))
    reference = settings["reference"]
    problems = {}
    for name, facts in settings["problem_facts"].items():
        own = [run for run in runs if run.heading.problem == name]
        if any(run.heading.role == "evaluate" for run in own):
            problems[name] = _problem(facts, own, labels, reference)
    columns = columns_of(runs)
    targets = {name: problem["targets"] for name, problem in problems.items()}
    cells = {column: _step_cells(runs, column, targets) for column in columns}
    for column, by_problem in cells.items():
        for name, by_label in by_problem.items():
            problems[name]["ecdf"][column] = {label: distribution(cell) for label, cell in by_label.items()}
    return {
        "schema_version": SCHEMA_VERSION,
        "reference": reference,
        "facts": {label: settings["optimizer_facts"].get(label, {}) for label in labels},
        "problems": problems,
        "profiles": {column: race_profiles(cells[column], labels, targets) for column in columns},
        "ecdf": {
            column: {
                label: overall_distribution(cells[column], label)
                for label in labels
                if any(label in by_label for by_label in cells[column].values())
            }
            for column in columns
        },
        "diagnostics": diagnose(runs, columns, labels),
    }


def columns_of(runs: Sequence[Run]) -> list[str]:
    """Columns of the tables: "default" and "tuned", then any other in the order in which its runs started."""
    found = dict.fromkeys(column for run in runs for column in run.heading.columns)
    return [*COLUMNS, *(column for column in found if column not in COLUMNS)]


def _step_cells(runs: Sequence[Run], column: str, targets: dict[str, list[float]]) -> dict[str, dict[str, Cell]]:
    """By problem and label, the steps to the targets in one column; problems without such runs are left out."""
    groups: dict[str, dict[str, list[Run]]] = {name: {} for name in targets}
    for run in runs:
        if column in run.heading.columns and run.heading.problem in groups:
            groups[run.heading.problem].setdefault(run.heading.optimizer, []).append(run)
    return {
        name: {label: Cell.of(group, targets[name]) for label, group in by_label.items()}
        for name, by_label in groups.items()
        if by_label
    }


def _problem(facts: dict[str, Any], runs: list[Run], labels: list[str], reference: str) -> dict[str, Any]:
    evaluated = [run for run in runs if run.heading.role == "evaluate"]
    start = median([run.trial.valid[0] for run in evaluated])
    targets: list[float] = facts["targets"]
    columns: dict[str, Any] = {}
    for column in columns_of(runs):
        groups = {
            label: [r for r in evaluated if r.heading.optimizer == label and column in r.heading.columns]
            for label in labels
        }
        against = _comparisons({k: v for k, v in groups.items() if v}, reference, targets, facts.get("floor", 0.0))
        columns[column] = {k: _cell(v, targets) | {"against": against.get(k)} for k, v in groups.items() if v}
    tuning = {label: [r for r in runs if r.heading.role == "tune" and r.heading.optimizer == label] for label in labels}
    return {
        **facts,
        "steps": evaluated[0].heading.budget,
        "seeds": max(cell["runs"] for cells in columns.values() for cell in cells.values()),
        "start_loss": start,
        "columns": columns,
        "ecdf": {},
        "search": {
            label: _search(group, start, targets[-1], facts.get("floor", 0.0))
            for label, group in tuning.items()
            if group
        },
    }


def _cell(runs: list[Run], targets: Sequence[float]) -> dict[str, Any]:
    """One optimizer in one column."""
    trials = [run.trial for run in runs]
    steps = {target: _steps(runs, target) for target in targets}
    return {
        "lr": runs[0].heading.lr,
        "runs": len(runs),
        "failed": sum(t.status != "ok" for t in trials),
        "steps_to_target": {
            f"{target:g}": _spread(found)
            | {
                "reached": sum(math.isfinite(s) for s in found),
                "expected_running_time": expected_running_time(found, runs[0].heading.budget),
            }
            for target, found in steps.items()
        },
        "train_loss": _spread([t.final_train for t in trials]),
        "valid_loss": _spread([t.final_valid for t in trials]),
        "test_accuracy": _spread(_accuracies(runs)) if _has_accuracy(runs) else None,
        "step_ns": float(np.median([t.step_ns for t in trials])),
        "state_bytes_per_param": trials[0].state_bytes,
    }


def _has_accuracy(runs: Sequence[Run]) -> bool:
    return any(run.trial.test_accuracy is not None for run in runs)


def _accuracies(runs: Sequence[Run]) -> list[float]:
    """Test accuracy of every run; a run that failed classifies nothing."""
    return [0.0 if run.trial.test_accuracy is None else run.trial.test_accuracy for run in runs]


def _one_steps(run: Run, target: float) -> float:
    return steps_to_target(run.trial.steps, run.trial.valid, target)


def _steps(runs: Sequence[Run], target: float) -> list[float]:
    return [_one_steps(run, target) for run in runs]


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": median(values), "q1": quantile(values, 0.25), "q3": quantile(values, 0.75)}


def _comparisons(
    groups: dict[str, list[Run]], reference: str, targets: Sequence[float], floor: float
) -> dict[str, dict[str, Any]]:
    """Every optimizer against the reference, by metric; the p values of all of them are adjusted together."""
    if reference not in groups:
        return {}
    seeds = {label: {run.heading.seed: run for run in group} for label, group in groups.items()}
    common = sorted(set.intersection(*(set(runs) for runs in seeds.values())))  # a killed race has ragged ends
    others = [label for label in groups if label != reference]
    if not common or not others:
        return {}
    paired = {label: [runs[seed] for seed in common] for label, runs in seeds.items()}

    def ratios(metric: Callable[[Run], float]) -> dict[str, Floats]:
        theirs = [metric(run) for run in paired[reference]]
        return {label: log_ratios([metric(run) for run in paired[label]], theirs) for label in others}

    found = {
        "valid_loss": compare_all(ratios(lambda run: floored(run.trial.final_valid, floor)), ratio=True),
        "train_loss": compare_all(ratios(lambda run: floored(run.trial.final_train, floor)), ratio=True),
    }
    for target in targets:
        to_target = functools.partial(_one_steps, target=target)
        found[f"steps_to_{target:g}"] = compare_all(ratios(to_target), ratio=True)
    if _has_accuracy(paired[reference]):
        base = np.array(_accuracies(paired[reference]))
        gains = {label: np.array(_accuracies(paired[label])) - base for label in others}
        found["test_accuracy"] = compare_all(gains, ratio=False)
    return {label: {metric: by_label[label].to_dict() for metric, by_label in found.items()} for label in others}


def _search(runs: list[Run], start: float, hardest: float, floor: float) -> dict[str, Any]:
    """The tuning trials of one optimizer, and the one that won."""
    by_trial: dict[int, list[Run]] = {}
    for run in runs:
        by_trial.setdefault(run.heading.trial, []).append(run)
    trials = []
    for number, group in sorted(by_trial.items()):
        loss, steps = judge([run.trial for run in group], hardest, floor)
        failed = sum(run.trial.status != "ok" for run in group)
        rate = group[0].heading.lr
        trials.append({"trial": number, "lr": rate, "valid_loss": loss, "steps": steps, "failed": failed})
    chosen = min(trials, key=lambda t: (t["valid_loss"], t["steps"], t["trial"]))
    grid = trials[1:]
    rates = [t["lr"] for t in grid]
    losses = [t["valid_loss"] for t in grid]
    return {
        "trials": trials,
        "chosen_trial": chosen["trial"],
        "chosen_lr": chosen["lr"],
        "at_edge": len(rates) > 1 and chosen["lr"] in (rates[0], rates[-1]),
        "width_decades": rate_width(rates, losses, start) if grid else 0.0,
        "expected_excess": expected_excess(losses, start) if grid else 0.0,
        "tuning_curve": tuning_curve(losses, start) if grid else [],
    }


def write_summary_csv(path: Path, summary: dict[str, Any]) -> None:
    """One row per problem, column, optimizer and target."""
    rows = []
    for name, problem in summary["problems"].items():
        for column, cells in problem["columns"].items():
            for label, cell in cells.items():
                against = (cell["against"] or {}).get("valid_loss", {})
                test = cell["test_accuracy"] or {}
                for target, reached in cell["steps_to_target"].items():
                    rows.append(
                        [
                            name,
                            column,
                            label,
                            cell["lr"],
                            cell["runs"],
                            cell["failed"],
                            target,
                            reached["median"],
                            reached["reached"],
                            *(cell["train_loss"][k] for k in ("median", "q1", "q3")),
                            *(cell["valid_loss"][k] for k in ("median", "q1", "q3")),
                            *(test.get(k) for k in ("median", "q1", "q3")),
                            *(against.get(k) for k in ("centre", "low", "high", "p_holm", "distinguishable")),
                            cell["step_ns"],
                            cell["state_bytes_per_param"],
                            reached["expected_running_time"],
                        ]
                    )
    write_csv(path, CSV_HEADER, rows)
