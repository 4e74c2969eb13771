"""The folder of a run: schema, strict JSON, readable after a kill."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from small_race import SEEDS, STEPS, SmallRace

from adamas.lab.errors import InputError
from adamas.lab.records import LONG_HEADER, read_runs
from adamas.lab.report import build
from adamas.lab.runfolder import RunFolder, finite, read_events, read_manifest, write_csv
from adamas.lab.summary import CSV_HEADER


def strict(text: str) -> object:
    """Parse JSON, refusing NaN and Infinity."""

    def refuse(name: str) -> None:
        raise ValueError(name)

    return json.loads(text, parse_constant=refuse)


def test_manifest_schema(race: SmallRace) -> None:
    manifest = read_manifest(race.folder)
    assert manifest["schema_version"] == 1
    assert manifest["kind"] == "compare"
    assert manifest["status"] == "complete"
    assert manifest["command"] == (
        f"adamas compare digits-softmax t0-bowl --optimizers SGD,Adam,{race.rule_file}:plain "
        f"--steps {STEPS} --seeds {SEEDS} --seed 0 --lr-grid 0.003,0.03,0.3"
    ).replace("Adam,", "adam,", 1)
    settings = manifest["settings"]
    assert settings["evaluation_seeds"] == list(range(SEEDS))
    assert settings["trials_per_optimizer"] == 4
    environment = manifest["environment"]
    for key in ("adamas", "git_commit", "python", "platform", "cpu", "threads", "packages"):
        assert key in environment
    assert environment["packages"]["numpy"] == np.__version__


def test_records_are_strict_json_with_known_kinds(race: SmallRace) -> None:
    lines = (race.folder / "records.jsonl").read_text().splitlines()
    events = [strict(line) for line in lines]
    kinds = [event["kind"] for event in events if isinstance(event, dict)]
    assert set(kinds) == {"start", "point", "reading", "end"}
    assert kinds.count("start") == kinds.count("end") == len(race.runs)
    start = events[0]
    assert isinstance(start, dict)
    assert set(start) == {
        "kind", "run_id", "problem", "optimizer", "role", "columns", "trial", "lr", "seed", "budget"}  # fmt: skip
    assert len({run.heading.run_id for run in race.runs}) == len(race.runs)


def test_csv_files(race: SmallRace) -> None:
    with (race.folder / "runs.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == LONG_HEADER
    run = next(r for r in race.runs if r.heading.role == "evaluate")
    own = [r for r in rows if r["run_id"] == run.heading.run_id and r["metric"] == "valid_loss"]
    assert [float(r["value"]) for r in own] == run.trial.valid
    assert [int(r["step"]) for r in own] == run.trial.steps
    with (race.folder / "summary.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert tuple(table[0]) == CSV_HEADER
    assert len(table) == 2 * 2 * 3 * 5  # problems, columns, optimizers, targets


def test_summary_json_on_disk_equals_stdout(race: SmallRace) -> None:
    written = strict((race.folder / "summary.json").read_text())
    assert isinstance(written, dict)
    assert {**written, "folder": str(race.folder), "report": str(race.folder / "report.html")} == race.json


def test_finite_makes_json_of_anything_sensible() -> None:
    given = {
        "a": math.inf,
        "b": [math.nan, -math.inf, 1.5],
        "c": np.float32(0.5),
        "d": np.array([1.0, math.nan]),
        3: True,
    }
    assert finite(given) == {"a": None, "b": [None, None, 1.5], "c": 0.5, "d": [1.0, None], "3": True}
    with pytest.raises(TypeError, match="cannot be written as JSON"):
        finite({"a": object()})


def test_a_killed_race_leaves_readable_records_and_a_report(race: SmallRace, tmp_path: Path) -> None:
    """Cut the stream in the middle of a line, as a kill would."""
    text = (race.folder / "records.jsonl").read_text()
    evaluated = text.index('"role": "evaluate"', int(len(text) * 0.3))
    cut = text[: text.index("\n", evaluated + len(text) // 20) - 10]
    (tmp_path / "records.jsonl").write_text(cut)
    (tmp_path / "manifest.json").write_text((race.folder / "manifest.json").read_text())
    runs = read_runs(tmp_path)
    assert 0 < len(runs) < len(race.runs)
    assert runs == race.runs[: len(runs)]
    summary = build(tmp_path)
    assert summary["problems"]
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text('{"kind": "start"}\nnot json\n{"kind": "end"}\n')
    with pytest.raises(InputError, match="line 2: not JSON"):
        read_events(path)


def test_events_reach_the_disk_at_once(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "r", command="adamas", kind="compare", settings={}) as folder:
        folder.event("point", value=math.nan)
        assert (tmp_path / "r" / "records.jsonl").read_text() == '{"kind": "point", "value": null}\n'
        assert read_manifest(tmp_path / "r")["status"] == "running"
    assert read_manifest(tmp_path / "r")["status"] == "complete"


def test_an_error_marks_the_manifest(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), RunFolder(tmp_path, command="c", kind="fit", settings={}):
        raise KeyboardInterrupt
    assert read_manifest(tmp_path)["status"] == "failed"


def test_a_full_folder_is_left_alone_unless_told(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match="not empty; give another one, --resume or --overwrite"):
        RunFolder(tmp_path, command="c", kind="fit", settings={})
    with RunFolder(tmp_path, command="c", kind="fit", settings={}, overwrite=True):
        pass
    assert (tmp_path / "mine.txt").read_text() == "precious"
    with pytest.raises(InputError, match="this is a file"):
        RunFolder(tmp_path / "mine.txt", command="c", kind="fit", settings={})


def test_other_schemas_and_missing_manifests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no manifest\.json here"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text('{"schema_version": 99}')
    with pytest.raises(InputError, match="schema_version 99; this program reads 1"):
        read_manifest(tmp_path)


def test_write_csv_leaves_cells_empty(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ("a", "b", "c"), [(1, None, math.inf)])
    assert (tmp_path / "t.csv").read_text().splitlines() == ["a,b,c", "1,,"]
