"""The newcomer's walk: every command of docs/first-steps is run, in order, in an empty folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["first-steps.md", "first-steps.zh-CN.md"]
FENCE = re.compile(r"^```(sh|python)( \S+)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def steps(page: str) -> list[tuple[str, str, str]]:
    """Blocks in order: language, what stands behind it, text."""
    found = FENCE.findall((DOCS / page).read_text(encoding="utf-8"))
    return [(language, mark.strip(), text) for language, mark, text in found]


def test_both_languages_have_the_same_steps() -> None:
    one, other = ([(lang, mark, re.sub(r'""".*?"""', "", text)) for lang, mark, text in steps(page)] for page in PAGES)
    assert one == other
    assert len(one) >= 7


@pytest.mark.parametrize("page", PAGES)
def test_the_installation_is_the_readmes(page: str) -> None:
    (install,) = [text for _, mark, text in steps(page) if mark == "install"]
    command, _, _ = install.rpartition(" && ")
    assert command in (DOCS.parent / "README.md").read_text(encoding="utf-8")


def test_the_walk(tmp_path: Path) -> None:
    """As a newcomer would, but for the installation."""
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for language, mark, text in steps(PAGES[0]):
        if mark == "install":
            continue
        if language == "python":
            (tmp_path / mark).write_text(text, encoding="utf-8")
            continue
        done = subprocess.run(
            ["bash", "-euc", text], cwd=tmp_path, env=os.environ | {"PATH": tools}, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    out = tmp_path / "first-steps"
    path = json.loads((out / "bowl" / "summary.json").read_text(encoding="utf-8"))
    assert "0.136" in json.dumps(path)  # where the tutorial's run ends
    verdicts = json.loads((out / "studies" / "studies.json").read_text(encoding="utf-8"))
    assert {v["verdict"] for v in verdicts} == {"FAIL"}
    labels = json.loads((out / "race" / "summary.json").read_text(encoding="utf-8"))["facts"]
    assert {"Adam", "Momentum", "grams"} <= set(labels)
    for file in ("bowl/figures/path.png", "studies/studies.html", "race/report.html", "page/playground.html"):
        assert (out / file).stat().st_size > 1000, file
