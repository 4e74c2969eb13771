"""Prints Python expressions as JavaScript.

Python and JavaScript round + - * / and square roots alike; powers, exp and log may differ in the last bit. Where
Python raises on a per-step scalar (a division by zero), JavaScript goes on with infinity or NaN.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping

_BINARY = {ast.Add: ("+", 5), ast.Sub: ("-", 5), ast.Mult: ("*", 6), ast.Div: ("/", 6)}
_JOINS = {ast.BitOr: ("||", 1), ast.BitAnd: ("&&", 2)}
_COMPARISONS = {
    ast.Lt: ("<", 4),
    ast.LtE: ("<=", 4),
    ast.Gt: (">", 4),
    ast.GtE: (">=", 4),
    ast.Eq: ("===", 3),
    ast.NotEq: ("!==", 3),
}
_UNARY, _ATOM = 7, 9
_WORDS = {
    "sqrt": "Math.sqrt({0})",
    "abs": "Math.abs({0})",
    "exp": "Math.exp({0})",
    "log": "(({0}) > 0 ? Math.log({0}) : -Infinity)",
}
_RESERVED_WORDS = (
    "arguments await break case catch class const continue debugger default delete do else enum eval export extends "
    "false finally for function if implements import in instanceof interface let Math new null package private "
    "protected public return static super switch this throw true try typeof undefined var void while with yield "
    "Infinity NaN"
)
_RESERVED = frozenset(_RESERVED_WORDS.split())


class PrintError(ValueError):
    """An expression for which no JavaScript is known; the message shows it."""


def identifier(name: str) -> str:
    """A Python name as a JavaScript name: words that mean something in JavaScript get a dollar sign."""
    return f"${name}" if name in _RESERVED else name


class Printer:
    """Prints expressions; parentheses stand only where the order of operations needs them.

    Args:
        words: functions by their Python name (`sqrt`, `np.exp`), as templates of their arguments: {0}, {1}, or all
            of them as {every}.
        constants: values of names that are not variables.

    Attributes:
        aliases: names that are only other words for a name, and that name.
    """

    def __init__(self, words: Mapping[str, str] = _WORDS, constants: Mapping[str, float] | None = None):
        self.words, self.constants = words, {} if constants is None else constants
        self.aliases: dict[str, str] = {}

    def text(self, node: ast.expr, level: int = 0) -> str:
        """The expression, in parentheses if it binds weaker than `level`.

        Raises:
            PrintError: it has no translation.
        """
        own, text = self._print(node)
        return f"({text})" if own < level else text

    def _print(self, node: ast.expr) -> tuple[int, str]:
        match node:
            case ast.Name(id=name) if name in self.constants:
                return self._print(ast.Constant(float(self.constants[name])))
            case ast.Name(id=name):
                return _ATOM, identifier(self.aliases.get(name, name))
            case ast.Constant(value=bool() as truth):
                return _ATOM, str(truth).lower()
            case ast.Constant(value=int() | float() as number):
                return _ATOM, _number(number)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                return _UNARY, ("-" if isinstance(sign, ast.USub) else "+") + self.text(operand, _UNARY + 1)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return _ATOM, f"Math.pow({self.text(left)}, {self.text(right)})"
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return self._join(left, *_BINARY[type(op)], right)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _JOINS:
                return self._join(left, *_JOINS[type(op)], right)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
                symbol, level = _COMPARISONS[type(op)]
                return level, f"{self.text(left, level + 1)} {symbol} {self.text(right, level + 1)}"
            case ast.Call(func=ast.Name(id="where"), args=[test, then, other]):
                return 0, f"{self.text(test, 1)} ? {self.text(then, 1)} : {self.text(other, 1)}"
            case ast.Call(func=function, args=arguments, keywords=[]) if ast.unparse(function) in self.words:
                template = self.words[ast.unparse(function)]
                parts = [self.text(a) for a in arguments]
                return _ATOM, template.format(*parts, every=", ".join(parts))
            case _:
                raise PrintError(f"no JavaScript is known for `{ast.unparse(node)}`")

    def _join(self, left: ast.expr, symbol: str, level: int, right: ast.expr) -> tuple[int, str]:
        return level, f"{self.text(left, level)} {symbol} {self.text(right, level + 1)}"


def _number(value: float) -> str:
    text = repr(value)
    return "Infinity" if text == "inf" else text.removesuffix(".0")


def object_source(facts: Mapping[str, object], expressions: Mapping[str, str]) -> str:
    """A JavaScript object: facts as JSON, and members that are JavaScript already."""
    members = [f"{json.dumps(name)}: {text}" for name, text in expressions.items()]
    plain = json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
    return f"{{ {', '.join([f'...{plain}', *members] if facts else members)} }}"
