"""From a rule's source text to a straight-line program.

The program has two parts. Whatever depends only on hyper-parameters and the step count is the *scalar part*:
it runs once per step in float64. What touches `p`, `g` or a state slot is the *element part*: it holds names
of elements and of hoisted scalars (`_s0`, `_s1`, ...), no literal, so a back end gives it one type throughout.
This is the meaning that NumPy itself gives to the function: a Python float meets an array and is rounded once.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from ._term import is_term
from ._vocabulary import PRIMITIVES, SCALAR_ONLY, VOCABULARY

ALLOWED = (
    "allowed: + - * / on values, ** on per-step scalars (and x**2), comparisons, & | between comparisons, "
    f"{', '.join(VOCABULARY)}, functions marked @adamas.term, assignment to names, and `if` on options"
)


class RuleError(ValueError):
    """A rule uses a construct outside the vocabulary. The message names the line and what is allowed."""


Kind = Literal["element", "scalar", "static"]


@dataclass(frozen=True)
class Value:
    """What a name stands for: an expression of a kind, or (static) a Python object."""

    kind: Kind
    node: ast.expr | None = None
    static: object = None
    boolean: bool = False


@dataclass
class Program:
    """A rule, resolved for one choice of its options.

    Attributes:
        elements: names of the element inputs that the program uses.
        scalars: names of the scalar inputs.
        scalar_lines: `(target, expression)` in order; run once per step in float64.
        hoisted: names among the targets that the element part reads; `booleans` are those that are conditions.
        element_lines: `(target, expression)` in order; run for each element.
        outputs: one expression (or static) for each value that the function returns.
    """

    elements: tuple[str, ...] = ()
    scalars: tuple[str, ...] = ()
    scalar_lines: list[tuple[str, str]] = field(default_factory=list)
    hoisted: list[str] = field(default_factory=list)
    booleans: set[str] = field(default_factory=set)
    element_lines: list[tuple[str, ast.expr]] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)

    def reads(self, name: str) -> bool:
        """Whether any element line reads the name."""
        return any(
            isinstance(n, ast.Name) and n.id == name
            for _, expression in self.element_lines
            for n in ast.walk(expression)
        )


def build(
    function: Callable[..., Any],
    elements: Sequence[str],
    scalars: Sequence[str],
    static: Mapping[str, object],
) -> Program:
    """Translate a rule (or term) for given options.

    Args:
        function: the rule; its source must be readable (a file or a notebook cell).
        elements: parameter names that are element values.
        scalars: parameter names that are per-step scalars.
        static: option names and their values.

    Raises:
        RuleError: a construct outside the vocabulary, with its line.
    """
    program = Program(tuple(elements), tuple(scalars))
    env: dict[str, object] = {name: element(name) for name in elements}
    env |= {name: scalar(name) for name in scalars}
    program.outputs = append(program, function, env | dict(static))
    return program


def element(name: str) -> Value:
    """An element input of that name."""
    return Value("element", ast.Name(name))


def scalar(name: str) -> Value:
    """A scalar input of that name."""
    return Value("scalar", ast.Name(name))


def append(program: Program, function: Callable[..., Any], arguments: Mapping[str, object]) -> list[Value]:
    """Add a call of a function to a program.

    Args:
        program: grows by the function's lines.
        function: a rule or a term.
        arguments: by parameter name: a `Value`, or a Python object for an option.

    Returns:
        What the function returns.
    """
    translator = _Translator(program, function, {})
    for name, argument in arguments.items():
        value = argument if isinstance(argument, Value) else Value("static", static=argument)
        translator.env[name] = translator.bind(name, value)
    result = translator.run()
    parts = result if isinstance(result, tuple) else (result,)
    return [translator.bind("out", part) for part in parts]


def _number(value: float) -> ast.expr:
    """A constant as an expression: a negative one is an operation, as it would be in source text."""
    plain = value if type(value) is int else float(value)
    return ast.UnaryOp(ast.USub(), ast.Constant(-plain)) if plain < 0 else ast.Constant(plain)


@cache
class _Source:
    """The text of a function and where its lines stand, for messages."""

    def __init__(self, function: Callable[..., Any]):
        self.function = inspect.unwrap(function)
        try:
            lines, self.first = inspect.getsourcelines(self.function)
        except (OSError, TypeError) as error:
            raise RuleError(
                f"rule {function.__name__!r}: its source text cannot be read. "
                "Define the rule in a file or a notebook cell, not through exec or standard input."
            ) from error
        self.file = inspect.getsourcefile(self.function) or "?"
        try:
            tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
        except SyntaxError:  # a lambda within a longer expression
            tree = ast.Pass()
        if not isinstance(tree, ast.FunctionDef):
            where = f"{self.file}, line {self.first}"
            raise RuleError(f"{where}: rule {function.__name__!r} must be a plain `def` function. {ALLOWED}")
        self.tree = tree

    def error(self, node: ast.AST, what: str) -> RuleError:
        line = self.first + getattr(node, "lineno", 1) - 1
        return RuleError(
            f"{self.file}, line {line}, in rule {self.function.__name__!r}: {what}\n    {ast.unparse(node)}\n{ALLOWED}"
        )


class _Translator:
    def __init__(self, program: Program, function: Callable[..., Any], env: dict[str, Value], depth: int = 0):
        self.program, self.env, self.depth = program, env, depth
        self.source = _Source(function)
        self.globals = self.source.function.__globals__

    # -- statements ---------------------------------------------------------------------------------------
    def run(self) -> Value | tuple[Value, ...]:
        result = self.block(self.source.tree.body)
        if result is None:
            raise self.source.error(self.source.tree.body[-1], "a rule must end with `return`")
        return result

    def block(self, body: list[ast.stmt]) -> Value | tuple[Value, ...] | None:
        for statement in body:
            match statement:
                case ast.Expr(value=ast.Constant(value=str())):
                    continue
                case ast.Assign(targets=[target], value=value):
                    self.assign(target, self.many(value))
                case ast.AnnAssign(target=ast.Name() as target, value=ast.expr() as value):
                    self.assign(target, self.many(value))
                case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value):
                    self.assign(target, self.value(ast.BinOp(ast.Name(name), op, value), statement))
                case ast.If(test=test, body=then, orelse=other):
                    chosen = then if self.static(test) else other
                    result = self.block(chosen)
                    if result is not None:
                        return result
                case ast.Pass():
                    continue
                case ast.Return(value=ast.expr() as value):
                    return self.many(value)
                case _:
                    raise self.source.error(statement, f"`{type(statement).__name__}` is outside the vocabulary")
        return None

    def assign(self, target: ast.expr, value: Value | tuple[Value, ...]) -> None:
        match target, value:
            case ast.Name(id=name), Value():
                self.env[name] = self.bind(name, value)
            case ast.Tuple(elts=targets), tuple() if len(targets) == len(value):
                for one, part in zip(targets, value, strict=True):
                    self.assign(one, part)
            case _:
                raise self.source.error(target, "only names can be assigned, as many as there are values")

    def bind(self, name: str, value: Value) -> Value:
        """Give an expression a name of its own, so that it is computed once."""
        if value.kind == "static" or isinstance(value.node, ast.Name):
            return value
        assert value.node is not None
        program = self.program
        if value.kind == "scalar":
            target = f"_c{len(program.scalar_lines)}_{name}"
            program.scalar_lines.append((target, ast.unparse(value.node)))
        else:
            target = f"_e{len(program.element_lines)}_{name}"
            program.element_lines.append((target, value.node))
        return Value(value.kind, ast.Name(target), boolean=value.boolean)

    # -- expressions --------------------------------------------------------------------------------------
    def static(self, node: ast.expr) -> object:
        value = self.value(node)
        if value.kind != "static":
            raise self.source.error(node, "`if` needs an option; for values write where(condition, a, b)")
        return value.static

    def many(self, node: ast.expr) -> Value | tuple[Value, ...]:
        if isinstance(node, ast.Tuple):
            return tuple(self.value(part) for part in node.elts)
        if isinstance(node, ast.Call):
            return self.call(node)
        if isinstance(node, ast.IfExp):
            return self.many(node.body if self.static(node.test) else node.orelse)
        return self.value(node)

    def value(self, node: ast.expr, place: ast.AST | None = None) -> Value:
        place = place or node
        match node:
            case ast.Constant(value=bool() | str() | None as constant):
                return Value("static", static=constant)
            case ast.Constant(value=int() | float()):
                return Value("scalar", node)
            case ast.Name(id=name):
                return self.name(name, node)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Value("static", static=not self.static(operand))
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as unary, operand=operand):
                return self.combine(place, lambda a: ast.UnaryOp(unary, a), self.value(operand))
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() as op, right=right):
                return self.binary(place, self.value(left), op, self.value(right))
            case ast.BinOp(left=left, op=ast.Pow() as op, right=right):
                return self.power(place, self.value(left), op, right)
            case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr() as join, right=right):
                a, b = self.value(left), self.value(right)
                if not (a.boolean and b.boolean):
                    raise self.source.error(place, "& and | join comparisons only")
                return self.combine(place, lambda x, y: ast.BinOp(x, join, y), a, b, boolean=True)
            case ast.BoolOp(op=boolean, values=values):
                parts = [self.static(part) for part in values]
                return Value("static", static=all(parts) if isinstance(boolean, ast.And) else any(parts))
            case ast.Compare(left=left, ops=[comparison], comparators=[right]):
                return self.compare(place, self.value(left), comparison, self.value(right))
            case ast.Compare():
                raise self.source.error(place, "a chained comparison is outside the vocabulary; join two with &")
            case ast.IfExp(test=test, body=body, orelse=other):
                return self.value(body if self.static(test) else other)
            case ast.Call():
                result = self.call(node)
                if isinstance(result, tuple):
                    raise self.source.error(place, "this function returns several values; assign them to names")
                return result
            case _:
                raise self.source.error(place, f"`{type(node).__name__}` is outside the vocabulary")

    def name(self, name: str, node: ast.expr) -> Value:
        if name in self.env:
            return self.env[name]
        constant = self.globals.get(name)
        if isinstance(constant, (int, float)) and not isinstance(constant, bool):
            return Value("scalar", _number(constant))
        raise self.source.error(node, f"the name {name!r} is neither a parameter of the rule nor assigned before")

    def combine(self, place: ast.AST, make: Callable[..., ast.expr], *parts: Value, boolean: bool = False) -> Value:
        if any(part.kind == "static" for part in parts):
            raise self.source.error(place, "an option (text or bool) cannot be computed with; use it in `if`")
        if all(part.kind == "scalar" for part in parts):
            return Value("scalar", make(*(part.node for part in parts)), boolean=boolean)
        return Value("element", make(*(self.as_element(part) for part in parts)), boolean=boolean)

    def as_element(self, value: Value) -> ast.expr:
        """The node of a value inside the element part: scalars are hoisted to a name `_s<k>`."""
        assert value.node is not None
        if value.kind == "element":
            return value.node
        text, program = ast.unparse(value.node), self.program
        for target, known in program.scalar_lines:
            if known == text and target in program.hoisted:
                return ast.Name(target)
        target = f"_s{len(program.hoisted)}"
        program.scalar_lines.append((target, text))
        program.hoisted.append(target)
        if value.boolean:
            program.booleans.add(target)
        return ast.Name(target)

    def binary(self, place: ast.AST, a: Value, op: ast.operator, b: Value) -> Value:
        if a.boolean or b.boolean:
            raise self.source.error(place, "a comparison is no number; write where(condition, 1, 0)")
        return self.combine(place, lambda x, y: ast.BinOp(x, op, y), a, b)

    def power(self, place: ast.AST, base: Value, op: ast.operator, exponent: ast.expr) -> Value:
        if base.kind == "element":
            if not (isinstance(exponent, ast.Constant) and exponent.value == 2):
                raise self.source.error(place, "** on elements takes the exponent 2 only; write products or sqrt")
            base = self.bind("base", base)
            return Value("element", ast.BinOp(self.as_element(base), ast.Mult(), self.as_element(base)))
        power = self.value(exponent)
        if power.kind == "element":
            raise self.source.error(place, "** takes per-step scalars only; write products or sqrt")
        return self.binary(place, base, op, power)

    def compare(self, place: ast.AST, a: Value, op: ast.cmpop, b: Value) -> Value:
        if a.kind == b.kind == "static" and isinstance(op, (ast.Eq, ast.NotEq, ast.Is, ast.IsNot)):
            same = a.static == b.static
            return Value("static", static=same == isinstance(op, (ast.Eq, ast.Is)))
        if not isinstance(op, (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)):
            raise self.source.error(place, "this comparison is outside the vocabulary")
        return self.combine(place, lambda x, y: ast.Compare(x, [op], [y]), a, b, boolean=True)

    # -- calls --------------------------------------------------------------------------------------------
    def call(self, node: ast.Call) -> Value | tuple[Value, ...]:
        if not isinstance(node.func, ast.Name):
            word = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            hint = f"; write {word}(...) (from adamas import {word})" if word in VOCABULARY else ""
            raise self.source.error(node, f"only plain functions can be called{hint}")
        name = node.func.id
        found = self.globals.get(name)
        if not is_term(found):
            if isinstance(found, types.FunctionType) and found is not VOCABULARY.get(name):
                raise self.source.error(node, f"{name!r} is a function of your own; mark it with @adamas.term")
            found = VOCABULARY.get(name)
        if found is None:
            raise self.source.error(node, f"the function {name!r} is outside the vocabulary")
        if is_term(found):
            return self.inline(node, found)
        if node.keywords:
            raise self.source.error(node, f"{name} takes positional arguments only")
        expected = 3 if name == "where" else 1
        if len(node.args) != expected:
            raise self.source.error(node, f"{name} takes {expected} argument(s)")
        parts = [self.value(argument) for argument in node.args]
        if name in SCALAR_ONLY and any(part.kind != "scalar" for part in parts):
            raise self.source.error(node, f"{name} acts on per-step scalars only")
        if name == "where" and not parts[0].boolean:
            raise self.source.error(node, "the first argument of where must be a comparison")
        assert name in PRIMITIVES or name in SCALAR_ONLY
        return self.combine(node, lambda *args: ast.Call(ast.Name(name), list(args), []), *parts)

    def inline(self, node: ast.Call, function: Callable[..., Any]) -> Value | tuple[Value, ...]:
        if self.depth > 20:
            raise self.source.error(node, "terms call each other without end")
        try:
            bound = inspect.signature(function).bind(
                *(self.value(a) for a in node.args), **{k.arg or "**": self.value(k.value) for k in node.keywords}
            )
        except TypeError as error:
            raise self.source.error(node, f"wrong arguments: {error}") from error
        bound.apply_defaults()
        env = {}
        for name, value in bound.arguments.items():
            if not isinstance(value, Value):  # a default of the term
                constant = value is None or isinstance(value, (bool, str))
                value = Value("static", static=value) if constant else Value("scalar", _number(value))
            env[name] = self.bind(name, value)
        return _Translator(self.program, function, env, self.depth + 1).run()
