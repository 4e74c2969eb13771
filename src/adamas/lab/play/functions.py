"""Prints short plain Python functions as JavaScript: schedules and the parts of clipping stay stated once."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from .javascript import Printer, PrintError, identifier

_MATH = ("sqrt", "exp", "log", "sin", "cos")
WORDS: Mapping[str, str] = {
    **{f"math.{name}": f"Math.{name}({{0}})" for name in _MATH},
    "math.pi": "Math.PI",
    "max": "Math.max({every})",
    "min": "Math.min({every})",
    "float": "({0})",
}


class _FunctionPrinter(Printer):
    """Expressions of plain functions: also x[0], self.name, //, `or` and a if c else b."""

    def _print(self, node: ast.expr) -> tuple[int, str]:
        match node:
            case ast.Subscript(value=value, slice=index):
                return 9, f"{self.text(value, 9)}[{self.text(index)}]"
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                return 9, f"self.{name}"
            case ast.Attribute() if ast.unparse(node) in self.words:
                return 9, self.words[ast.unparse(node)]
            case ast.Constant(value=None):
                return 9, "null"
            case ast.Constant(value=str() as text):
                return 9, f'"{text}"'
            case ast.BinOp(left=left, op=ast.FloorDiv(), right=right):
                return 9, f"Math.floor({self.text(left, 6)} / {self.text(right, 7)})"
            case ast.Compare(left=left, ops=[ast.Is()], comparators=[right]):
                return 3, f"{self.text(left, 4)} === {self.text(right, 4)}"
            case ast.BoolOp(op=ast.Or(), values=parts):
                return 1, " || ".join(self.text(part, 1) for part in parts)
            case ast.IfExp(test=test, body=body, orelse=other):
                return 0, f"{self.text(test, 1)} ? {self.text(body, 1)} : {self.text(other)}"
            case ast.Lambda(args=arguments, body=body):
                return 0, f"({', '.join(a.arg for a in arguments.args)}) => {self.text(body)}"
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return 9, f"[{', '.join(self.text(part) for part in parts)}]"
            case _:
                return super()._print(node)


def function_source(function: Callable[..., Any], words: Mapping[str, str] = WORDS) -> str:
    """A plain function as a JavaScript function expression.

    Args:
        function: assignments to names, `if`, `return` and expressions in `words`. Numbers that it closes over are
            written into the text.
        words: functions that it calls, as templates of their arguments.

    Raises:
        PrintError: a construct without translation; the message shows it.
    """
    closed = inspect.getclosurevars(function)
    constants = {n: v for n, v in {**closed.globals, **closed.nonlocals}.items() if isinstance(v, (int, float))}
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    if not isinstance(tree, ast.FunctionDef):
        raise PrintError(f"{function!r} must be a plain `def` function")
    printer = _FunctionPrinter(words, constants)
    defaults = [None] * (len(tree.args.args) - len(tree.args.defaults)) + tree.args.defaults
    given = ["" if d is None else f" = {printer.text(d)}" for d in defaults]
    parameters = ", ".join(identifier(a.arg) + d for a, d in zip(tree.args.args, given, strict=True))
    body = _block(tree.body, printer, set())
    return f"function ({parameters}) {{ {' '.join(body)} }}"


def _block(statements: list[ast.stmt], printer: Printer, known: set[str]) -> list[str]:
    lines = []
    for statement in statements:
        match statement:
            case ast.Expr(value=ast.Constant(value=str())):
                continue
            case ast.Return(value=ast.expr() as value):
                lines.append(f"return {printer.text(value)};")
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=value):
                targets = [identifier(ast.unparse(name)) for name in names]
                lines.append(f"let [{', '.join(targets)}] = {printer.text(value)};")
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                word = "" if name in known else "let "
                lines.append(f"{word}{identifier(name)} = {printer.text(value)};")
                known.add(name)
            case ast.Try(body=body):  # JavaScript overflows to infinity and raises nothing
                lines += _block(body, printer, known)
            case ast.If(test=test, body=body, orelse=other):
                lines.append(f"if ({printer.text(test)}) {{ {' '.join(_block(body, printer, set(known)))} }}")
                if other:
                    lines[-1] += f" else {{ {' '.join(_block(other, printer, set(known)))} }}"
            case _:
                raise PrintError(f"no JavaScript is known for `{ast.unparse(statement)}`")
    return lines


def lambda_sources(table: ast.Dict) -> str:
    """A dict of lambdas and known functions of one argument, as a JavaScript object."""
    printer, parts = _FunctionPrinter(WORDS, {}), []
    for key, value in zip(table.keys, table.values, strict=True):
        assert key is not None
        text = (
            printer.text(value) if isinstance(value, ast.Lambda) else f"(x) => {WORDS[ast.unparse(value)].format('x')}"
        )
        parts.append(f"{printer.text(key)}: {text}")
    return f"{{ {', '.join(parts)} }}"
