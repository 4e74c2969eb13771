"""The README's commands and blocks are true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READMES = ["README.md", "README.zh-CN.md"]


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("name", READMES)
def test_python_blocks_run(name: str, tmp_path: Path) -> None:
    """Each block is a whole program."""
    found = blocks(name, "python")
    assert len(found) >= 3
    for k, text in enumerate(found):
        file = tmp_path / f"block{k}.py"
        file.write_text(text, encoding="utf-8")
        done = subprocess.run([sys.executable, "-W", "error", str(file)], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr


def test_both_languages_show_the_same_programs_and_commands() -> None:
    for language in ("python", "sh"):
        one, other = ([re.sub(r"#.*|\"\"\".*\"\"\"", "", b) for b in blocks(n, language)] for n in READMES)
        assert [re.sub(r"\s+", " ", b) for b in one] == [re.sub(r"\s+", " ", b) for b in other]


def test_ci_runs_the_test_command_of_the_readme() -> None:
    commands = [line for block in blocks("README.md", "sh") for line in block.splitlines()]
    (test_command,) = [line for line in commands if "pytest" in line]
    assert test_command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_commands_exist() -> None:
    """Every `adamas ...` command of the README is one of the program's."""
    from adamas.lab.commands import COMMANDS

    text = "\n".join(blocks("README.md", "sh"))
    named = set(re.findall(r"^adamas (\w+)", text, re.MULTILINE))
    assert named
    assert named <= set(COMMANDS)
