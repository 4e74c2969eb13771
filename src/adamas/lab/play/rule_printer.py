"""Prints a rule with the step around it as JavaScript. No formula is known here: the rules stay stated once.

A rule becomes a function of one element in float64: `step($in, $trace) -> $out`. `$in` holds p, g, the step count t (1
at the first step), every state slot and every hyper-parameter by name, `clip_value` (Infinity: no clipping), the
`coefficient` of a clipped norm (1: none), `keep_scale` and `$cautious`; `$out` holds the new p and slots. With
`$cautious` the cautious mask acts: `keep_scale` enlarges what it keeps, and `$out.agreement` says whether it kept this
element. When `$trace` is an array, every named line is appended to it as `[name, value]`.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ...engine.cpu.codegen import step_program
from ...engine.step import ROW_SCALARS, Shape
from ...rules import VOCABULARY, Program, Resolved, Value
from .javascript import Printer, identifier
from .moments import correction_name, read_moments

Line = tuple[str, ast.expr]


def named_lines(program: Program) -> list[Line]:
    """Scalar lines, then element lines, as expressions."""
    return [(name, ast.parse(text, mode="eval").body) for name, text in program.scalar_lines] + program.element_lines


@dataclass(frozen=True)
class _Part:
    """Printed lines that one kind of step needs, and what it returns."""

    lines: list[tuple[str, str]]
    results: dict[str, str]

    @classmethod
    def of(cls, program: Program, outputs: Mapping[str, Value], names: Sequence[str]) -> _Part:
        constants: dict[str, float] = {}
        printer, lines = Printer(constants=constants), []
        for name, node in named_lines(program):
            match node:
                case ast.Name(id=other):
                    printer.aliases[name] = printer.aliases.get(other, other)
                case ast.Constant(value=int() | float() as number) if not _title(name):
                    constants[name] = number
                case _:
                    lines.append((name, printer.text(node)))
        nodes = {name: outputs[name].node for name in names}
        results = {name: printer.text(node) for name, node in nodes.items() if node is not None}
        return cls(_needed(lines, list(results.values())), results)

    def after(self, shared: Sequence[tuple[str, str]]) -> list[str]:
        """The statements that follow the shared lines."""
        rest = [line for line in self.lines if line not in shared]
        result = ", ".join(f"{name}: {text}" for name, text in self.results.items())
        return [*_constants(rest), f"return {{ {result} }};"]


class RuleFunction:
    """A rule with the step around it as a JavaScript function expression.

    Args:
        resolved: the rule with its options.
        decay: how weight decay acts.
    """

    def __init__(self, resolved: Resolved, decay: str):
        self.resolved = resolved
        self.shape = Shape(decay=decay, clips=True, scales=False)
        self.program, self.outputs = step_program(resolved, self.shape)
        lines = named_lines(self.program)
        self.moments, self.corrections, self.switchable = read_moments(resolved, lines, self.outputs)

    @cached_property
    def slots(self) -> list[tuple[str, float | str]]:
        """State slots in use and where they start: a number, or the hyper-parameter that gives it."""
        return [(s.name, s.start) for s in (*self.resolved.slots, *self.resolved.scalar_slots)]

    @cached_property
    def source(self) -> str:
        """The text of the function. Both programs, without and with the mask, begin alike: that part stands once."""
        names = ["p", *(name for name, _ in self.slots)]
        plain = _Part.of(self.program, self.outputs, names)
        masked = _Part.of(*step_program(self.resolved, replace(self.shape, cautious=True)), [*names, "agreement"])
        shared = [line for line in plain.lines if line in masked.lines]
        body = [*_constants(shared), *self._trace(shared)]
        body += ["if ($cautious) {", *masked.after(shared), "}", *plain.after(shared)]
        used = set(re.findall(r"[\w$]+", "\n".join(body)))
        taken = [_input(name) for name in self._inputs() if identifier(name) in used]
        whole = "\n".join(["function ($in, $trace) {", f"const {{ {', '.join(taken)}, $cautious }} = $in;", *body, "}"])
        return _SHORT.sub(r"$\1", whole)

    def _trace(self, lines: Sequence[tuple[str, str]]) -> list[str]:
        own = inspect.unwrap(self.resolved.rule.function).__code__.co_varnames
        named = [(title, name) for name, _ in lines if (title := _title(name)) in own or title not in _INNER]
        named += [(correction_name(beta), Printer().text(node)) for beta, node in self.corrections.items()]
        pushed = ", ".join(f'["{title}", {value}]' for title, value in named if title)
        return [f"if ($trace) $trace.push({pushed});"] if pushed else []

    def _inputs(self) -> list[str]:
        return list(dict.fromkeys([*self.program.elements, *self.program.scalars, *ROW_SCALARS]))


_SHORT = re.compile(r"\b_([cse]\d+)(?:_\w+)?")
"""Names of lines; on the page their numbers are enough, and the page stays small."""
_INNER = {name for word in VOCABULARY.values() for name in word.__code__.co_varnames} | {"old", "new"}
"""Arguments of words and of averages: within another formula they tell nothing."""


def program_source(program: Program, outputs: Mapping[str, Value], parameters: Sequence[str]) -> str:
    """A program as a JavaScript function of the given inputs, in that order, to an object of its outputs."""
    part = _Part.of(program, outputs, list(outputs))
    return f"({', '.join(parameters)}) => {{ {' '.join(part.after([]))} }}"


def _constants(lines: Sequence[tuple[str, str]]) -> list[str]:
    return ["const " + ", ".join(f"{name} = {text}" for name, text in lines) + ";"] if lines else []


def _input(name: str) -> str:
    alias = identifier(name)
    return name if alias == name else f"{name}: {alias}"


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
