"""What tests need of the machine: whether it is here, and what was skipped for want of it.

A test names its need by a marker (`@pytest.mark.browser`) or, for a library, by `pytest.importorskip`. Where the need is
not met the test is skipped, and the summary of every run says how many were skipped, why, and what to install.
`ADAMAS_REQUIRE=browser,torch` makes such a skip an error; `.ci/run` sets it to all that it found on the machine.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
BY_CHOICE = ("slow", "rivals", "clients")  # markers of tests that the default selection leaves out
FOLDERS = {"frontends/pytorch": "torch"}  # every file of the folder needs it


@dataclass(frozen=True)
class Need:
    """One need.

    Attributes:
        title: The tests that have it, as the summary names them.
        missing: Why they cannot run here and what to install; empty where they can run.
    """

    title: str
    missing: Callable[[], str]


def chromium() -> str | None:
    """Path of an installed Chromium."""
    return next((path for name in CHROMIUM if (path := shutil.which(name))), None)


@cache
def _no_browser() -> str:
    if find_spec("playwright") is None:
        return "playwright is not installed; `pip install playwright`"
    if chromium() is None:
        return f"Chromium was not found (as {', '.join(CHROMIUM)}); install it, on Debian `apt-get install chromium`"
    return ""


@cache
def _no_node() -> str:
    return "" if shutil.which("node") else "Node.js was not found; install it, on Debian `apt-get install nodejs`"


def _no_javascript() -> str:
    return _no_browser() and _no_node() and f"{_no_node()}; or for a browser: {_no_browser()}"


@cache
def _no_gpu() -> str:
    if find_spec("torch") is None:
        return "torch is not installed; `pip install torch`"
    import torch

    return "" if torch.cuda.is_available() else "torch found no GPU of CUDA"


@cache
def _no_library(name: str) -> str:
    return "" if find_spec(name) else f"{name} is not installed; `pip install -e '.[dev]'` installs it"


MARKED = {  # by the name of the marker
    "browser": Need("browser tests", _no_browser),
    "node": Need("Node.js tests", _no_node),
    "javascript": Need("tests of JavaScript, in Node.js or a browser", _no_javascript),
    "gpu": Need("GPU tests", _no_gpu),
}
LIBRARIES = {  # by the name in `pytest.importorskip`
    name: Need(f"{name} tests", partial(_no_library, name))
    for name in ("torch", "scipy", "sklearn", "ml_dtypes", "mpmath", "pyarrow")
}
NEEDS = MARKED | LIBRARIES


def needs_of(item: pytest.Item) -> list[str]:
    """Names of the needs that a test is marked with."""
    return [name for name in MARKED if item.get_closest_marker(name)]


def reason_of(report: Any) -> str:
    """Why a test or a module was skipped."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def need_behind(marked: Sequence[str], reason: str) -> str:
    """The need for want of which something was skipped; empty where it was something else."""
    library = re.match(r"could not import '(\w+)", reason)
    if library and library[1] in LIBRARIES:
        return library[1]
    unmet = [name for name in marked if NEEDS[name].missing()]
    return (unmet or [*marked, ""])[0]


class Watch:
    """Skips what cannot run, and keeps the account of a run; a plugin of pytest.

    Args:
        required: Names of needs; a test that is skipped for want of one of them is an error, and so is none that ran.
    """

    def __init__(self, required: Sequence[str]):
        self.required = tuple(required)
        self.skipped: Counter[tuple[str, str, str]] = Counter()  # need, reason, "test" or "file"
        self.left_out: Counter[str] = Counter()  # marker
        self.passed: Counter[str] = Counter()  # need

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        for name in needs_of(item):
            if why := NEEDS[name].missing():
                pytest.skip(why)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Any:
        report = yield
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = reason_of(report)
            self.skipped[need_behind(needs_of(item), reason), reason, "test"] += 1
        elif report.when == "call" and report.passed:
            self.passed.update(needs_of(item))
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(self) -> Any:
        report = yield
        if report.skipped:
            reason = reason_of(report)
            self.skipped[need_behind((), reason), reason, "file"] += 1
        return report

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        for folder, name in FOLDERS.items():
            if collection_path.match(f"tests/{folder}/test_*.py") and (why := NEEDS[name].missing()):
                self.skipped[name, why, "file"] += 1
                return True
        return None

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        for item in items:
            self.left_out.update(name for name in BY_CHOICE if item.get_closest_marker(name))

    def account(self, registered: Sequence[str]) -> list[str]:
        """Lines of the summary.

        Args:
            registered: Markers as they are registered, "name: what it means".
        """
        lines: list[str] = []
        for name in [*NEEDS, ""]:
            for reason in sorted({key[1] for key in self.skipped if key[0] == name}):
                numbers = {kind: self.skipped[name, reason, kind] for kind in ("test", "file")}
                count = ", ".join(f"{n} {kind}{'s' * (n > 1)}" for kind, n in numbers.items() if n)
                lines.append(f"skipped: {NEEDS[name].title if name else 'others'} ({count}): {reason}")
        texts = dict(text.split(": ", 1) for text in registered if ": " in text)
        return lines + [f"not selected: {name} ({self.left_out[name]}): {texts[name]}" for name in self.left_out]

    def faults(self) -> list[str]:
        """Needs that are required, and what of them did not run."""
        lines = []
        for name in self.required:
            skipped = sum(count for key, count in self.skipped.items() if key[0] == name)
            if skipped:
                lines.append(f"required, but skipped: {NEEDS[name].title} ({skipped}), see above")
            elif name in MARKED and not self.passed[name]:
                lines.append(f"required, but none has passed: {NEEDS[name].title}")
        return lines

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(session.config, "workeroutput", None)  # of pytest-xdist, in a process that runs a part
        if output is not None:
            output["needs"] = [list(self.skipped.items()), dict(self.left_out), dict(self.passed)]
        elif self.faults() and not session.config.option.collectonly and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add the account of a process that has run a part of the tests. All of them have collected all files."""
        skipped, left_out, passed = getattr(node, "workeroutput", {}).get("needs", ((), {}, {}))
        for (name, reason, kind), count in skipped:
            key = (name, reason, kind)
            self.skipped[key] = self.skipped[key] + count if kind == "test" else count
        self.left_out |= Counter(left_out)
        self.passed.update(passed)

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        terminalreporter.ensure_newline()
        for line in self.account(config.getini("markers")):
            terminalreporter.write_line(line, yellow=True)
        for line in self.faults() if not config.option.collectonly else ():
            terminalreporter.write_line(line, red=True)


def required() -> list[str]:
    """Names in ADAMAS_REQUIRE.

    Raises:
        pytest.UsageError: One of them is no need.
    """
    names = [name for name in os.environ.get("ADAMAS_REQUIRE", "").replace(",", " ").split() if name]
    for name in names:
        if name not in NEEDS:
            raise pytest.UsageError(f"ADAMAS_REQUIRE={name} must be one of {', '.join(NEEDS)}")
    return list(dict.fromkeys(names))
