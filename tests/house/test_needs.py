"""What a run says of the tests that it skipped, and that a required one may not be skipped: by runs of pytest on a page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from needs import CHROMIUM, NEEDS, need_behind
from snapshots import GUARD, TESTS

CONFTEST = """
import needs

def pytest_configure(config):
    for line in ("browser: needs Chromium", "slow: takes minutes; run with `pytest -m slow`"):
        config.addinivalue_line("markers", line)
    config.pluginmanager.register(needs.Watch(needs.required()))
"""
PAGE = """
import pytest

@pytest.mark.browser
def test_page():
    {body}

@pytest.mark.slow
def test_long():
    raise AssertionError

def test_other():
    pytest.skip("no reason")

@pytest.mark.xfail
def test_known():
    raise AssertionError
"""
pytest.importorskip("playwright")
NO_CHROMIUM = f"Chromium was not found (as {', '.join(CHROMIUM)}); install it, on Debian `apt-get install chromium`"


@pytest.fixture(params=["", "2"], ids=["one process", "two processes"], autouse=True)
def processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account is the same where pytest-xdist deals the tests out."""
    monkeypatch.setenv("PYTEST_ADDOPTS", f"-n {request.param}" if request.param else "-p no:xdist")


def run(folder: Path, *, require: str = "", installed: bool = False, body: str = "pass") -> tuple[int, list[str]]:
    """Exit code of pytest on the page, and the lines after its dots."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_page.py").write_text(PAGE.format(body=body))
    (folder / "bin").mkdir()
    if installed:
        (folder / "bin" / "chromium").touch(0o755)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-c",
            os.devnull,
            "-m",
            "not slow",
            str(folder),
        ],
        env={**os.environ, "PATH": str(folder / "bin"), "PYTHONPATH": str(TESTS), "ADAMAS_REQUIRE": require},
        capture_output=True,
        text=True,
        timeout=GUARD,
        check=False,
    )
    return done.returncode, [
        line
        for line in (done.stdout + done.stderr).splitlines()
        if line and "[100%]" not in line and "bringing up" not in line
    ]


USUAL = [
    "skipped: others (1 test): no reason",
    "not selected: slow (1): takes minutes; run with `pytest -m slow`",
]


@pytest.mark.parametrize("require", ["", "browser"])
def test_a_group_that_cannot_run_is_named_with_its_remedy(tmp_path: Path, require: str) -> None:
    code, lines = run(tmp_path, require=require)
    fault = [f"required, but skipped: {NEEDS['browser'].title} (1), see above"] if require else []
    assert lines[:-1] == [f"skipped: browser tests (1 test): {NO_CHROMIUM}", *USUAL, *fault]
    assert code == (1 if require else 0)


def test_a_group_that_runs_is_not_mentioned(tmp_path: Path) -> None:
    code, lines = run(tmp_path, require="browser", installed=True)
    assert lines[:-1] == USUAL
    assert code == 0


def test_a_required_group_may_not_be_skipped_for_any_reason(tmp_path: Path) -> None:
    code, lines = run(tmp_path, require="browser", installed=True, body='pytest.skip("tired")')
    assert lines[0] == "skipped: browser tests (1 test): tired"
    assert lines[-2] == "required, but skipped: browser tests (1), see above"
    assert code == 1


def test_a_required_group_must_be_there(tmp_path: Path) -> None:
    code, lines = run(tmp_path, require="browser,node", installed=True)
    assert lines[-2] == "required, but none has passed: Node.js tests"
    assert code == 1


def test_another_name_is_refused(tmp_path: Path) -> None:
    code, lines = run(tmp_path, require="chrome")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "ADAMAS_REQUIRE=chrome must be one of browser, node," in "\n".join(lines)


def test_a_library_is_known_by_the_message_of_importorskip() -> None:
    with pytest.raises(pytest.skip.Exception) as skipped:
        pytest.importorskip("torch.no_such_module")
    assert need_behind((), str(skipped.value)) == "torch"
    assert need_behind((), "this system has no fork") == ""
    assert need_behind(("browser",), "could not import 'scipy.optimize'") == "scipy"
