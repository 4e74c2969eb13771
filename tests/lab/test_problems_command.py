"""adamas problems: the list, one problem, and the verdicts of the self-tests with their exit codes."""

from __future__ import annotations

import json

import pytest
from small_race import invoke

from adamas.lab import problems_check
from adamas.lab.problems import Expected, registry
from adamas.lab.problems.expectations import EXPECTATIONS
from adamas.lab.problems.families import FAMILIES


def test_the_list_holds_every_problem() -> None:
    result = invoke("problems", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert [one["name"] for one in found] == list(registry())
    bowl = next(one for one in found if one["name"] == "t0-bowl")
    assert (bowl["parameters"], bowl["minimum"], bowl["targets"][0]) == (2, 0.0, 0.01)
    assert bowl["must_fail"] == ["sgd (lr 1, 3) to 0.01"]
    text = invoke("problems").stdout
    assert f"\n{len(found)} problems. " in text
    assert all(f"\n{name} " in text for name in registry())


def test_one_problem() -> None:
    text = invoke("problems", "diabetes-mlp").stdout
    assert "not known; the best validation loss seen is no lower than 0.2275" in text
    assert json.loads(invoke("problems", "t0-bowl", "--json").stdout)["steps"] == 500
    unknown = invoke("problems", "bowl")
    assert unknown.exit_code == 2
    assert "unknown problem 'bowl'; choose from: digits-softmax" in unknown.stderr


@pytest.mark.parametrize("jobs", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_sound_problem_passes(jobs: str) -> None:
    result = invoke("problems", "t0-bowl", "--check", "--jobs", jobs)
    assert (result.exit_code, result.stdout) == (0, "PASS  t0-bowl\n")


def test_a_defect_is_told_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXPECTATIONS, "t0-bowl", ((Expected("sgd", (1e-4,), 1e-2),), ()))
    result = invoke("problems", "t0-bowl", "--check")
    assert result.exit_code == 1
    told = "should pass, but 0 of 3 seeds reach the target at lr 0.0001: sgd (lr 0.0001) to 0.01"
    assert result.stdout == f"FAIL  t0-bowl\n        {told}\n"
    assert "1 of 1 have defects: t0-bowl" in result.stderr
    result = invoke("problems", "t0-bowl", "--check", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == [{"kind": "problem", "name": "t0-bowl", "verdict": "FAIL", "defects": [told]}]


def test_all_of_them_are_tested_and_missing_libraries_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three stand for all."""
    few = {name: problem for name, problem in registry().items() if name in ("t0-bowl", "saddle", "star98")}
    few["star98"].needs = ("no_such_library",)
    monkeypatch.setattr(problems_check, "registry", lambda: few)
    monkeypatch.setattr("adamas.lab.problems.families.FAMILIES", FAMILIES[1:2])
    result = invoke("problems", "--check")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "PASS  t0-bowl", "PASS  saddle", "SKIP  star98", "        needs no_such_library",
        "PASS  family illcond-rotated",
    ]  # fmt: skip


def test_subjects_are_all_problems_and_all_families() -> None:
    found = problems_check.subjects()
    assert [one.name for one in found if one.kind == "problem"] == list(registry())
    assert [one.name for one in found if one.kind == "family"] == [family.name for family in FAMILIES]


def test_jobs_need_the_check() -> None:
    result = invoke("problems", "--jobs", "2")
    assert result.exit_code == 2
    assert "--jobs 2 shares out the tests; give it with --check" in result.stderr
    assert "--jobs 0: give the number of processes" in invoke("problems", "t0-bowl", "--check", "--jobs", "0").stderr
