"""Records a function of two coordinates while NumPy runs it, and prints what was done as JavaScript.

The surfaces of the laboratory are NumPy functions with closures, sums and comprehensions. Here they are called once
with a `Recorded` point: each operation of NumPy adds a node to an expression instead of computing a number. So the page
gets the same operations in the same order, and no surface is stated a second time.
"""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .javascript import Printer, PrintError

AXES = 2
_OPERATORS: Mapping[str, type[ast.operator]] = {
    "add": ast.Add,
    "subtract": ast.Sub,
    "multiply": ast.Mult,
    "divide": ast.Div,
    "power": ast.Pow,
}
_FUNCTIONS = ("sqrt", "exp", "expm1", "sin", "cos", "cosh", "sign", "absolute", "minimum", "maximum")
_JAVASCRIPT = {"absolute": "abs", "minimum": "min", "maximum": "max"}
WORDS: Mapping[str, str] = {name: f"Math.{_JAVASCRIPT.get(name, name)}({{every}})" for name in _FUNCTIONS}


class Recorded(np.lib.mixins.NDArrayOperatorsMixin):
    """A number or a pair of numbers of which only the expression is known.

    Args:
        parts: one expression for a number, one per coordinate for a pair.
        pair: which of the two it is.
    """

    def __init__(self, parts: Sequence[ast.expr], pair: bool):
        self.parts, self.pair = tuple(parts), pair

    def __getitem__(self, index: int) -> Recorded:
        if not self.pair:
            raise PrintError("a single number has no coordinates")
        return Recorded([self.parts[index]], pair=False)

    def __iter__(self) -> Iterator[Recorded]:
        return (self[k] for k in range(len(self)))

    def __len__(self) -> int:
        return len(self.parts)

    def __bool__(self) -> bool:
        raise PrintError("a surface cannot branch on a value that is not known yet; write np.where")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Recorded:
        if method != "__call__" or options:
            raise PrintError(f"no JavaScript is known for np.{ufunc.__name__}.{method}")
        return _elementwise(lambda *parts: _operation(ufunc.__name__, parts), inputs)

    def __array_function__(self, function: Any, _types: Any, args: Any, options: Mapping[str, Any]) -> Recorded:
        name = function.__name__
        if name == "where" and len(args) == 3 and not options:
            return _elementwise(lambda *parts: ast.Call(ast.Name("where"), list(parts), []), args)
        if name == "stack" and not options:
            return Recorded([part for item in args[0] for part in _recorded(item).parts], pair=True)
        if name in ("sum", "mean") and options == {"axis": 0}:
            first, second = args[0]
            total: Recorded = first + second
            return total if name == "sum" else _recorded(total / AXES)
        raise PrintError(f"no JavaScript is known for np.{name} with {dict(options)}")


def _recorded(value: Any) -> Recorded:
    return value if isinstance(value, Recorded) else Recorded([_constant(float(value))], pair=False)


def _constant(value: float) -> ast.expr:
    return ast.UnaryOp(ast.USub(), ast.Constant(-value)) if math.copysign(1, value) < 0 else ast.Constant(value)


def _elementwise(make: Callable[..., ast.expr], inputs: Sequence[Any]) -> Recorded:
    """One expression for numbers; one per coordinate as soon as a pair is among them."""
    operands = [_recorded(value) for value in inputs]
    pair = any(operand.pair for operand in operands)
    rows = [[o.parts[k if o.pair else 0] for o in operands] for k in range(AXES if pair else 1)]
    return Recorded([make(*row) for row in rows], pair)


def _operation(name: str, parts: Sequence[ast.expr]) -> ast.expr:
    match parts:
        case [_, ast.Constant(value=0.0)] if name == "power":
            return ast.Constant(1.0)
        case [base, ast.Constant(value=1.0)] if name == "power":
            return base
        case [base, ast.Constant(value=2.0)] if name == "power":
            return ast.BinOp(base, ast.Mult(), base)  # as NumPy takes it: rounded once
        case [left, right] if name in _OPERATORS:
            return ast.BinOp(left, _OPERATORS[name](), right)
        case [operand] if name == "negative":
            return ast.UnaryOp(ast.USub(), operand)
        case [left, right] if name == "equal":
            return ast.Compare(left, [ast.Eq()], [right])
        case _ if name in _FUNCTIONS:
            return ast.Call(ast.Name(name), list(parts), [])
    raise PrintError(f"no JavaScript is known for np.{name} of {len(parts)} arguments")


def recorded_source(function: Callable[[Any], Any]) -> str:
    """A NumPy function of a point of two coordinates as a JavaScript function expression of an array.

    Raises:
        PrintError: it uses an operation without translation, or branches on a value.
    """
    x, y = ast.Name("x"), ast.Name("y")
    result = _recorded(function(Recorded([x, y], pair=True)))
    names: dict[int, str] = {}
    printer = _SharingPrinter(names)
    lines = []
    for node in _shared(result.parts):
        text = printer.text(node)
        names[id(node)] = f"k{len(names)}"
        lines.append(f"const {names[id(node)]} = {text};")
    parts = [printer.text(part) for part in result.parts]
    value = f"[{', '.join(parts)}]" if result.pair else parts[0]
    return f"([x, y]) => {{ {' '.join([*lines, f'return {value};'])} }}"


class _SharingPrinter(Printer):
    """Prints nodes that have a name as that name."""

    def __init__(self, names: Mapping[int, str]):
        super().__init__(WORDS)
        self.names = names

    def _print(self, node: ast.expr) -> tuple[int, str]:
        name = self.names.get(id(node))
        return (9, name) if name else super()._print(node)


def _shared(roots: Sequence[ast.expr]) -> list[ast.expr]:
    """Operations that are used more than once, each after those that it needs."""
    uses: Counter[int] = Counter()
    order: list[ast.expr] = []

    def visit(node: ast.expr) -> None:
        uses[id(node)] += 1
        if uses[id(node)] == 1:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    visit(child)
            order.append(node)

    for root in roots:
        visit(root)
    return [node for node in order if uses[id(node)] > 1 and not isinstance(node, (ast.Name, ast.Constant))]
