"""The places where an update formula stands, listed: each shape of arithmetic, found in the syntax tree by form.

Names do not matter to the search: `a*x + (1-a)*y` is a running average whatever its letters.
"""

from __future__ import annotations

import ast
import shutil
import textwrap
from pathlib import Path

import pytest
from misprints import FILES as MISPRINTS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "adamas"


def same(a: ast.expr, b: ast.expr) -> bool:
    return ast.dump(a) == ast.dump(b)


def factors(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return factors(node.left) + factors(node.right)
    return [node]


def complement(node: ast.expr) -> ast.expr | None:
    """x of `1 - x`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and isinstance(node.left, ast.Constant):
        return node.right if node.left.value == 1 else None
    return None


def is_average(node: ast.AST) -> bool:
    """`a*x + (1-a)*y` in any order, or `x + (1-a)*(y-x)`."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)):
        return False
    for one, other in ((node.left, node.right), (node.right, node.left)):
        rates = [x for f in factors(one) if (x := complement(f)) is not None]
        if any(same(rate, f) for rate in rates for f in factors(other)):
            return True
        differences = [f for f in factors(one) if isinstance(f, ast.BinOp) and isinstance(f.op, ast.Sub)]
        if rates and any(same(d.right, other) for d in differences):
            return True
    return False


def calls_sqrt(node: ast.AST) -> bool:
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and getattr(part.func, "id", getattr(part.func, "attr", "")) == "sqrt":
            return True
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Pow) and ast.unparse(part.right) in ("0.5", "1 / 2"):
            return True
    return False


def is_ratio(node: ast.AST) -> bool:
    """`... / (sqrt(v) + eps)`: a quotient whose divisor is a sum with a root in it."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)):
        return False
    return isinstance(node.right, ast.BinOp) and isinstance(node.right.op, ast.Add) and calls_sqrt(node.right)


def is_correction(node: ast.AST) -> bool:
    """`1 - beta**t`."""
    power = complement(node) if isinstance(node, ast.expr) else None
    return isinstance(power, ast.BinOp) and isinstance(power.op, ast.Pow)


FORMS = {"average": is_average, "ratio": is_ratio, "correction": is_correction}


def places(tree: ast.AST, form: str) -> set[str]:
    """Names of the functions (or `<module>`) that hold the form."""
    found: set[str] = set()

    def visit(node: ast.AST, function: str) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            function = node.name
        if FORMS[form](node):
            found.add(function)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.update(f"{function} (text)" for code in parsed(node.value) if places(code, form))
        for child in ast.iter_child_nodes(node):
            visit(child, function)

    visit(tree, "<module>")
    return found


def parsed(text: str) -> list[ast.AST]:
    """A string constant as code, if it is code: kernel templates are strings."""
    if not any(sign in text for sign in "*/-") or "\n" not in text:
        return []
    try:
        return [ast.parse(textwrap.dedent(text))]
    except (SyntaxError, ValueError):
        return []


EVERYWHERE = {
    "average": {
        "rules/_terms.py: average",  # every member's moments
        "rules/ademamix.py: ademamix",  # between the logarithms of two decay rates, while beta3 rises
    },
    "ratio": {
        "rules/_terms.py: ratio",  # Adam and its kin
        "rules/adagrad.py: adagrad",
        "rules/rmsprop.py: rmsprop",
    },
    "correction": {
        "rules/_terms.py: corrected",  # Adam and its kin
        "rules/adamax.py: adamax",  # m only
        "rules/adan.py: adan",  # three moments
        "rules/amsgrad.py: amsgrad",  # the maximum lies between moment and correction
        "rules/nadam.py: nadam",  # one step ahead
        "rules/radam.py: radam",  # the branch without second moment, and rho
    },
}


ON_PURPOSE: dict[str, set[str]] = {
    "average": set(),
    "ratio": {
        "lab/studies/division_by_zero_at_t0.py: from_zero",
        "lab/studies/moments_cannot_swap_roles.py: swapped",
        "lab/studies/which_adam_wrong_product.py: wrong_product",
    },
    "correction": {
        "lab/studies/division_by_zero_at_t0.py: from_zero",
        "lab/studies/moments_cannot_swap_roles.py: swapped",
        "lab/studies/moments_cannot_swap_roles.py: swapped_sizes",
        "lab/studies/which_adam_eps_inside.py: eps_inside",
        "lab/studies/which_adam_no_root.py: no_root",
        "lab/studies/which_adam_power_misprint.py: as_printed",
        "lab/studies/which_adam_power_misprint.py: powers",
        "lab/studies/which_adam_wrong_product.py: wrong_product",
    },
}
"""Misprints; `misprints.py` gives the reasons."""


def all_places(package: Path, form: str) -> set[str]:
    """`file: function` for every place in a package."""
    found = set()
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found |= {f"{path.relative_to(package).as_posix()}: {name}" for name in places(tree, form)}
    return found


@pytest.mark.parametrize("form", FORMS)
def test_every_place_of_a_formula(form: str) -> None:
    """The whole list. A place that is added or lost is a decision, and is written down here."""
    assert all_places(PACKAGE, form) == EVERYWHERE[form] | ON_PURPOSE[form]


def test_only_studies_of_misprints_state_formulas_on_purpose() -> None:
    assert {place.partition(":")[0] for found in ON_PURPOSE.values() for place in found} == MISPRINTS


def test_a_formula_planted_in_a_study_is_found(tmp_path: Path) -> None:
    """In a study of no misprint, and in a misprint's file beside the misprint."""
    shutil.copytree(PACKAGE / "lab" / "studies", tmp_path / "lab" / "studies", ignore=shutil.ignore_patterns("*.pyc"))
    planted = "\n\ndef planted(p, m, v, b, t):\n    return p - m / (1 - b**t) / (v**0.5 + 1e-8)\n"
    for name in ("memory", "which_adam_no_root"):
        with (tmp_path / "lab" / "studies" / f"{name}.py").open("a", encoding="utf-8") as file:
            file.write(planted)
    expected = {f"lab/studies/{name}.py: planted" for name in ("memory", "which_adam_no_root")}
    for form in ("ratio", "correction"):
        assert all_places(tmp_path, form) - ON_PURPOSE[form] == expected


def test_adam_only_calls() -> None:
    """adam.py holds no form of its own: two averages, the correction, the ratio, one subtraction, one square."""
    tree = ast.parse((PACKAGE / "rules" / "adam.py").read_text(encoding="utf-8"))
    assert not any(places(tree, form) for form in FORMS)
    (function,) = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    calls = [n for line in function.body for n in ast.walk(line) if isinstance(n, ast.Call)]
    assert sorted(ast.unparse(call.func) for call in calls) == ["average", "average", "corrected", "ratio"]
    arithmetic = [ast.unparse(n) for n in ast.walk(function) if isinstance(n, ast.BinOp)]
    assert len(arithmetic) == 2
    assert "g * g" in arithmetic


SECOND_STATEMENTS = {
    "average": ["m = b1 * m + (1 - b1) * g", "v = (1 - b2) * g * g + v * b2", "m = m + (1 - b) * (g - m)", "m = s.b * m + (1.0 - s.b) * g"],
    "ratio": ["p -= lr * m / (np.sqrt(v) + eps)", "p -= m / (eps + math.sqrt(v / c))", "p -= m / (v ** 0.5 + eps)", "p -= m / (root * sqrt(v) + eps)"],
    "correction": ["c = 1 - b1 ** t", "m_hat = m / (1 - self.beta ** (step + 1))", "c = 1.0 - b ** t"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("form", "text"), [(form, text) for form, texts in SECOND_STATEMENTS.items() for text in texts]
)
def test_a_second_statement_is_found(form: str, text: str) -> None:
    """As tutorials and other libraries write it, under any names, in code or in a template's text."""
    assert places(ast.parse(f"def step():\n    {text}\n"), form) == {"step"}
    template = f"def f(a):\n    return a\n\ndef g():\n    {text}\n"
    assert places(ast.parse(f"TEMPLATE = {template!r}"), form) == {"<module> (text)"}


@pytest.mark.parametrize("form", FORMS)
def test_ordinary_arithmetic_is_not_taken_for_a_formula(form: str) -> None:
    text = "a = 1 - x\nb = x * y + (1 - z) * w\nc = x / (y + z)\nd = x / sqrt(n)\ne = a ** 2 - 1\nf = sqrt(a + b)\ng = x + (y - x)"
    assert places(ast.parse(text), form) == set()
