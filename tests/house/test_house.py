"""The order of the rooms, the one place of each formula, and the size of files."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from misprints import FILES as MISPRINTS

import adamas
from adamas.rules import MEMBERS, ROLL

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "adamas"
FILES = sorted(PACKAGE.rglob("*.py"))
ROOMS = {"rules": 1, "schedules.py": 1, "engine": 2, "lab": 4}  # everything else is a front end
FRONT_END = 3


def room(path: Path) -> int:
    return ROOMS.get(path.relative_to(PACKAGE).parts[0], FRONT_END)


def imported(path: Path) -> list[Path]:
    """Files and folders of the package that a file imports, `TYPE_CHECKING` blocks left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    here = path.relative_to(PACKAGE.parent).with_suffix("").parts
    base = here[:-1]
    out = []
    for node in ast.walk(tree):
        names: list[tuple[str, ...]] = []
        if isinstance(node, ast.ImportFrom):
            start = base[: len(base) - node.level + 1] if node.level else ()
            module = (*start, *(node.module.split(".") if node.module else ()))
            names = [(*module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        for parts in names:
            if parts[0] == "adamas" and len(parts) > 1:
                target = PACKAGE.joinpath(*parts[1:])
                if not (target.exists() or target.with_suffix(".py").exists()):
                    target = target.parent
                out.append(target if target.exists() else target.with_suffix(".py"))
    return out


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    for target in imported(path):
        if target == PACKAGE:
            assert room(path) == ROOMS["lab"] or path.name == "_info.py", f"{path} imports the whole package"
            continue
        assert room(target) <= room(path), f"{path} imports {target}"
        if room(path) == 1:
            same = target.relative_to(PACKAGE).parts[0] == path.relative_to(PACKAGE).parts[0]
            assert same, f"{path} imports {target}"


def test_the_import_check_sees_imports() -> None:
    assert PACKAGE / "engine" / "engine.py" in imported(PACKAGE / "numpy.py")
    assert any("rules" in str(t) for t in imported(PACKAGE / "engine" / "step.py"))


def test_import_loads_no_framework_and_no_compiler() -> None:
    heavy = "numba llvmlite torch jax keras tensorflow sklearn scipy matplotlib click rich numpy ml_dtypes"
    program = f"import sys, adamas; print([m for m in {heavy.split()!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    program = "import sys, adamas; adamas.Adam(); print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


LETTERS = r"(?:beta\d?|alpha|rho|momentum|mu)"
PATTERNS = {
    "average": rf"\b1 - {LETTERS}\b(?!\s*\*\*)",
    "bias": rf"\b1 - {LETTERS} ?\*\* ?",
    "root": r"\bsqrt\((?!x\b|self|\w*\.)[a-z](?:\)| [-+*] )",
}


def formulas(source: str, *, texts: bool) -> set[str]:
    """The patterns that code holds. Documentation may speak of formulas; with `texts` off every string may."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(None)
        elif not texts and isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    text = ast.unparse(tree)
    return {kind for kind, pattern in PATTERNS.items() if re.search(pattern, text)}


def test_only_rules_state_update_formulas() -> None:
    """The places where a decay rate meets its complement or a moment: the terms, and the rules that need their own."""
    found: dict[str, set[str]] = {kind: set() for kind in PATTERNS}
    for path in FILES:
        # the texts of a study, its claim and finding, are documentation
        texts = path.parent.name != "studies"
        for kind in formulas(path.read_text(encoding="utf-8"), texts=texts):
            found[kind].add(path.relative_to(PACKAGE).as_posix())
    outside = {kind: {p for p in places if not p.startswith("rules/")} for kind, places in found.items()}
    assert set().union(*outside.values()) <= MISPRINTS
    # Adam's formula: three terms, called by adam.py, which computes nothing itself
    assert {"rules/_terms.py"} <= found["average"] & found["bias"] & found["root"]
    assert not any("rules/adam.py" in places for places in found.values())
    own = {"rules/nadam.py", "rules/adan.py", "rules/radam.py", "rules/adamax.py", "rules/amsgrad.py"}
    assert {p for p in found["bias"] if p.startswith("rules/")} - {"rules/_terms.py"} <= own


@pytest.mark.parametrize("texts", [True, False])
def test_a_second_statement_is_seen(texts: bool) -> None:
    """The patterns above find Adam as the tutorials write it, and overlook it in a study's texts only."""
    lines = "m = beta1 * m + (1 - beta1) * g", "v_hat = v / (1 - beta2 ** t)", "x = m / (sqrt(v) + eps)"
    assert formulas("\n".join(lines), texts=texts) == {"average", "bias", "root"}
    assert formulas(f"finding = {lines!r}", texts=texts) == ({"average", "bias", "root"} if texts else set())


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_are_small(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    member = path.parent.name == "rules" and not path.name.startswith("_")
    assert lines <= (60 if member else 400)


def test_every_member_has_golden_values() -> None:
    values = json.loads((ROOT / "tests" / "golden" / "values.json").read_text(encoding="utf-8"))
    cases = values["cases"] if isinstance(values, dict) and "cases" in values else values
    text = json.dumps(cases)
    missing = [name for name in ROLL if f'"{name}"' not in text]
    assert not missing


def test_public_names_are_documented() -> None:
    for name in dir(adamas):
        value = getattr(adamas, name)
        if not name.startswith("__"):
            assert inspect.getdoc(value), name
    for rule in MEMBERS:
        assert rule.doc
        assert rule.source
        assert all(h.meaning for h in rule.hyper), rule.name


def test_nothing_of_one_machine_stands_in_the_tree() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    for name in tracked:
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".jinja", ".json"} and path.exists() and path != Path(__file__):
            assert not re.search(r"(^|[\s\"'(])/(work|root|home|farm)/", path.read_text(encoding="utf-8")), name
