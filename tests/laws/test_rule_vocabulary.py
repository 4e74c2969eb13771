"""What a rule may say: every construct outside the vocabulary is refused at definition, with file, line and remedy;
every construct within it means on the CPU what it means in NumPy, bit for bit."""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import adamas
from adamas.engine.cpu import cache
from adamas.rules import RuleError
from family import hard_numbers, same_bits
from snapshots import label

HEADER = """
import math, operator
import numpy as np
import adamas
from adamas import Hyper, Slot, abs, clip, exp, log, maximum, minimum, rule, sign, sqrt, term, where
HALF, NEGATIVE, WHOLE, SINGLE = 0.5, -3.0, 2, np.float64(0.25)
TEXT, LIST = "text", [1.0]
def unmarked(x):
    return x * 2
def sign_of_mine(x):
    return x
@term
def mix(x, y, weight=-0.25, mode="straight"):
    if mode == "straight":
        return weight * x + (1 - weight) * y
    return weight * y + (1 - weight) * x
@term
def both(x, y):
    return x + y, x - y
"""
_numbers = itertools.count()


def load(folder: Path, text: str) -> ModuleType:
    """The module of a source text, from a file of its own."""
    path = folder / f"rule_file_{next(_numbers)}.py"
    path.write_text(HEADER + textwrap.dedent(text))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def body(*lines: str, parameters: str = "p, g, v, *, lr=0.1", returns: str = "return p - lr * g, v") -> str:
    """A rule with the given lines; the last of them is the faulty one."""
    *before, last = lines
    text = "\n".join(f"    {line}" for line in (*before, last + "  # <-", returns))
    return f"@rule\ndef mine({parameters}):\n{text}\n"


def whole(text: str) -> str:
    return textwrap.dedent(text).strip() + "\n"


WORDS = "outside the vocabulary"
REFUSED: dict[str, tuple[str, str]] = {
    "for": (body("for k in range(3): p = p + k"), f"`For` is {WORDS}"),
    "while": (body("while True: p = p + 1"), f"`While` is {WORDS}"),
    "with": (body("with g: pass"), f"`With` is {WORDS}"),
    "try": (body("try: pass", returns="finally: pass"), f"`Try` is {WORDS}"),
    "def": (body("def inner(x): return x"), f"`FunctionDef` is {WORDS}"),
    "import": (body("import math"), f"`Import` is {WORDS}"),
    "global": (body("global HALF"), f"`Global` is {WORDS}"),
    "assert": (body("assert True"), f"`Assert` is {WORDS}"),
    "raise": (body("raise ValueError"), f"`Raise` is {WORDS}"),
    "delete": (body("del g", returns="return p, v"), f"`Delete` is {WORDS}"),
    "expression statement": (body("abs(g)"), f"`Expr` is {WORDS}"),
    "comprehension": (body("x = [a for a in (g,)]"), f"`ListComp` is {WORDS}"),
    "list": (body("x = [g, p]"), f"`List` is {WORDS}"),
    "dict": (body("x = {'a': g}"), f"`Dict` is {WORDS}"),
    "subscript": (body("x = g[0]"), f"`Subscript` is {WORDS}"),
    "attribute": (body("x = g.T"), f"`Attribute` is {WORDS}"),
    "f-string": (body("x = f'{g}'"), f"`JoinedStr` is {WORDS}"),
    "lambda": (body("x = lambda a: a"), f"`Lambda` is {WORDS}"),
    "walrus": (body("x = (y := g)"), f"`NamedExpr` is {WORDS}"),
    "bytes": (body("x = b'a'"), f"`Constant` is {WORDS}"),
    "complex": (body("x = 1j * g"), f"`Constant` is {WORDS}"),
    "starred": (body("x = both(*g)"), f"`Starred` is {WORDS}"),
    "floor division": (body("x = g // 2"), f"`BinOp` is {WORDS}"),
    "remainder": (body("x = g % 2"), f"`BinOp` is {WORDS}"),
    "matrix product": (body("x = g @ p"), f"`BinOp` is {WORDS}"),
    "shift": (body("x = g << 2"), f"`BinOp` is {WORDS}"),
    "invert": (body("x = where(~(g > 0), 1, 0)"), f"`UnaryOp` is {WORDS}"),
    "np.sqrt": (body("x = np.sqrt(g)"), r"only plain functions.*; write sqrt\(\.\.\.\) \(from adamas import sqrt\)"),
    "math.sqrt": (body("x = math.sqrt(g)"), r"write sqrt\(\.\.\.\)"),
    "np.tanh": (body("x = np.tanh(g)"), "only plain functions can be called"),
    "method": (body("x = g.sum()"), "only plain functions can be called"),
    "unknown function": (body("x = tanh(g)"), f"the function 'tanh' is {WORDS}"),
    "own function": (body("x = unmarked(g)"), "'unmarked' is a function of your own; mark it with @adamas.term"),
    "own function of a known name": (
        "def sign(x):\n    return x\n" + body("x = sign(g)"), "'sign' is a function of your own; mark it with @adamas.term",
    ),
    "unknown name": (body("x = nothing * g"), "the name 'nothing' is neither a parameter of the rule nor assigned"),
    "text constant": (body("x = TEXT * g"), "the name 'TEXT' is neither"),
    "list constant": (body("x = LIST * g"), "the name 'LIST' is neither"),
    "assigned later": (body("x = y * g", returns="y = g\n    return p, v"), "the name 'y' is neither"),
    "if on a value": (body("if g > 0:", returns="    p = p + 1\n    return p, v"), "`if` needs an option; for values write where"),
    "if on a scalar": (body("if lr > 0:", returns="    p = p + 1\n    return p, v"), "`if` needs an option"),
    "ternary on a value": (body("x = 1 if g > 0 else 2"), "`if` needs an option"),
    "not on a value": (body("x = where(not g > 0, 1, 2)"), "`if` needs an option"),
    "and on values": (body("x = where(g > 0 and p > 0, 1, 2)"), "`if` needs an option"),
    "chained comparison": (body("x = where(0 < g < 1, 1, 2)"), "chained comparison.*; join two with &"),
    "in": (body("x = where(g in p, 1, 2)"), f"this comparison is {WORDS}"),
    "is": (body("x = where(g is p, 1, 2)"), f"this comparison is {WORDS}"),
    "& on numbers": (body("x = where(g & p, 1, 2)"), "& and | join comparisons only"),
    "sum of comparisons": (body("x = (g > 0) + (p > 0)"), r"a comparison is no number; write where\(condition, 1, 0\)"),
    "cube": (body("x = g ** 3"), r"\*\* on elements takes the exponent 2 only; write products or sqrt"),
    "power of a name": (body("x = g ** lr"), r"\*\* on elements takes the exponent 2 only"),
    "element as exponent": (body("x = lr ** g"), r"\*\* takes per-step scalars only; write products or sqrt"),
    "exp of an element": (body("x = exp(g)"), "exp acts on per-step scalars only"),
    "log of an element": (body("x = log(v)"), "log acts on per-step scalars only"),
    "sqrt of two": (body("x = sqrt(g, p)"), r"sqrt takes 1 argument\(s\)"),
    "where of two": (body("x = where(g > 0, 1)"), r"where takes 3 argument\(s\)"),
    "where of a number": (body("x = where(g, 1, 2)"), "the first argument of where must be a comparison"),
    "keyword": (body("x = sqrt(x=g)"), "sqrt takes positional arguments only"),
    "term: wrong number": (body("x = mix(g)"), r"wrong arguments: missing a required argument: 'y'"),
    "term: unknown keyword": (body("x = mix(g, p, z=1)"), r"wrong arguments: got an unexpected keyword argument 'z'"),
    "pair as a number": (body("x = 1 + both(g, p)"), "this function returns several values; assign them to names"),
    "pair to three names": (body("x, y, z = both(g, p)"), "only names can be assigned, as many as there are values"),
    "number to two names": (body("x, y = g"), "only names can be assigned, as many as there are values"),
    "pair to one name": (body("x = g, p"), "only names can be assigned"),
    "to a subscript": (body("g[0] = p"), "only names can be assigned"),
    "two targets": (body("x = y = g"), f"`Assign` is {WORDS}"),
    "option times number": (
        body("x = flag * g", parameters="p, g, v, *, lr=0.1, flag=True"), r"an option \(text or bool\) cannot be computed with",
    ),
    "None": (body("x = None * g"), "cannot be computed with"),
    "no return": (body("x = g", returns="pass"), "a rule must end with `return`"),
    "bare return": (body("x = g", returns="return"), f"`Return` is {WORDS}"),
}  # fmt: skip

DECLARED: dict[str, tuple[str, str]] = {
    "no lr": ("@rule\ndef mine(p, g, *, rate=0.1):\n    return p - rate * g", r"needs a hyper-parameter lr \(a parameter with"),
    "lr without default": ("@rule\ndef mine(p, g, lr):\n    return p - lr * g, lr", "needs a hyper-parameter lr"),
    "weight decay": (
        "@rule\ndef mine(p, g, *, lr=0.1, weight_decay=0.0):\n    return p - lr * (g + weight_decay * p)",
        "weight_decay belongs to the step around every rule; leave it out",
    ),
    "order": ("@rule\ndef mine(g, p, *, lr=0.1):\n    return p - lr * g", "the first two parameters must be p and g"),
    "args": ("@rule\ndef mine(p, g, *more, lr=0.1):\n    return p - lr * g", r"\*more is not allowed; name every slot"),
    "kwargs": ("@rule\ndef mine(p, g, *, lr=0.1, **more):\n    return p - lr * g", r"\*more is not allowed"),
    "default None": ("@rule\ndef mine(p, g, *, lr=None):\n    return p", "default of 'lr' must be a number, a bool or a text"),
    "default list": ("@rule\ndef mine(p, g, *, lr=0.1, b=[1]):\n    return p", "default of 'b' must be a number, a bool or"),
    "default out of range": ("@rule\ndef mine(p, g, *, lr=-1):\n    return p - lr * g", r"default lr=-1\.0 lies outside \[0, inf\)"),
    "default nan": ("@rule\ndef mine(p, g, *, lr=0.1, a=float('nan')):\n    return p", r"default a=nan lies outside \(-inf, inf"),
    "default of weight decay": ("@rule(weight_decay=-1)\ndef mine(p, g, *, lr=0.1):\n    return p", r"weight_decay=-1 lies outside"),
    "t with default": ("@rule\ndef mine(p, g, t=1, *, lr=0.1):\n    return p", "t is the step count .* takes no default"),
    "reserved slot": ("@rule\ndef mine(p, g, i, *, lr=0.1):\n    return p, i", "the name 'i' has a meaning of its own here; choose"),
    "reserved slot at": ("@rule\ndef mine(p, g, at_p, *, lr=0.1):\n    return p, at_p", "the name 'at_p' has a meaning"),
    "underscore": ("@rule\ndef mine(p, g, _s0, *, lr=0.1):\n    return p, _s0", "the name '_s0' has a meaning"),
    "word as a slot": ("@rule\ndef mine(p, g, sqrt, *, lr=0.1):\n    return p, sqrt", "the name 'sqrt' has a meaning"),
    "reserved hyper": ("@rule\ndef mine(p, g, *, lr=0.1, step=1):\n    return p", "the name 'step' has a meaning"),
    "reserved option": ("@rule\ndef mine(p, g, *, lr=0.1, decay='a'):\n    return p", "the name 'decay' has a meaning"),
    "option without choices": ("@rule\ndef mine(p, g, *, lr=0.1, form='a'):\n    return p", r"needs choices=\{'form': \(\.\.\.\)\}"),
    "stray slot": ("@rule(slots={'w': Slot('w')})\ndef mine(p, g, *, lr=0.1):\n    return p", r"\['w'\] are declared but are not"),
    "stray hyper": ("@rule(hyper={'w': Hyper('w')})\ndef mine(p, g, *, lr=0.1):\n    return p", r"\['w'\] are declared but are not"),
    "stray choices": ("@rule(choices={'w': ('a',)})\ndef mine(p, g, *, lr=0.1):\n    return p", r"\['w'\] are declared but are"),
    "stray derived": ("@rule(derived={'w': bool})\ndef mine(p, g, *, lr=0.1):\n    return p", r"\['w'\] are declared but are"),
    "decay": ("@rule(decay='none')\ndef mine(p, g, *, lr=0.1):\n    return p", r"decay='none' must be one of \('coupled', 'dec"),
    "name": ("@rule(name='a/b')\ndef mine(p, g, *, lr=0.1):\n    return p", r"name='a/b' must be an identifier"),
    "too few values": ("@rule\ndef mine(p, g, v, *, lr=0.1):\n    return p", r"returns 1 value\(s\); it must return p and every .*: p, v"),
    "too many values": ("@rule\ndef mine(p, g, *, lr=0.1):\n    return p, g", r"returns 2 value\(s\); it must return p"),
    "comparison for p": ("@rule\ndef mine(p, g, *, lr=0.1):\n    return p > g", "what it returns for 'p' is no number"),
    "text for p": ("@rule\ndef mine(p, g, *, lr=0.1):\n    return 'p'", "what it returns for 'p' is no number"),
    "element for a scalar slot": (
        "@rule(slots={'k': Slot('k', scalar=True)})\ndef mine(p, g, k, *, lr=0.1):\n    return p, g", "for 'k' is no scalar",
    ),
    "scalar for a slot": (
        "@rule\ndef mine(p, g, v, *, lr=0.1):\n    return p - lr * g, lr", "for 'v' is one number for all elements; declare slots=",
    ),
    "fault in another form": (
        "@rule\ndef mine(p, g, *, lr=0.1, cubed=False):\n    if cubed:\n        g = g ** 3\n    return p - lr * g",
        "exponent 2 only",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=list(REFUSED))
def test_refused_with_file_line_and_remedy(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=f"(?s){message}") as caught:
        load(tmp_path, text)
    told = str(caught.value)
    (path,) = tmp_path.glob("*.py")
    lines = path.read_text().splitlines()
    line = next(k for k, content in enumerate(lines, 1) if "# <-" in content)
    found = re.match(rf"{re.escape(str(path))}, line (\d+), in rule 'mine': ", told)
    assert found, told
    late = any(text.endswith(end) for end in ("    pass\n", "    return\n"))
    assert int(found[1]) == line + late
    assert "allowed: + - * / on values" in told


@pytest.mark.parametrize(("text", "message"), DECLARED.values(), ids=list(DECLARED))
def test_refused_declaration_names_file_and_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=f"(?s){message}") as caught:
        load(tmp_path, text)
    assert re.match(rf"{re.escape(str(tmp_path))}.*\.py, line \d+, ", str(caught.value))


def test_refused_without_source() -> None:
    with pytest.raises(
        RuleError, match=r"its source text cannot be read.*Define the rule in a file or a notebook cell"
    ):
        exec("import adamas\n@adamas.rule\ndef mine(p, g, *, lr=0.1):\n    return p - lr * g\n", {})


@pytest.mark.parametrize("thing", [abs, 3, adamas.Adam, lambda p, g, *, lr=0.1: p - lr * g], ids=label)
def test_refused_unless_a_plain_function(thing: Any) -> None:
    with pytest.raises(RuleError, match="a rule must be a plain `def` function, not "):
        adamas.rule(thing)


def test_terms_that_call_each_other_without_end(tmp_path: Path) -> None:
    text = "@term\ndef again(x):\n    return again(x)\n" + body("x = again(g)")
    with pytest.raises(RuleError, match="terms call each other without end"):
        load(tmp_path, text)


def test_reserved_names_are_complete() -> None:
    """Whatever an optimizer has as an argument or attribute cannot be a hyper-parameter's name."""
    from adamas._arguments import AROUND
    from adamas.engine.step import ROW_SCALARS, STEP_SCALARS
    from adamas.rules._declare import RESERVED, RESERVED_STARTS

    attributes = {n for n in dir(adamas.Optimizer) if not n.startswith(RESERVED_STARTS)}
    needed = attributes | set(AROUND) | set(ROW_SCALARS) | set(STEP_SCALARS) | {"decay", "betas", "counters"}
    assert needed - {"lr", "weight_decay", "t"} <= RESERVED


# -- what is allowed means the same everywhere -------------------------------------------------------------
@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Kernels of invented rules do not stay in the user's cache."""
    folder = tmp_path_factory.mktemp("kernels")
    patch = pytest.MonkeyPatch()
    patch.setattr(cache, "folder", lambda: folder)
    yield folder
    patch.undo()


def outcome(rule: adamas.Rule, backend: str, dtype: Any, **arguments: Any) -> Any:
    """Parameters and state after three steps over hard numbers, or the text of the error."""
    rng = np.random.default_rng(8)
    p = hard_numbers(rng, 203, dtype)
    opt = adamas.optimizer(rule)(backend=backend, **arguments)
    try:
        for _ in range(3):
            opt.step(p, hard_numbers(rng, 203, dtype))
    except ValueError as error:
        return str(error)
    state = opt.state_dict()
    return p, state["state"][""] if state["state"] else {}, state["scalars"][""]


def assert_same(rule: adamas.Rule, **arguments: Any) -> Any:
    for dtype in (np.float32, np.float64):
        found, expected = (outcome(rule, backend, dtype, **arguments) for backend in ("cpu", "reference"))
        if isinstance(found, str) or isinstance(expected, str):
            for text in (found, expected):
                assert "per-step scalars cannot be computed" in text
            continue
        assert same_bits(found[0], expected[0])
        assert found[1].keys() == expected[1].keys()
        assert all(same_bits(found[1][n], expected[1][n]) for n in found[1])
        assert found[2] == expected[2] or repr(found[2]) == repr(expected[2])
    return expected


GOOD = {
    "plain": whole("""
        @rule
        def mine(p, g, *, lr=0.1):
            return p - lr * g
    """),
    "constants of the module": whole("""
        @rule
        def mine(p, g, *, lr=0.1):
            return p - HALF * NEGATIVE ** WHOLE * lr * g / (SINGLE + abs(NEGATIVE) + abs(p))
    """),
    "augmented assignment": whole("""
        @rule
        def mine(p, g, v, *, lr=0.1):
            v *= HALF
            v += g
            v -= p / 3
            v /= 2
            p -= lr * v
            return p, v
    """),
    "augmented assignment beside another name": whole("""
        @rule
        def mine(p, g, v, w, *, lr=0.1):
            old, before = v, where(g > 0, g, p)
            after = before
            v += g
            before *= v
            p -= lr * (v - old) * (before - after)
            return p, v - old, old + w
    """),
    "options": whole("""
        @rule(choices={"form": ("a", "b", "c")})
        def mine(p, g, *, lr=0.1, form="b", flipped=True):
            if form == "a" and not flipped:
                return p
            if form in_place "x":
                return p
            return p - (lr if flipped else -lr) * g
    """).replace(
        '    if form in_place "x":\n        return p\n', '    if form != "b" or not flipped:\n        return p\n'
    ),
    "ternary with several values": whole("""
        @rule
        def mine(p, g, v, w, *, lr=0.1, swapped=True):
            v, w = (w, g) if swapped else (g, w)
            return p - lr * (v + w), v, w
    """),
    "terms": whole("""
        @rule
        def mine(p, g, v, *, lr=0.1):
            a, b = both(p, g)
            v = mix(v, mix(a, b, 0.75), mode="crossed")
            return p - lr * mix(v, g, weight=HALF), v
    """),
    "scalar slots": whole("""
        @rule(slots={"k": Slot("k", 2.0, scalar=True), "v": Slot("v", "start")})
        def mine(p, g, v, k, t, *, lr=0.1, start=0.25):
            k = k * 0.9 + t
            v = v + k * g
            return p - lr / k * v, v, k
    """),
    "scalars alone": whole("""
        @rule
        def mine(p, g, t, *, lr=0.1, a=2.5):
            late = where((t > 2) & (a > 1) | (t == 1), exp(-t), log(a) + sqrt(a) + maximum(t, a) ** 0.5)
            return p - lr * late * sign(g) * (1 - a**t)
    """),
    "words": whole("""
        @rule
        def mine(p, g, v, *, lr=0.1):
            v = maximum(minimum(v, g), clip(p, -1, 1)) + g**2 + sqrt(abs(p)) - sign(g) * where((g > p) | (v != v), 1, v)
            return where((p >= 0) & (g <= 1), p - lr * v, -p), v
    """),
    "nothing but a copy": whole("""
        @rule
        def mine(p, g, v, w, *, lr=0.1):
            return p, g, v
    """),
    "a constant": whole("""
        @rule
        def mine(p, g, *, lr=0.1):
            '''Text.'''
            x: float = 3
            pass
            return x
    """),
    "names of the glossary of kernels": whole("""
        @rule
        def mine(p, g, n, row, word, s0, e0_x, *, lr=0.1, c0=2.0):
            i = n + g
            seen = i * row
            return p - lr * c0 * seen, i, word + 1, s0 + seen, e0_x + 2, n
    """),
}


@pytest.mark.parametrize("text", GOOD.values(), ids=list(GOOD))
def test_allowed_means_the_same_everywhere(text: str, tmp_path: Path, kernels: Path) -> None:
    assert_same(load(tmp_path, text).mine)


def test_negative_constant_is_raised_to_a_power_as_python_does(tmp_path: Path, kernels: Path) -> None:
    rule = load(tmp_path, body("x = NEGATIVE**2", parameters="p, g, *, lr=1.0", returns="return x - 0 * g * lr")).mine
    p = np.zeros(3)
    adamas.optimizer(rule)(backend="cpu").step(p, np.ones(3))
    assert p.tolist() == [9.0, 9.0, 9.0]


def test_options_choose_the_form(tmp_path: Path, kernels: Path) -> None:
    """Every form is another program; an unused slot is not kept."""
    text = """
        @rule(choices={"form": ("a", "b")}, derived={"buffered": lambda hyper: hyper["momentum"] != 0})
        def mine(p, g, v, *, lr=1.0, momentum=0.0, form="a", buffered=False):
            if buffered:
                v = momentum * v + g
                g = v
            return (p - lr * g if form == "a" else p + lr * g), v
    """
    made = adamas.optimizer(load(tmp_path, text).mine)
    for arguments, expected, slots in (
        ({}, [-2.0], []), ({"form": "b"}, [2.0], []), ({"momentum": 0.5}, [-2.5], ["v"]), ({"momentum": 0.5, "form": "b"}, [2.5], ["v"]),
    ):  # fmt: skip
        p, opt = np.zeros(1), made(**arguments)
        for _ in range(2):
            opt.step(p, np.ones(1))
        assert p.tolist() == expected
        assert list(opt.state_dict()["state"].get("", {})) == slots


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_scalars_that_leave_the_real_numbers(backend: str, tmp_path: Path, kernels: Path) -> None:
    """A root of a negative scalar, a division by zero and an overflow end the step before anything changes."""
    text = "@rule\ndef mine(p, g, v, *, lr=0.1, a=1.0, b=0.5, c=2.0):\n    return p - lr**b / a * c**c * g, v + g\n"
    rule = load(tmp_path, text.replace("lr**b", "(1 - lr) ** b")).mine
    opt, p, g = adamas.optimizer(rule)(backend=backend), np.ones(3), np.ones(3)
    opt.step(p, g)
    kept, state = p.copy(), opt.state_dict()["state"][""]["v"]
    for wrong in ({"lr": 3.0}, {"a": 0.0}, {"c": 1e5}):
        for name, value in wrong.items():
            right = getattr(opt, name)
            setattr(opt, name, value)
            with pytest.raises(
                ValueError, match=r"mine: its per-step scalars cannot be computed at step 2 \(.+\)\. A hyper"
            ):
                opt.step(p, g)
            setattr(opt, name, right)
    assert opt.t == 1
    assert same_bits(p, kept)
    assert same_bits(opt.state_dict()["state"][""]["v"], state)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("text", ["return p - abs(lr * g * (1 - a) ** 0.5), k", "return p - lr * g, (1 - a) ** 0.5"])
def test_complex_scalars_are_refused_wherever_they_go(text: str, backend: str, tmp_path: Path, kernels: Path) -> None:
    """Also where a later operation would make a real number of them, and in a scalar slot."""
    text = f"@rule(slots={{'k': Slot('k', scalar=True)}})\ndef mine(p, g, k, *, lr=0.1, a=3.0):\n    {text}\n"
    opt, p = adamas.optimizer(load(tmp_path, text).mine)(backend=backend), np.ones(3)
    with pytest.raises(ValueError, match=r"mine: its per-step scalars cannot be computed at step 1"):
        opt.step(p, np.ones(3))
    assert (p.tolist(), opt.t, opt.state_dict()["scalars"]) == ([1.0] * 3, 0, {"": {"k": 0.0}})


# -- random rules --------------------------------------------------------------------------------------------
ELEMENTS, SCALARS = (
    ("p", "g", "v", "w"),
    ("lr", "a", "t", "k", "HALF", "NEGATIVE", "WHOLE", "SINGLE", "0.3", "2", "-1.5"),
)


def scalar_expressions() -> st.SearchStrategy[str]:
    def more(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pair = st.tuples(inner, inner)
        return st.one_of(
            st.builds(lambda ab, op: f"({ab[0]} {op} {ab[1]})", pair, st.sampled_from("+-*/")),
            st.builds(lambda x, n: f"({x}) ** {n}", inner, st.sampled_from(["2", "3", "-1", "0.5", "t"])),
            st.builds(lambda x, f: f"{f}({x})", inner, st.sampled_from(["sqrt", "abs", "exp", "log", "sign", "-"])),
            st.builds(lambda ab, f: f"{f}({ab[0]}, {ab[1]})", pair, st.sampled_from(["maximum", "minimum", "mix"])),
            st.builds(lambda ab, cd, op: f"where({ab[0]} {op} {ab[1]}, {cd[0]}, {cd[1]})", pair, pair, COMPARE),
        )

    return st.recursive(st.sampled_from(SCALARS), more, max_leaves=4)


COMPARE = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])


def conditions(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    one = st.builds(lambda a, op, b: f"({a} {op} {b})", values, COMPARE, values)
    return st.one_of(one, st.builds(lambda a, op, b: f"({a} {op} {b})", one, st.sampled_from("&|"), one))


def expressions(names: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Expressions over elements and scalars."""

    def more(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.builds(lambda a, op, b: f"({a} {op} {b})", inner, st.sampled_from("+-*/"), inner),
            st.builds(lambda x, f: f"{f}({x})", inner, st.sampled_from(["sqrt", "abs", "sign", "-", "+"])),
            st.builds(lambda x: f"({x}) ** 2", inner),
            st.builds(lambda a, b, f: f"{f}({a}, {b})", inner, inner, st.sampled_from(["maximum", "minimum", "mix"])),
            st.builds(lambda x, a, b: f"clip({x}, {a}, {b})", inner, inner, inner),
            st.builds(lambda c, a, b: f"where({c}, {a}, {b})", conditions(inner), inner, inner),
            st.builds(lambda a, b: f"({a} if turned else {b})", inner, inner),
        )

    leaves = st.one_of(st.sampled_from(names), st.sampled_from(ELEMENTS), scalar_expressions())
    return st.recursive(leaves, more, max_leaves=6)


@st.composite
def rules(draw: st.DrawFn) -> str:
    """The source text of a rule: straight-line assignments over the whole vocabulary."""
    lines, names = ["old_v, old_w = v, w"], list(ELEMENTS)
    for number in range(draw(st.integers(1, 4))):
        value = draw(expressions(tuple(names)))
        kind = draw(st.sampled_from(["new", "again", "augmented", "pair"]))
        if kind == "new":
            names.append(f"x{number}")
            lines.append(f"x{number} = {value}")
        elif kind == "pair":
            names += [f"x{number}", f"y{number}"]
            lines.append(f"x{number}, y{number} = both({value}, {draw(st.sampled_from(names[:-2]))})")
        else:
            target, op = draw(st.sampled_from(names)), draw(st.sampled_from("+-*/")) if kind == "augmented" else ""
            lines.append(f"{target} {op}= {value}")
    results = [draw(expressions(tuple(names))) for _ in range(2)]
    lines.append(f"k = {draw(scalar_expressions())}")
    lines.append(f"return p - lr * ({results[0]}), old_v + ({results[1]}), old_w * ({draw(st.sampled_from(names))}), k")
    return (
        '@rule(slots={"k": Slot("k", 1.0, scalar=True)})\n'
        "def mine(p, g, v, w, k, t, *, lr=0.1, a=1.5, turned=True):\n    " + "\n    ".join(lines) + "\n"
    )


@settings(
    max_examples=int(os.environ.get("ADAMAS_EXAMPLES", "15")),
    deadline=None,
    derandomize="ADAMAS_EXAMPLES" not in os.environ,
    phases=[Phase.explicit, Phase.generate],  # an example is short, and each compiles two kernels: nothing is shrunk
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=rules())
def test_random_rules_mean_the_same_everywhere(text: str, tmp_path: Path, kernels: Path) -> None:
    """Straight-line rules made at random: the kernel equals NumPy in every bit, or both refuse the scalars."""
    assert_same(load(tmp_path, text).mine)
