"""A race that was killed and goes on, and a race in several processes: the numbers of an undisturbed one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from processes import STOP, after_runs, killed, start
from small_race import SmallRace, invoke, race_words

import adamas as package
from adamas.lab import InputError, compare
from adamas.lab.groups import expand_groups
from adamas.lab.problems import registry
from adamas.lab.runfolder import difference, keep_finished
from snapshots import GUARD

TIMES = {"step_ns"}
WORDS = [
    "compare", "digits-softmax", "--optimizers", "SGD,adam", "--steps", "60", "--seeds", "5", "--lr-grid", "0.01,0.1",
]  # fmt: skip


def records(folder: Path) -> list[dict[str, Any]]:
    """All lines of records.jsonl without the times."""
    events = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    return [{k: v for k, v in event.items() if k not in TIMES} for event in events]


@pytest.mark.usefixtures("no_report")
def test_a_killed_race_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert invoke(*WORDS, "--out", whole, "-q", "--json").exit_code == 0
    killed(*WORDS, "--out", broken, "-q", first=after_runs(5))
    with (broken / "records.jsonl").open("a") as stream:  # as if the kill had hit in the middle of a run and a line
        stream.write(
            '{"kind": "start", "run_id": "x", "problem": "digits-softmax"}\n{"kind": "point", "run_id": "x", "st'
        )
    before = (broken / "records.jsonl").read_text().splitlines()
    assert 5 == sum('"end"' in line for line in before) < sum(e["kind"] == "end" for e in records(whole))

    result = invoke(*WORDS, "--out", broken, "--resume", "-q", "--json")
    assert result.exit_code == 0, result.stderr
    after = (broken / "records.jsonl").read_text().splitlines()
    finished = max(i for i, line in enumerate(before) if '"end"' in line) + 1
    assert after[:finished] == before[:finished]  # times included: these runs were not done again
    assert records(broken) == records(whole)
    manifest = json.loads((broken / "manifest.json").read_text())
    assert manifest["status"] == "complete"
    assert [set(again) for again in manifest["resumed"]] == [{"at", "environment"}]


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be made to wait there")
@pytest.mark.usefixtures("no_report")
def test_a_folder_has_one_writer_and_a_killed_one_blocks_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    words = [*WORDS, "--out", folder, "-q"]
    first = start(*words, first=after_runs(2, STOP))
    try:
        assert os.WIFSTOPPED(os.waitpid(first.pid, os.WUNTRACED)[1])
        manifest = (folder / "manifest.json").read_bytes()
        for more in (["--resume"], ["--overwrite"], []):
            second = start(*words, *more)
            message = second.communicate(timeout=GUARD)[1].decode()
            assert second.returncode == 2
            assert f"--out {folder}: process {first.pid} on " in message
            assert "writes into this folder; wait until it ends, stop it, or give another folder" in message
        assert (folder / "manifest.json").read_bytes() == manifest
    finally:
        first.kill()
        first.communicate()
    assert (folder / ".lock").exists()  # what the dead process left
    assert invoke(*words, "--resume", "--json").exit_code == 0
    assert not (folder / ".lock").exists()


@pytest.mark.usefixtures("no_figures")
def test_resuming_a_finished_race_runs_nothing(race: SmallRace, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a finished run was done again")

    monkeypatch.setattr("adamas.lab.jobs.run_trial", never)
    before = (race.folder / "records.jsonl").read_bytes()
    again = invoke(*race_words(race.rule_file), "--out", race.folder, "--resume", "--json", "-q")
    assert again.exit_code == 0, again.stderr
    assert (race.folder / "records.jsonl").read_bytes() == before
    assert json.loads(again.stdout)["problems"] == race.json["problems"]


@pytest.mark.usefixtures("no_report")
def test_resume_begins_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    words = ["compare", "t0-bowl", "--optimizers", "sgd", "--steps", "4", "--seeds", "5", "--lr-grid", "0.1", "-q",
             "--json"]  # fmt: skip
    assert invoke(*words, "--out", tmp_path / "new", "--resume").exit_code == 0
    assert len(records(tmp_path / "new")) > 20


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (["--seeds", "7"], "seeds was 6 and is now 7"),
        (["--steps", "39"], "steps was 40 and is now 39"),
        (["--lr-grid", "0.003,0.03,0.4"], "lr_grid was [0.003, 0.03, 0.3] and is now [0.003, 0.03, 0.4]"),
        (["--reference", "sgd"], "reference was 'Adam' and is now 'SGD'"),
    ],
)
def test_other_settings_are_refused_by_name(race: SmallRace, change: list[str], text: str) -> None:
    before = {path: path.read_bytes() for path in race.folder.glob("*.json*")}
    result = invoke(*race_words(race.rule_file), *change, "--out", race.folder, "--resume")
    assert result.exit_code == 2
    assert text in result.stderr
    assert "adamas compare digits-softmax t0-bowl" in result.stderr
    assert {path: path.read_bytes() for path in race.folder.glob("*.json*")} == before


@pytest.mark.usefixtures("no_report")
def test_a_changed_rule_file_is_other_settings(tmp_path: Path) -> None:
    rule = tmp_path / "mine.py"
    text = 'import adamas\n\n\n@adamas.rule(adaptive="no", momentum="no")\ndef mine(p, g, *, lr=0.1):\n    "."\n    return p - lr * g\n'
    rule.write_text(text)
    words = ["compare", "t0-bowl", "--optimizers", f"{rule}:mine", "--steps", "4", "--seeds", "5", "--lr-grid", "0.1",
             "-q", "--json", "--out", tmp_path / "out"]  # fmt: skip
    assert invoke(*words).exit_code == 0
    rule.write_text(text.replace("lr * g", "lr * g * 1.0"))
    result = invoke(*words, "--resume")
    assert result.exit_code == 2
    assert "rule_files" in result.stderr


def test_resume_needs_a_folder_and_excludes_overwrite(race: SmallRace, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--resume needs the folder to continue: --out DIR"):
        compare("t0-bowl", resume=True)
    result = invoke(*race_words(race.rule_file), "--out", race.folder, "--resume", "--overwrite")
    assert result.exit_code == 2
    assert "give one of them" in result.stderr
    (tmp_path / "mine.txt").write_text("precious")
    assert "no manifest.json here" in invoke("compare", "t0-bowl", "--out", tmp_path, "--resume").stderr


@pytest.mark.usefixtures("no_report")
def test_processes_do_not_change_the_numbers_or_their_order(race: SmallRace, tmp_path: Path) -> None:
    again = invoke(*race_words(race.rule_file), "--out", tmp_path / "two", "--jobs", "2", "-q", "--json")
    assert again.exit_code == 0, again.stderr
    assert records(tmp_path / "two") == records(race.folder)
    assert "--jobs 0: give the number of processes, 1 or more" in invoke("compare", "--jobs", "0").stderr


def test_a_failing_run_in_another_process_is_named(tmp_path: Path) -> None:
    rule = tmp_path / "odd.py"
    rule.write_text(
        'import adamas\n\n\n@adamas.rule(adaptive="no", momentum="no")\ndef odd(p, g, t, *, lr=0.1):\n    "."\n'
        "    return p - lr * g * (1 / (3 - t))\n"
    )
    result = invoke("compare", "t0-bowl", "--optimizers", f"{rule}:odd", "--steps", "4", "--seeds", "5",
                    "--lr-grid", "0.1", "--jobs", "2", "-q", "--out", tmp_path / "out")  # fmt: skip
    assert result.exit_code == 1
    assert "odd on t0-bowl failed (lr 0.1, seed 1000000)" in result.stderr


def test_keep_finished_drops_what_has_no_end(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    whole = (
        '{"kind": "start", "run_id": "a", "lr": 0.1}\n{"kind": "end", "run_id": "a", "x": 1e-17}\n{"kind": "alert"}\n'
    )
    path.write_text(whole + '{"kind": "start", "run_id": "b"}\n{"kind": "po')
    keep_finished(path)
    assert path.read_text() == whole


def test_difference_names_the_first_place() -> None:
    assert difference({"a": 1, "b": {"c": [1]}}, {"a": 1, "b": {"c": [1]}}) is None
    assert difference({"a": 1, "b": {"c": [1]}}, {"a": 1, "b": {"c": [2]}}) == ("b.c", [1], [2])
    assert difference({"a": 1}, {"a": 1, "d": 2}) == ("d", "absent", 2)


def test_groups_of_problems() -> None:
    assert expand_groups(["all"]) == tuple(p.name for p in registry().values() if not p.missing())
    noise_free = expand_groups(["noise-free"])
    assert {"rosenbrock", "t0-bowl", "quadratic"} <= set(noise_free)
    assert "digits-softmax" not in noise_free
    assert expand_groups(["t0-bowl", "noise-free"])[0] == "t0-bowl"
    assert len(set(expand_groups(["t0-bowl", "noise-free"]))) == len(noise_free)
    assert expand_groups(["nosuch", "t0-bowl", "t0-bowl"]) == ("nosuch", "t0-bowl", "t0-bowl")


def test_all_members_race_and_others_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def stop(problems: object, *, optimizers: tuple[str, ...], **_: object) -> None:
        asked.extend(optimizers)
        raise InputError("enough")

    monkeypatch.setattr("adamas.lab.compare_command.run_compare", stop)
    invoke("compare", "t0-bowl", "--all-members", "--optimizers", "mine.py:plain")
    assert asked == [*package.members(), "mine.py:plain"]
