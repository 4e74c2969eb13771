"""One small race, run once through the command line and looked at by many tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_race import RULE, SmallRace, invoke, race_words

from adamas.lab.records import read_runs


@pytest.fixture(scope="session")
def rule_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's rule in a user's file."""
    path = tmp_path_factory.mktemp("rules") / "mine.py"
    path.write_text(RULE)
    return path


@pytest.fixture(scope="session")
def race(tmp_path_factory: pytest.TempPathFactory, rule_file: Path) -> SmallRace:
    """Two problems, three optimizers, one of them the user's."""
    folder = tmp_path_factory.mktemp("race") / "run"
    result = invoke(*race_words(rule_file), "--out", folder, "--json")
    assert result.exit_code == 0, result.stderr
    return SmallRace(folder, rule_file, result, json.loads(result.stdout), read_runs(folder))


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report is made from the records and looked at elsewhere; leave it out."""
    monkeypatch.setattr("adamas.lab.contest.build", lambda folder, lang: {})


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of a report's time; for tests that look at no figure of a race drawn already."""
    monkeypatch.setattr("adamas.lab.report.draw_all", lambda *_, **__: None)
