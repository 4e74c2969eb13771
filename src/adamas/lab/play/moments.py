"""Reads from a rule's program which of its slots are moments, and how it corrects their bias.

Nothing is declared for the page: a slot is a moment if its new value depends on its old one; it is a *size* if it never
is negative, else a *direction*; it is corrected by `1 - beta ** t` if that scalar stands in the program and `beta` is
the decay rate in the line of the slot. So a rule of the user's own is read like the members.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...rules import Resolved, Slot, Value

Lines = Mapping[str, ast.expr]


@dataclass(frozen=True)
class Moment:
    """A slot that remembers gradients.

    Attributes:
        slot: its name.
        size: whether it measures sizes; else directions.
        root: whether it is a size of which the rule takes the square root.
        beta: the hyper-parameter of its correction, None where none is made.
        corrected: whether the slot itself holds corrected values.
        line: the named line that holds the corrected moment where the rule has one, such as `m_hat`.
    """

    slot: str
    size: bool
    root: bool
    beta: str | None
    corrected: bool
    line: str | None


def correction_name(beta: str) -> str:
    """How a correction is called among the lines of a step."""
    return f"1 - {beta}^t"


def read_moments(
    resolved: Resolved, lines: Sequence[tuple[str, ast.expr]], outputs: Mapping[str, Value]
) -> tuple[list[Moment], dict[str, ast.expr], bool]:
    """Moments of a rule, its corrections by hyper-parameter, and whether t serves nothing but these.

    Args:
        resolved: the rule.
        lines: its program, scalars first.
        outputs: new values of p and slots.
    """
    table = dict(lines)
    found = _corrections(resolved, table)
    moments = [moment for slot in resolved.slots if (moment := _moment(slot, table, outputs[slot.name], found))]
    if any(m.size and m.root for m in moments):  # AMSGrad divides by the root of x; its v only feeds x
        moments = [m for m in moments if m.root or not m.size]
    used = {m.beta: found[m.beta] for m in moments if m.beta}
    counts = sum(isinstance(n, ast.Name) and n.id == "t" for expression in table.values() for n in ast.walk(expression))
    corrections = sum(_beta(n) in found for expression in table.values() for n in ast.walk(expression))
    return moments, used, bool(used) and counts == corrections


def _beta(node: ast.AST) -> str | None:
    """`beta` of `1 - beta ** t`, else None."""
    match node:
        case ast.BinOp(ast.Constant(1), ast.Sub(), ast.BinOp(ast.Name(beta), ast.Pow(), ast.Name("t"))):
            return beta
    return None


def _corrections(resolved: Resolved, table: Lines) -> dict[str, ast.expr]:
    hyper = {h.name for h in resolved.rule.hyper}
    return {
        beta: node
        for expression in table.values()
        for node in ast.walk(expression)
        if (beta := _beta(node)) in hyper and beta is not None and isinstance(node, ast.expr)
    }


def _moment(slot: Slot, table: Lines, output: Value, found: Lines) -> Moment | None:
    assert isinstance(output.node, ast.Name)
    levels = list(_levels(output.node.id, table))
    if output.node.id == slot.name or not any(slot.name in _names(table[name]) for level in levels for name in level):
        return None
    hat = next((n for n in table if re.fullmatch(rf"_e\d+_{slot.name}_hat", n)), None)
    versions = {slot.name, output.node.id}
    calls = [n for e in table.values() for n in ast.walk(e) if isinstance(n, ast.Call)]
    roots = [call for call in calls if ast.unparse(call.func) == "sqrt"]
    rooted = not slot.signed and any(versions & _names(root) for root in roots)
    beta, corrected = _decay(levels, table, found)
    return Moment(slot.name, not slot.signed, rooted, beta, corrected, f"{slot.name}_hat" if hat else None)


def _decay(levels: Sequence[list[str]], table: Lines, found: Lines) -> tuple[str | None, bool]:
    """The corrected decay rate nearest to a slot if there is one, and whether the slot holds corrected values."""
    for level in levels:
        scalars = [_resolved(name, table) for line in level for name in _names(table[line])]
        if any(_beta(scalar) for scalar in scalars):
            return None, True
        near = [beta for s in scalars for beta in found if ast.unparse(s) in (beta, f"1 - {beta}")]
        if near:
            return near[0], False
    return None, False


def _levels(name: str, table: Lines) -> Iterator[list[str]]:
    """Element lines that a line depends on: itself, those that it reads, those that these read, ..."""
    level, seen = [name], {name}
    while level:
        yield level
        read = {n for line in level for n in _names(table[line]) if n.startswith("_e") and n in table}
        level = sorted(read - seen)
        seen |= read


def _resolved(name: str, table: Lines) -> ast.expr:
    """What a scalar stands for, through names that are only other words for it."""
    node: ast.expr = ast.Name(name)
    while isinstance(node, ast.Name) and node.id in table and not node.id.startswith("_e"):
        node = table[node.id]
    return node


def _names(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
