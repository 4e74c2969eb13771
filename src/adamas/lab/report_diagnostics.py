"""What went on inside the reported runs: failures, spikes, rebound, step sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .cells import Grid, number
from .i18n import ENGLISH, Texts
from .records import Run
from .spikes import find_spikes
from .statistics import median


def diagnose(runs: Sequence[Run], columns: Sequence[str], labels: Sequence[str]) -> list[dict[str, Any]]:
    """One row per optimizer and column over the evaluation runs of all problems; numbers, for the summary."""
    rows = []
    for label in labels:
        for column in columns:
            own = [r for r in runs if r.heading.optimizer == label and column in r.heading.columns]
            if own:
                rows.append({"optimizer": label, "column": column, **_measure(own)})
    return rows


def _measure(runs: Sequence[Run]) -> dict[str, Any]:
    rebounds = [_rebound(run.trial.valid) for run in runs if run.trial.status == "ok"]
    steps = [_largest_step(run) for run in runs if run.trial.path is not None]
    known = ([r.rms for r in run.trial.readings if r.rms is not None] for run in runs)
    peaks = [max(own) for own in known if own]
    return {
        "runs": len(runs),
        "failed": sum(run.trial.status != "ok" for run in runs),
        "spikes": sum(len(find_spikes(run.trial.train)) for run in runs),
        "end_over_lowest": median(rebounds) if rebounds else None,
        "largest_step_over_lr": max(steps, default=None),
        "largest_rms": median(peaks) if peaks else None,
    }


def _rebound(losses: Sequence[float]) -> float:
    """Last loss over the lowest; 1 when both are zero."""
    lowest = min(losses)
    if losses[-1] == lowest:
        return 1.0
    return losses[-1] / lowest if lowest > 0 else math.inf


def _largest_step(run: Run) -> float:
    path = np.array(run.trial.path, np.float64)
    if len(path) < 2:
        return 0.0
    with np.errstate(all="ignore"):  # the path of a run that diverged
        largest = float(np.abs(np.diff(path, axis=0)).max()) / run.heading.lr
    return largest if math.isfinite(largest) else math.inf


def diagnostics_table(rows: Sequence[dict[str, Any]], text: Texts = ENGLISH) -> Grid:
    """Header and rows of the diagnostics."""
    header = [text(f"head.{k}") for k in ("optimizer", "column", "runs", "failed", "spikes", "rebound", "step", "rms")]
    body = []
    for row in rows:
        counts = [str(row[k]) for k in ("runs", "failed", "spikes")]
        sizes = [
            "-" if row[k] is None else number(row[k])
            for k in ("end_over_lowest", "largest_step_over_lr", "largest_rms")
        ]
        body.append([row["optimizer"], text.column(row["column"]), *counts, *sizes])
    return header, body
