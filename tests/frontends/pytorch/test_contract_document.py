"""The page of the contract tells the truth about the suite: what it says passes is run by the default command.

`python test_contract_document.py FILE` collects the tests of the contract as that command does, and writes what it found.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "torch-contract.md"
FILES = [*sorted(Path(__file__).parent.glob("test_contract_*.py")), ROOT / "tests/parity/test_torch_differential.py"]
VERDICTS = r"pass|pass in part: .+|not applicable: .+"
KINDS = {"bits", "numbers", "bound", "tolerance", "behaviour"}
UNRUN = {"skip", "skipif", "xfail"}


class Row(NamedTuple):
    """A row: the section's heading, torch's test, the verdict, how it is checked and by which functions."""

    section: str
    names: list[str]
    verdict: str
    kinds: list[str]
    by: list[str]


class Found(NamedTuple):
    """A function of the suite as collected: its marks, and the names of torch's tests that are its parameters."""

    marks: set[str]
    upstream: set[str]


def names(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def page() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


def rows(text: str) -> list[Row]:
    """Those of the tables with four columns, headings left out."""
    section, out = "", []
    for line in text.splitlines():
        section = line if line.startswith("## ") else section
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 4 and cells[0] != "torch's test":
            out.append(Row(section, names(cells[0]), cells[1], re.split(r"[,;] ?", cells[2]), names(cells[3])))
    return out


def more(text: str) -> list[str]:
    """Functions in the last column of the table of what torch does otherwise."""
    part = text.split("## Where ours is held to more")[1].split("\n## ")[0]
    cells = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| ")]
    return [name for row in cells for name in names(row[-1])]


def defined() -> dict[str, ast.FunctionDef]:
    """The test functions of the contract's files by name; this file's own are about the page."""
    trees = [ast.parse(f.read_text(encoding="utf-8")) for f in FILES if f != Path(__file__)]
    nodes = [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    tests = [node for node in nodes if node.name.startswith("test_")]
    assert len({node.name for node in tests}) == len(tests), "a name is used twice"
    return {node.name: node for node in tests}


def may_skip(function: ast.FunctionDef) -> str:
    """A call in its body that would leave it out, or nothing."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "importorskip":
                (wanted,) = (argument.value for argument in node.args if isinstance(argument, ast.Constant))
                if importlib.util.find_spec(str(wanted)) is None:
                    return f"{wanted} is not installed"
            elif node.func.attr in UNRUN:
                return ast.unparse(node)
    return ""


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    """What the default command runs, by function; collected in a process of its own."""
    report = tmp_path_factory.mktemp("collected") / "report"
    done = subprocess.run(
        [sys.executable, __file__, str(report)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert report.exists(), done.stdout + done.stderr
    read = json.loads(report.read_text(encoding="utf-8"))
    return {name: Found(set(marks), set(upstream)) for name, (marks, upstream) in read.items()}


def faults(text: str, collected: dict[str, Found]) -> list[str]:
    """What is wrong with the page, in words."""
    out, functions = [], defined()
    for row in rows(text):
        label = f"{row.section}: {row.names}"
        if not row.names or not re.fullmatch(VERDICTS, row.verdict):
            out.append(f"{label} has no name or no verdict, but {row.verdict!r}")
        if row.verdict.startswith("not applicable"):
            out += [f"{label} is not applicable, but names {row.by}"] if row.by else []
            continue
        if not row.by or not set(row.kinds) <= KINDS:
            out.append(f"{label} names no function, or no kind of check: {row.kinds}")
        for name in row.by:
            if name not in functions:
                out.append(f"{label} names {name}, which does not exist")
            elif name not in collected:
                out.append(f"{label} names {name}, which the default command does not run")
            elif collected[name].marks & UNRUN or may_skip(functions[name]):
                out.append(f"{label} names {name}, which may be skipped: {may_skip(functions[name])}")
            elif collected[name].upstream and not set(row.names) & collected[name].upstream:
                out.append(f"{label} names {name}, which does not run under that name")
    out += [f"{name} does not run, though ours is held to more by it" for name in more(text) if name not in collected]
    counts = Counter((row.section, name) for row in rows(text) for name in row.names)
    out += [f"{name} is there {count} times" for name, count in counts.items() if count > 1]
    listed = {(by, name) for row in rows(text) for name in row.names for by in row.by}
    by_name = {(by, name) for by, found in collected.items() for name in found.upstream}
    out += [f"{by}[{name}] has no row" for by, name in sorted(by_name - listed)]
    out += [f"{name} is not named" for name in sorted(set(functions) - set(names(text)))]
    return out


def test_the_page_is_true(collected: dict[str, Found]) -> None:
    """Every row and every function."""
    assert len(rows(page())) > 250
    assert faults(page(), collected) == []


def test_a_false_row_is_found(collected: dict[str, Found]) -> None:
    """A function that does not exist, one under another name, no check, no reason, a row twice and one left out."""
    text = page()
    row = "| `test_step_lr` | pass | numbers, bound | `test_lr_course` |"
    assert text.count(row) == 1
    for wrong, said in (
        (row.replace("lr_course", "lr_curse"), "does not exist"),
        (row.replace("test_lr_course", "test_lr_refusals"), "does not run under that name"),
        (row.replace("numbers, bound", "somehow"), "no kind of check"),
        (row.replace("pass", "not applicable"), "no verdict"),
        (f"{row}\n{row}", "2 times"),
        ("", "has no row"),
    ):
        assert [fault for fault in faults(text.replace(row, wrong), collected) if said in fault], wrong
    unrun = {**collected, "test_lr_course": collected["test_lr_course"]._replace(marks={"skipif"})}
    assert any("may be skipped" in fault for fault in faults(text, unrun))
    del unrun["test_lr_course"]
    assert any("default command does not run" in fault for fault in faults(text, unrun))
    assert len(more(text)) > 5
    assert any(
        "held to more by it" in fault
        for fault in faults(text.replace("| `test_loading_copies`", "| `test_no`"), collected)
    )
    assert any("is not named" in fault for fault in faults(text.replace("`test_lr_course`", ""), collected))


class Recorder:
    """A plugin that keeps the marks and parameters of what is to be run."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[set[str], set[str]]] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            assert isinstance(item, pytest.Function)
            marks, upstream = self.found.setdefault(item.originalname, (set(), set()))
            marks.update(mark.name for mark in item.iter_markers())
            if hasattr(item, "callspec") and "upstream" in item.callspec.params:
                upstream.add(str(item.callspec.params["upstream"]))


def main() -> None:
    recorder = Recorder()
    code = pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", *map(str, FILES)], plugins=[recorder])
    if code == pytest.ExitCode.OK:
        found = {name: [sorted(part) for part in parts] for name, parts in recorder.found.items()}
        Path(sys.argv[1]).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
