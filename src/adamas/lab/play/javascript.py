"""Prints Python expressions and rules as JavaScript. No formula is known here: the rules stay stated once.

A rule becomes a function of one element in float64: `step($in, $trace) -> $out`. `$in` holds p, g, the step count
t (1 at the first step), every state slot and every hyper-parameter by name; `$out` holds the new p and slots. When
`$trace` is an array, each intermediate line is appended to it as `[name, value]`.

Python and JavaScript round + - * / and square roots alike; powers, exp and log may differ in the last bit. Where
Python raises on a per-step scalar (a division by zero), JavaScript goes on with infinity or NaN.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import cached_property

from ...engine.cpu.codegen import step_program
from ...engine.step import Shape
from ...rules import Program, Resolved, Value

NEUTRAL = {"weight_decay": "0", "grad_scale": "1", "clip_value": "Infinity", "coefficient": "1", "keep_scale": "1"}
"""What the step around a rule takes when the caller leaves it out."""

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
        self.words, self.constants = words, constants or {}
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


class RuleFunction:
    """A rule with the step around it as a JavaScript function expression.

    Args:
        resolved: the rule with its options.
        shape: the structure of the step: how weight decay acts.
    """

    def __init__(self, resolved: Resolved, shape: Shape):
        self.resolved = resolved
        self.program: Program
        self.outputs: dict[str, Value]
        self.program, self.outputs = step_program(resolved, shape)

    @cached_property
    def slots(self) -> list[tuple[str, float | str]]:
        """State slots in use and where they start: a number, or the hyper-parameter that gives it."""
        return [(s.name, s.start) for s in (*self.resolved.slots, *self.resolved.scalar_slots)]

    @cached_property
    def source(self) -> str:
        """The text of the function."""
        printer = Printer()
        lines = []
        for name, node in self._lines():
            if isinstance(node, ast.Name):
                printer.aliases[name] = printer.aliases.get(node.id, node.id)
            else:
                lines.append((name, printer.text(node)))
        results = {n: _node(self.outputs[n]) for n in ("p", *(name for name, _ in self.slots))}
        kept = _needed(lines, [printer.text(node) for node in results.values()])
        body = ["const " + ",\n  ".join(f"{n} = {e}" for n, e in kept) + ";"] if kept else []
        named = [f'["{title}", {n}]' for n, _ in kept if (title := _title(n))]
        if named:
            body.append(f"if ($trace) $trace.push({', '.join(named)});")
        result = ", ".join(f"{name}: {printer.text(node)}" for name, node in results.items())
        used = set(re.findall(r"[\w$]+", "\n".join([*body, result])))
        taken = [_input(name) for name in self._inputs() if identifier(name) in used]
        head = f"const {{ {', '.join(taken)} }} = $in;"
        return "\n  ".join(["function ($in, $trace) {", head, *body, f"return {{ {result} }};"]) + "\n}"

    def _lines(self) -> list[tuple[str, ast.expr]]:
        scalars = [(name, ast.parse(text, mode="eval").body) for name, text in self.program.scalar_lines]
        return [*scalars, *self.program.element_lines]

    def _inputs(self) -> list[str]:
        names = [*self.program.elements, *self.program.scalars, *NEUTRAL]
        return list(dict.fromkeys(names))


def _node(value: Value) -> ast.expr:
    assert value.node is not None
    return value.node


def _input(name: str) -> str:
    default = f" = {NEUTRAL[name]}" if name in NEUTRAL else ""
    alias = identifier(name)
    return (name if alias == name else f"{name}: {alias}") + default


def _title(line: str) -> str:
    """The name that the rule itself gave to a line (`_e3_m` is `m`); empty for hoisted scalars."""
    found = re.fullmatch(r"_[ce]\d+_(\w+)", line)
    return found[1] if found and found[1] not in ("out", "base") else ""


def _needed(lines: list[tuple[str, str]], results: list[str]) -> list[tuple[str, str]]:
    """The lines that the results depend on, in order."""
    wanted = set(re.findall(r"[\w$]+", " ".join(results)))
    kept = []
    for name, text in reversed(lines):
        if name in wanted:
            wanted |= set(re.findall(r"[\w$]+", text))
            kept.append((name, text))
    return kept[::-1]
