"""From the trials and evaluation runs of a sweep to its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import accumulate
from pathlib import Path
from typing import Any

from .cells import number, ratio, standing
from .i18n import ENGLISH
from .records import Run
from .runfolder import SCHEMA_VERSION, write_csv
from .selection import floored
from .statistics import compare_all, log_ratios, median, quantile
from .sweep_search import Result
from .verdict import too_few_seeds


def summarise_sweep(
    settings: Mapping[str, Any], found: Mapping[str, Sequence[Result]], runs: Sequence[Run]
) -> dict[str, Any]:
    """The numbers of a sweep; infinities stay floats (null once written).

    Args:
        settings: `settings` of the manifest.
        found: Trials of every optimizer, by number.
        runs: Evaluation runs.
    """
    (name,) = settings["problem_facts"]
    facts = settings["problem_facts"][name]
    cells = {label: {f"{k}": _cell(label, k, found[label], runs) for k in settings["budgets"]} for label in found}
    for k in settings["budgets"]:
        for label, against in _against(settings["reference"], f"tuned{k}", list(found), runs, facts["floor"]).items():
            cells[label][f"{k}"]["against"] = against
    return {
        "schema_version": SCHEMA_VERSION,
        "problem": name,
        "steps": runs[0].heading.budget,
        "seeds": len(settings["evaluation_seeds"]),
        "reference": settings["reference"],
        "budgets": settings["budgets"],
        "search": {key: settings[key] for key in ("space", "sampler", "trials", "seed", "tuning_seeds", "axes")},
        "optimizers": {
            label: {
                "tuned": cells[label],
                "best_so_far": list(accumulate((r.valid_loss for r in results), min)),
                "trials": [asdict(result) for result in results],
            }
            for label, results in found.items()
        },
    }


def _cell(label: str, budget: int, results: Sequence[Result], runs: Sequence[Run]) -> dict[str, Any]:
    """One optimizer after `budget` trials."""
    own = _of(label, f"tuned{budget}", runs)
    losses = [run.trial.final_valid for run in own]
    accuracies = [run.trial.test_accuracy or 0.0 for run in own]
    scored = any(run.trial.test_accuracy is not None for run in own)
    return {
        "trial": own[0].heading.trial,
        "hyper": results[own[0].heading.trial].hyper,
        "runs": len(own),
        "failed": sum(run.trial.status != "ok" for run in own),
        "valid_loss": {"median": median(losses), "q1": quantile(losses, 0.25), "q3": quantile(losses, 0.75)},
        "test_accuracy": median(accuracies) if scored else None,
        "against": None,
    }


def _of(label: str, column: str, runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if run.heading.optimizer == label and column in run.heading.columns]


def _against(
    reference: str, column: str, labels: Sequence[str], runs: Sequence[Run], floor: float
) -> dict[str, dict[str, Any]]:
    """Every optimizer against the reference in one column, paired by seed, p values adjusted together."""

    def losses(label: str) -> list[float]:
        return [floored(run.trial.final_valid, floor) for run in _of(label, column, runs)]

    theirs = losses(reference)
    ratios = {label: log_ratios(losses(label), theirs) for label in labels if label != reference}
    return {label: comparison.to_dict() for label, comparison in compare_all(ratios, ratio=True).items()}


def sweep_table(summary: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: one optimizer a row, one budget a column."""
    reference, last = summary["reference"], f"{summary['budgets'][-1]}"
    header = ["optimizer", *(f"tuned({k})" for k in summary["budgets"])]
    header += ["trial", "chosen", f"/ {reference}'s (95 %)", f"against {reference}"]
    rows = []
    for label, numbers in summary["optimizers"].items():
        cell = numbers["tuned"][last]
        chosen = ", ".join(f"{name} {value:.4g}" for name, value in cell["hyper"].items()) or "defaults"
        against = cell["against"]
        rows.append(
            [
                label,
                *(_loss(numbers["tuned"][f"{k}"]) for k in summary["budgets"]),
                str(cell["trial"]),
                chosen,
                "1"
                if against is None
                else f"{ratio(against['centre'])} ({ratio(against['low'])} - {ratio(against['high'])})",
                "reference" if against is None else ENGLISH(f"standing.{standing(against)}"),
            ]
        )
    return header, rows


def _loss(cell: Mapping[str, Any]) -> str:
    spread = cell["valid_loss"]
    return f"{number(spread['median'])} ({number(spread['q1'])} - {number(spread['q3'])})"


def sweep_lines(summary: Mapping[str, Any]) -> list[str]:
    """What was searched, in words."""
    search = summary["search"]
    names = [axis.partition("=")[0] for axis in search["space"]]
    lines = [
        f"Search space, the same for every optimizer: {', '.join(search['space'])}; {search['trials']} trials "
        f"({search['sampler']}, seed {search['seed']}), trial 0 the published defaults.",
        f"tuned(k): the best of the first k trials by the median validation loss at the end over seeds "
        f"{search['tuning_seeds'][0]} to {search['tuning_seeds'][-1]}; measured on {summary['seeds']} other seeds: "
        "median (middle half).",
    ]
    for label, own in search["axes"].items():
        lacking = [name for name in names if name not in own]
        if lacking:
            lines.append(f"{label} has no {', '.join(lacking)}: its search is over {', '.join(own)}.")
    lines.append(too_few_seeds(summary["seeds"], len(summary["optimizers"]), ENGLISH))
    return [line for line in lines if line]


def write_trials_csv(path: Path, summary: Mapping[str, Any]) -> None:
    """One row per optimizer and trial."""
    names = [axis.partition("=")[0] for axis in summary["search"]["space"]]
    rows = [
        [
            summary["problem"],
            label,
            t["number"],
            *(t["hyper"].get(n) for n in names),
            t["valid_loss"],
            t["steps"],
            t["failed"],
        ]
        for label, numbers in summary["optimizers"].items()
        for t in numbers["trials"]
    ]
    write_csv(path, ("problem", "optimizer", "trial", *names, "valid_loss", "steps_to_hardest_target", "failed"), rows)
