"""The schedules of the page, printed from `adamas.schedules`."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from typing import Any

from ... import schedules
from .functions import WORDS, function_source, lambda_sources

KINDS: Mapping[str, Any] = {
    kind.__name__: kind
    for kind in (
        schedules.constant,
        schedules.linear,
        schedules.cosine,
        schedules.exponential,
        schedules.inverse_time,
        schedules.piecewise,
        schedules.warmup,
    )
}
_HELPERS: Mapping[str, Any] = {"_scaled": schedules._scaled, "_call": schedules._call, "_travel": schedules._travel}
_WORDS: Mapping[str, str] = {
    **WORDS,
    **{name: f"helpers.{name}({{every}})" for name in _HELPERS},
    "_SHAPES[shape]": "shapes[shape]({0})",
    "bisect_right": "bisectRight({every})",
    "callable": 'typeof {0} === "function"',
    "schedule": "schedule({0})",
}


def _shapes() -> str:
    """The ways from one value to another, by name."""
    for node in ast.parse(inspect.getsource(schedules)).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "_SHAPES":
            assert isinstance(node.value, ast.Dict)
            return lambda_sources(node.value)
    raise AssertionError("adamas.schedules states its shapes in the dict _SHAPES")


def schedules_source() -> str:
    """A JavaScript expression: schedule name -> function (self, step) -> value."""
    helpers = ",\n".join(f"{name}: {function_source(f, _WORDS)}" for name, f in _HELPERS.items())
    kinds = ",\n".join(f"{name}: {function_source(kind._at, _WORDS)}" for name, kind in KINDS.items())
    return f"""(() => {{
const shapes = {_shapes()};
const bisectRight = (sorted, x) => {{ let k = 0; while (k < sorted.length && sorted[k] <= x) k += 1; return k; }};
const helpers = {{ {helpers} }};
return {{ {kinds} }};
}})()"""
