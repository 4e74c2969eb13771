"""The runs of a race as they stand in records.jsonl: written while running, read back for the summary."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from .errors import InputError
from .probe import Reading
from .runfolder import RECORDS, RunFolder, read_events, write_csv
from .trial import Trial

LONG_HEADER = ("run_id", "problem", "optimizer", "role", "columns", "lr", "seed", "step", "metric", "value")


@dataclass(frozen=True)
class Heading:
    """What a run is, known before it starts.

    Attributes:
        run_id: Unique in the folder.
        problem: Name of the problem.
        optimizer: Label of the optimizer.
        role: "tune" (selects a learning rate) or "evaluate" (is reported).
        columns: Which columns of the table the run belongs to: "default", "tuned" or both.
        trial: Number of the tuning trial: 0 = published defaults, then the grid in its order.
        lr: Learning rate.
        seed: Seed of start and batches.
        budget: Steps allowed.
    """

    run_id: str
    problem: str
    optimizer: str
    role: str
    columns: tuple[str, ...]
    trial: int
    lr: float
    seed: int
    budget: int


@dataclass(frozen=True)
class Run:
    """A finished run."""

    heading: Heading
    trial: Trial


def write_run(folder: RunFolder, heading: Heading, trial: Trial) -> None:
    """The lines of a finished run: start, points, end. A run without its end was killed and does not count."""
    folder.event("start", **asdict(heading))
    for step, train, valid in zip(trial.steps, trial.train, trial.valid, strict=True):
        folder.event("point", run_id=heading.run_id, step=step, train=train, valid=valid)
    for reading in trial.readings:
        folder.event("reading", run_id=heading.run_id, **asdict(reading))
    folder.event(
        "end",
        run_id=heading.run_id,
        status=trial.status,
        steps=trial.steps[-1],
        final_train=trial.final_train,
        final_valid=trial.final_valid,
        test_accuracy=trial.test_accuracy,
        step_ns=trial.step_ns,
        state_bytes=trial.state_bytes,
        path=trial.path,
    )


def read_runs(folder: Path) -> list[Run]:
    """All finished runs of a folder, in the order in which they started."""
    headings: dict[str, Heading] = {}
    trials: dict[str, Trial] = {}
    ended: set[str] = set()
    for event in read_events(folder / RECORDS):
        kind, name = event.pop("kind"), event.pop("run_id", "")
        if kind == "start":
            headings[name], trials[name] = _heading(folder, name, event), Trial()
        elif kind in ("point", "reading", "end") and name not in trials:
            raise InputError(f'{folder / RECORDS}: {kind!r} of run {name!r} without its "start" before it')
        elif kind == "point":
            trials[name].steps.append(event["step"])
            trials[name].train.append(_number(event["train"], math.inf))
            trials[name].valid.append(_number(event["valid"], math.inf))
        elif kind == "reading":
            trials[name].readings.append(_reading(event))
        elif kind == "end":
            trial = trials[name]
            trial.status, trial.test_accuracy = event["status"], event.get("test_accuracy")
            trial.step_ns = _number(event.get("step_ns"), math.nan)
            trial.state_bytes = _number(event.get("state_bytes"), math.nan)
            path = event.get("path")
            trial.path = None if path is None else [(_number(x), _number(y)) for x, y in path]
            ended.add(name)
    return [Run(headings[name], trials[name]) for name in headings if name in ended]


def _reading(event: dict[str, Any]) -> Reading:
    rate = event.get("rate")
    return Reading(event["step"], None if rate is None else (rate[0], rate[1], rate[2]), event.get("rms"))


def _heading(folder: Path, name: str, event: dict[str, Any]) -> Heading:
    """From a start line; fields that we do not know are left out, so that other programs may write more."""
    known = {field.name: field for field in fields(Heading)}
    given = {"run_id": name, **{k: v for k, v in event.items() if k in known}}
    missing = [k for k, field in known.items() if k not in given and field.default is MISSING]
    if missing:
        raise InputError(f"{folder / RECORDS}: the start of run {name!r} lacks {', '.join(missing)}")
    return Heading(**{**given, "columns": tuple(given["columns"])})


def write_long_csv(path: Path, runs: Sequence[Run]) -> None:
    """One row per run, step and metric: what spreadsheets and data frames read."""
    write_csv(path, LONG_HEADER, long_rows(runs))


def long_rows(runs: Sequence[Run]) -> Iterator[tuple[Any, ...]]:
    """The rows below `LONG_HEADER`."""
    for run in runs:
        h, t = run.heading, run.trial
        first = (h.run_id, h.problem, h.optimizer, h.role, "+".join(h.columns), h.lr, h.seed)
        for step, train, valid in zip(t.steps, t.train, t.valid, strict=True):
            yield (*first, step, "train_loss", train)
            yield (*first, step, "valid_loss", valid)
        for reading in t.readings:
            for name, rate in zip(("rate_q1", "rate_median", "rate_q3"), reading.rate or (), strict=False):
                yield (*first, reading.step, name, rate)
            if reading.rms is not None:
                yield (*first, reading.step, "rms_t", reading.rms)
        end = t.steps[-1]
        if t.test_accuracy is not None:
            yield (*first, end, "test_accuracy", t.test_accuracy)
        yield (*first, end, "step_ns", t.step_ns)


def _number(value: float | None, missing: float = math.nan) -> float:
    return missing if value is None else float(value)
