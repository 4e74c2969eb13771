"""Clipping and the cautious mask for the page: what the engine does around a rule, printed from the engine's own."""

from __future__ import annotations

from ...engine.step import enlargement, prepared
from ...engine.survey import coefficient
from ...rules import Program, append, element, scalar
from .functions import function_source
from .javascript import object_source
from .rule_printer import program_source


def around_source() -> str:
    """A JavaScript object: `prepared(g, clip_value)`, `coefficient(limit, norm)`, `enlargement(size, kept)`."""
    program = Program(("g",), ("clip_value",))
    arguments = {"g": element("g"), "grad_scale": None, "clip_value": scalar("clip_value")}
    (g,) = append(program, prepared, {**arguments, "clips": True, "scales": False})
    return object_source(
        {},
        {
            "prepared": program_source(program, {"g": g}, ["g", "clip_value"]),
            "coefficient": function_source(coefficient),
            "enlargement": function_source(enlargement),
        },
    )
