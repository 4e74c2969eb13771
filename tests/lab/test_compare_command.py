"""adamas compare as a user meets it: stdout, stderr, exit codes, messages."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from processes import PYTHON, after_runs, environment, killed
from small_race import SmallRace, invoke

from adamas.lab import InputError, compare
from adamas.lab.commands import adamas as command
from adamas.lab.records import read_runs
from snapshots import GUARD


def run(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, as the console script runs it."""
    return subprocess.run(
        [*PYTHON, *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=GUARD, check=False,
        env=environment(),
    )  # fmt: skip


def test_json_is_all_of_stdout_and_the_report_is_named_on_stderr(race: SmallRace) -> None:
    assert json.loads(race.result.stdout)["report"] == str(race.folder / "report.html")
    assert race.result.stderr.splitlines()[-1] == f"report: {race.folder / 'report.html'}"
    assert set(race.json["problems"]) == {"digits-softmax", "t0-bowl"}
    assert list(race.json["facts"])[:2] == ["SGD", "Adam"]
    for problem in race.json["problems"].values():
        assert problem["verdict"]
        assert set(problem["columns"]) == {"default", "tuned"}
        assert len(problem["targets"]) >= 5


def test_tables_in_a_pipe_are_whole(tmp_path: Path) -> None:
    done = run("compare", "t0-bowl", "--optimizers", "sgd", "--optimizers", "adam,adamax", "--steps", "12",
               "--seeds", "6", "--lr-grid", "0.1,0.3", "-q", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "…" not in done.stdout
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert lines[0] == "t0-bowl, published defaults: 12 steps, median of 6 seeds"
    for word in ("optimizer", "lr", "to 1", "to 0.0001", "f / Adam's (95 %)", "against Adam"):
        assert word in lines[1]
    assert [line.split()[0] for line in lines[3:6]] == ["SGD", "Adam", "Adamax"]
    assert "t0-bowl, tuned learning rate: 12 steps, median of 6 seeds" in lines
    assert "not distinguishable" in done.stdout
    for name in ("adaptive", "momentum", "bias correction", "hyper-parameters", "state B/param", "ns/step t0-bowl"):
        assert name in done.stdout
    assert "lr in {0.1, 0.3} and the published default, 3 trials" in done.stdout
    (report,) = (tmp_path / "runs").glob("t0-bowl-*/report.html")
    assert done.stderr == f"report: {report.relative_to(tmp_path)}\n"


def test_the_language_is_that_of_what_is_shown_and_of_nothing_that_is_kept(tmp_path: Path) -> None:
    folder, words = tmp_path / "out", ["compare", "t0-bowl", "--optimizers", "sgd,adam", "--steps", "8",
                                       "--seeds", "5", "--lr-grid", "0.1,0.3", "-q"]  # fmt: skip
    chinese = invoke(*words, "--lang", "zh", "--out", folder)
    assert chinese.exit_code == 0, chinese.stderr
    lines = chinese.stdout.splitlines()
    assert lines[0] == "t0-bowl，论文默认值：8 步，5 个随机种子的中位数"
    assert lines[1].split()[:2] == ["优化器", "学习率"]
    assert "选择标准：调优种子最终验证损失（曲面：f 的值）的中位数最低" in chinese.stdout
    assert chinese.stderr == f"报告：{folder / 'report.html'}\n"
    assert '<html lang="zh-CN">' in (folder / "report.html").read_text(encoding="utf-8")
    kept = (folder / "manifest.json").read_text(encoding="utf-8") + (folder / "records.jsonl").read_text("utf-8")
    assert not re.search("[\u3000-\u9fff]", kept.encode().decode("unicode_escape"))
    assert "--lang" not in kept

    english = invoke(*words, "--out", folder, "--resume")  # the same records, shown to somebody else
    assert english.exit_code == 0, english.stderr
    assert english.stdout.startswith("t0-bowl, published defaults: 8 steps, median of 5 seeds")
    assert "Selected by the lowest median validation loss (surfaces: value of f) at the end" in english.stdout
    with pytest.raises(InputError, match="lang 'fr': give one of en, zh"):
        compare("t0-bowl", lang="fr", out=tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["nosuch"],
            "unknown problem 'nosuch'; choose from: digits-softmax, digits-mlp, rosenbrock, t0-bowl, quadratic",
        ),
        (["--optimizers", "adan,adma"], "optimizer 'adma'"),
        (["--optimizers", "adam,Adam"], "optimizer 'Adam' is given twice"),
        (["--optimizers", "nofile.py:rule"], "there is no file 'nofile.py'"),
        (["--seeds", "3"], "--seeds 3: give 5 or more"),
        (["--steps", "0"], "--steps 0: give 1 or more"),
        (["--lr-grid", "0.1,x"], "--lr-grid '0.1,x': give numbers separated by commas"),
        (["--lr-grid", "0"], "give positive numbers"),
        (["--seed", "-2"], "--seed -2: give 0 to"),
        (["--reference", "lion"], "--reference lion: not among the optimizers; choose one of: SGD, Momentum"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_one_line(words: list[str], text: str, tmp_path: Path) -> None:
    result = invoke("compare", *words, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert text in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_wrong_options_are_exit_code_2() -> None:
    assert invoke("compare", "--seeds", "many").exit_code == 2
    assert invoke("compare", "--nonsense").exit_code == 2


def test_a_rule_without_a_learning_rate_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.py"
    path.write_text('import adamas\n\n\n@adamas.rule(adaptive="no", momentum="no")\n'
                    'def odd(p, g, *, rate=0.1):\n    "No lr."\n    return p - rate * g\n')  # fmt: skip
    result = invoke("compare", "t0-bowl", "--optimizers", f"{path}:odd", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "needs a hyper-parameter lr" in result.stderr


def test_a_failing_run_is_exit_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("adamas.lab.jobs.run_trial", fail)
    result = invoke("compare", "t0-bowl", "--optimizers", "adam", "--out", tmp_path / "out", "-q")
    assert result.exit_code == 1
    assert "Adam on t0-bowl failed" in result.stderr
    assert "planted" in result.stderr


def test_a_full_folder_needs_overwrite(race: SmallRace) -> None:
    result = invoke("compare", "t0-bowl", "--out", race.folder)
    assert result.exit_code == 2
    assert "--overwrite" in result.stderr


def test_a_killed_race_leaves_its_records(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    killed("compare", "digits-mlp", "--out", folder, "-q", first=after_runs(4))
    runs = read_runs(folder)
    assert len(runs) == 4
    assert all(run.trial.steps == [0, 400] for run in runs)
    assert json.loads((folder / "manifest.json").read_text())["status"] == "running"


def test_help_has_examples_and_exit_codes() -> None:
    for name in ("compare", "fit", "minimize", "rules", "info"):
        text = invoke(name, "--help").stdout
        assert "Example" in text, name
        assert f"adamas {name}" in text
        assert "Exit code" in text, name
        assert "--json" in text


def test_the_reproducing_command_parses(race: SmallRace) -> None:
    """What the manifest prints is accepted word for word (with another folder and a missing problem to stop it)."""
    words = json.loads((race.folder / "manifest.json").read_text())["command"].split()[1:]
    words[words.index("digits-softmax")] = "nosuch"
    result = CliRunner().invoke(command, words)
    assert "unknown problem 'nosuch'" in result.stderr
