"""The document of the contract names functions that exist, and every test of the contract stands in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "torch-contract.md"
FILES = [*sorted(Path(__file__).parent.glob("test_contract_*.py")), ROOT / "tests/parity/test_torch_differential.py"]


def functions() -> set[str]:
    """The test functions of the contract's files, this one left out."""
    trees = [ast.parse(f.read_text(encoding="utf-8")) for f in FILES if f != Path(__file__)]
    nodes = [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {node.name for node in nodes if node.name.startswith("test_")}


def rows() -> list[list[str]]:
    """The cells of every row of the tables, headings left out."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return [row for row in cells if not row[0].startswith("torch")]


def named(text: str) -> set[str]:
    return set(re.findall(r"`(test_\w+)`", text))


def test_functions_named_in_the_document_exist() -> None:
    """The last column of every table, and each row that passes has one."""
    found, defined = rows(), functions()
    assert len(found) > 70
    for row in found:
        assert named(row[-1]) <= defined, row
        if len(row) == 3:
            assert row[1].startswith(("pass", "not applicable")), row
            assert named(row[2]) or row[1].startswith("not applicable:"), row


def test_every_function_is_in_the_document() -> None:
    """So that it is complete."""
    assert functions() <= named(DOCUMENT.read_text(encoding="utf-8"))
