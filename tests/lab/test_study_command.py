"""adamas study: verdicts, table, JSON, page, exit codes; studies that fail, crash or lack a module."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from small_race import invoke

import adamas.lab
from adamas.lab import studies
from adamas.lab.studies import Outcome, Study, _run
from adamas.lab.studies._texts import CLAIMS


def _draw(figure: Any) -> None:
    axis = figure.subplots()
    axis.plot([0, 1], [2, 3])
    axis.set(title="A line", xlabel="x", ylabel="y")


def _cannot_draw(figure: Any) -> None:
    raise RuntimeError("no ink")


def _made(name: str, run: Any, **more: Any) -> Study:
    return Study(name, f"{name} <claims> so", "a paper", "x > 1", run, **more)


def _crash() -> Outcome:
    raise ZeroDivisionError("by nothing")


MADE = {
    one.name: one
    for one in (
        _made("holds", lambda: Outcome({"some_number": 2.5, "many": list(range(20))}, True, "Seen 2.5.", _draw)),
        _made("does-not-hold", lambda: Outcome({"value": float("inf")}, False, "Seen otherwise.", _draw)),
        _made("crashes", _crash),
        _made("lacks", _crash, needs=("no_such_module_anywhere",)),
        _made("blank", lambda: Outcome({}, True, "Seen.", _cannot_draw)),
    )
}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five studies of our own in place of the real ones."""
    import adamas.lab.study_command as command

    for module in (_run, command):
        monkeypatch.setattr(module, "names", lambda: sorted(MADE))
        monkeypatch.setattr(module, "get_study", MADE.__getitem__)


def test_there_are_studies_and_each_states_claim_source_and_criterion() -> None:
    listed = json.loads(invoke("study", "--list", "--json").stdout)
    assert [one["name"] for one in listed] == studies.names()
    assert {"bias-correction", "amsgrad-counterexample", "rotation"} <= set(studies.names())
    for one in listed:
        assert re.search(r"[a-z]", one["claim"] and one["source"] and one["criterion"]), one
        assert re.search(r"\d|equal|same", one["criterion"]), one
    text = invoke("study", "--list").stdout
    for one in listed:
        (line,) = (line for line in text.splitlines() if line.split()[:1] == [one["name"]])
        assert one["claim"] in line


def test_a_real_study_from_the_command_line_and_from_python() -> None:
    result = invoke("study", "scale-equivariance", "--json")
    (found,) = json.loads(result.stdout)
    assert list(found) == ["name", "claim", "source", "criterion", "verdict", "finding", "numbers", "seconds"]
    assert (found["name"], found["verdict"]) == ("scale-equivariance", "PASS")
    again = adamas.lab.study("scale-equivariance")
    assert (again.verdict, again.finding) == (found["verdict"], found["finding"])
    assert json.loads(json.dumps(again.numbers)) == found["numbers"]
    assert len(again.figure().axes) == 2
    html = again._repr_html_()
    assert "PASS" in html
    assert 'src="data:image/png;base64,' in html
    assert again.study.criterion.replace("&", "&amp;") in html


@pytest.mark.usefixtures("made")
def test_verdicts_in_the_table_and_the_exit_code() -> None:
    result = invoke("study", "holds", "does-not-hold", "lacks")
    assert result.exit_code == 0, result.stderr
    rows = {line.split()[0]: line for line in result.stdout.splitlines() if line.split()[:1]}
    assert rows["holds"].split()[1] == "PASS"
    assert rows["does-not-hold"].split()[1] == "FAIL"
    assert rows["lacks"].split()[1] == "SKIPPED"
    assert "needs no_such_module_anywhere" in rows["lacks"]
    assert "Seen otherwise." in rows["does-not-hold"]
    assert "3 studies: 1 PASS, 1 FAIL, 1 SKIPPED;" in result.stdout


@pytest.mark.usefixtures("made")
def test_a_crash_costs_only_its_own_study() -> None:
    result = invoke("study", "crashes", "holds", "holds", "--json")
    assert result.exit_code == 1
    assert "crashed: crashes" in result.stderr
    crashed, holds = json.loads(result.stdout)
    assert crashed["verdict"] == "ERROR"
    assert re.fullmatch(r"ZeroDivisionError: by nothing \(test_study_command\.py, line \d+\)", crashed["finding"])
    assert holds["verdict"] == "PASS"
    with pytest.raises(adamas.lab.LabError, match="no figure, verdict ERROR"):
        adamas.lab.study("crashes").figure()


@pytest.mark.usefixtures("made")
def test_page_json_and_figures(tmp_path: Path) -> None:
    result = invoke("study", "all", "--out", tmp_path / "o")
    assert result.exit_code == 1  # two of ours crash
    assert "crashed: blank, crashes" in result.stderr
    found = {one["name"]: one for one in json.loads((tmp_path / "o/studies.json").read_text())}
    assert sorted(found) == sorted(MADE)
    assert found["does-not-hold"]["numbers"] == {"value": None}  # JSON has no infinity
    assert found["blank"]["finding"].startswith("the figure: RuntimeError: no ink")
    for name in ("holds", "does-not-hold"):
        for ending in ("png", "svg"):
            assert (tmp_path / f"o/figures/{name}.{ending}").stat().st_size > 1000
    page = (tmp_path / "o/studies.html").read_text()
    assert page.count("<svg ") == 2
    assert "holds &lt;claims&gt; so" in page
    assert "0, 1, 2, 3, 4, 5, 6, 7, ... (20 in all)" in page
    assert not re.search(r"(?:src|href)=\"(?!#)", page)  # nothing is fetched
    lines = [json.loads(line) for line in (tmp_path / "o/records.jsonl").read_text().splitlines()]
    assert [line["name"] for line in lines] == sorted(MADE)
    refused = invoke("study", "holds", "--out", tmp_path / "o")
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "name a study or several, or all; there are: blank, crashes"),
        (["nosuch"], "unknown study 'nosuch'; choose from: all, blank"),
        (["holds", "nosuch"], "unknown study 'nosuch'"),
        (["holds", "--list"], "--list runs nothing"),
        (["--list", "--lang", "zh"], "leave out NAME, --out and --lang"),
        (["holds", "--lang", "zh"], "name its folder by --out DIR"),
        (["holds", "--lang", "fr"], "'fr' is not one of 'en', 'zh'"),
    ],
)
def test_wrong_usage(words: list[str], text: str, tmp_path: Path) -> None:
    result = invoke("study", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert text in result.stderr


def test_the_page_in_chinese(tmp_path: Path) -> None:
    result = invoke("study", "bias-correction", "scale-equivariance", "--out", tmp_path / "o", "--lang", "zh")
    assert result.exit_code == 0, result.stderr
    page = (tmp_path / "o/studies.html").read_text(encoding="utf-8")
    assert '<html lang="zh-CN">' in page
    for words in ("检验了 2 条论断", "1 成立", "1 不成立", "判据", CLAIMS["bias-correction"]):
        assert words in page, words
    english = studies.get_study("bias-correction")
    assert english.claim not in page
    assert english.criterion in page
    (first, _) = json.loads((tmp_path / "o/studies.json").read_text(encoding="utf-8"))
    assert (first["claim"], first["verdict"]) == (english.claim, "FAIL")


def test_every_claim_is_told_in_chinese_with_its_numbers() -> None:
    assert sorted(CLAIMS) == studies.names()
    for name, chinese in CLAIMS.items():
        assert re.search("[\u4e00-\u9fff]", chinese), name
        for number in re.findall(r"\d+\.\d+|\d{2,}", studies.get_study(name).claim):
            assert number in chinese, (name, number)


@pytest.mark.usefixtures("made")
def test_python_names_and_cases() -> None:
    assert adamas.lab.study("Holds").verdict == "PASS"
    with pytest.raises(adamas.lab.InputError, match="unknown study 'nosuch'"):
        adamas.lab.study("nosuch")


def _threads() -> Outcome:
    """The threads that every BLAS library has while a study runs; SciPy's is loaded by what the study needs."""
    from threadpoolctl import threadpool_info

    found = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return Outcome({"threads": found}, True, "Counted.", _draw)


def test_studies_run_on_one_blas_thread_whatever_the_caller_has(monkeypatch: pytest.MonkeyPatch) -> None:
    from threadpoolctl import threadpool_info, threadpool_limits

    monkeypatch.setattr(_run, "names", lambda: ["threads"])
    monkeypatch.setattr(_run, "get_study", lambda name: _made(name, _threads, needs=("scipy.sparse.linalg",)))
    with threadpool_limits(2):
        assert set(_run.run_study("threads").numbers["threads"]) == {1}
        after = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert set(after) == {2}


@pytest.mark.parametrize("name", ["bias-correction-on-a-bowl", "marginal-value", "local-optima", "low-precision"])
def test_two_runs_give_the_same_numbers(name: str) -> None:
    from threadpoolctl import threadpool_limits

    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(adamas.lab.study(name))
    assert found[0].numbers == found[1].numbers
    assert (found[0].verdict, found[0].finding) == (found[1].verdict, found[1].finding)


def test_a_study_that_lacks_a_submodule_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_run, "names", lambda: ["lacks"])
    monkeypatch.setattr(_run, "get_study", lambda name: _made(name, _crash, needs=("no_such.part", "json.decoder")))
    found = _run.run_study("lacks")
    assert (found.verdict, found.finding) == ("SKIPPED", "needs no_such, not installed")
