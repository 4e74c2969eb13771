"""Writes the source text of a kernel module: the element pass of a rule within loops over a work list."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from ...rules import Program, Resolved, Value, append, element, scalar
from .. import survey
from ..step import ROW_SCALARS, Shape, element_pass, prepared, scalar_inputs
from ..storage import FORMATS, Format, narrows
from .templates import COUNT_BITS, HEADER, LAYOUT, RESULTS, RUN, STEP, SURVEY, SURVEY_PASS


@dataclass(frozen=True)
class Generated:
    """Source text of a kernel module and of its scalar part.

    Attributes:
        source: Numba module with `run` (and `count`, the first pass of the cautious mask).
        scalars: Python source of `scalars(inputs...) -> (hoisted, new scalar slots)`, run once per step and group.
        inputs: names that it takes.
        hoisted: how many numbers the kernel reads per group.
    """

    source: str
    scalars: str
    inputs: tuple[str, ...]
    hoisted: int


def step_program(resolved: Resolved, shape: Shape) -> tuple[Program, dict[str, Value]]:
    """The whole element pass as one program, and its outputs by name."""
    arrays = ["p", "g", *(s.name for s in resolved.rule.slots if not s.scalar)]
    scalars = scalar_inputs(resolved)
    program = Program(tuple(arrays), tuple(scalars))
    x = {n: element(n) for n in (*arrays, *ROW_SCALARS)} | {n: scalar(n) for n in scalars}

    def call(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        out = append(program, function, arguments)
        return out[0] if len(out) == 1 else out

    return program, element_pass(call, resolved, shape, x)


def step_module(resolved: Resolved, shape: Shape, formats: Sequence[str]) -> Generated:
    """The kernel of a rule with the step around it, for storage formats of p, g and each slot.

    p's format gives the compute type.
    """
    program, outputs = step_program(resolved, shape)
    slots = [s.name for s in resolved.slots]
    stores = [f"store_{n}(at_{n}, i, {_text(outputs[n])})" for n in ("p", *slots)]
    text = HEADER + _accessors(formats, slots)
    text += _loop("step", program, slots, [*_watched(program, outputs, slots, formats), *stores], formats, COUNTED)
    text += RUN.format(name="run", body="step", **LAYOUT)
    if shape.cautious:
        integer = _integer(formats[0])
        kept = [*_formula(program), f"seen = tally(seen, {integer}({_text(outputs['agreement'])}))"]
        finish = f"put(word(ctrl + {8 * RESULTS}) + 8 * item, seen)\n    return int64(0)"
        text += _loop("agree", program, slots, kept, formats, finish)
        text += RUN.format(name="count", body="agree", **LAYOUT)
    return _generated(text, program, [outputs[s.name] for s in resolved.scalar_slots])


def probe_module(resolved: Resolved, shape: Shape, formats: Sequence[str]) -> str:
    """Source text of the pass that stores nothing: whether a step would make state that is not finite."""
    program, outputs = step_program(resolved, shape)
    slots = [s.name for s in resolved.slots]
    text = HEADER + _accessors(formats, slots)
    text += _loop("probe", program, slots, _watched(program, outputs, slots, formats), formats, COUNTED)
    return text + RUN.format(name="run", body="probe", **LAYOUT)


COUNTED = "return (int64(lost != 0) << 32) + int64(seen != 0)"  # see `templates.BAD`


def _watched(program: Program, outputs: Mapping[str, Value], slots: Sequence[str], formats: Sequence[str]) -> list[str]:
    """The lines of the formula, and those that note a gradient and new state that are not finite, once stored.

    Where these lie decides, by the compiler's schedule, whether a step in cache takes some per cent more. The line of
    the gradient goes before the formula, and all state is folded into one word before that is added to what was seen.
    """
    kept = [
        f"rounded_{n}({_text(outputs[n])})" if narrows(name, formats[0]) else _text(outputs[n])
        for n, name in zip(slots, formats[2:], strict=True)
    ]
    state = [f"residue({value})" for value in kept]
    lost = [f"lost = either(lost, {reduce(lambda a, b: f'either({a}, {b})', state)})"] if state else []
    return ["seen = either(seen, residue(g))", *_formula(program), *lost]


def _formula(program: Program) -> list[str]:
    return [f"{target} = {ast.unparse(node)}" for target, node in program.element_lines]


def survey_module(clips: bool, scales: bool, format_name: str) -> Generated:
    """The pass over gradients before a step: largest magnitude and exact sum of squares (see `survey.py`)."""
    program = Program(("g",), ("grad_scale", "clip_value"))
    arguments = {
        "g": element("g"),
        "grad_scale": scalar("grad_scale"),
        "clip_value": scalar("clip_value"),
        "clips": clips,
        "scales": scales,
    }
    (g,) = append(program, prepared, arguments)
    storage = FORMATS[format_name]
    text = HEADER + f"load_g = load({format_name!r}, 1)\n"
    numbers: dict[str, object] = {
        "parameters": ", ".join(["at_g", "n", *program.hoisted]),
        "body": "\n        ".join(_formula(program)),
        "g": _text(g),
        "integer": _integer(format_name),
        "unsigned": "u" + _integer(format_name),
        "scalars": _load_scalars(program, format_name),
        "size": storage.itemsize,
        "infinity": storage.infinity,
        "largest": (1 << storage.compute_dtype.itemsize * 8 - 1) - 1,
        "highest": 2 * storage.exponent_bias,
        "mantissa_bits": storage.mantissa_bits,
        "exponent_bias": storage.exponent_bias,
        "lowest_bit": survey.lowest_bit(storage),
        "sum_words": survey.sum_words(storage),
        **_squares(storage),
        **LAYOUT,
    }
    number = f"float64({_text(g)})" if storage.compute == "float32" else f"{_text(g)} * scale"
    for name, taken, third in (
        ("survey_whole", number, "c2"),
        ("survey_window", f"where(wrapped >= span, {number}, 0.0)", "x - (t1 - c1) + c2"),
    ):
        text += SURVEY_PASS.format(name=name, taken=taken, third=third, **numbers)
    text += SURVEY.format(**numbers)
    return _generated(text + RUN.format(name="run", body="survey_item", **LAYOUT), program, [])


def _squares(storage: Format) -> dict[str, object]:
    """How a square is taken: exactly in float64, or rounded to it after a scaling that prevents over- and underflow."""
    bias, last_bit = storage.exponent_bias, storage.mantissa_bits  # a square in [1, 4) is a multiple of 2 ** -last_bit
    way = {"factors": "x * x, 1.0", "scale": "math.ldexp(1.0, int32(-shift))"}
    shift = f"min(max(exponent, 1), {2 * bias - 1}) - {bias}"
    if storage.compute == "float32":
        way, shift = {"factors": "x, x", "scale": "1.0"}, "0"
        last_bit *= 2
    span, wide_span = ((counts * COUNT_BITS - 2 - last_bit) // 2 for counts in (2, 3))
    down = 2.0**-COUNT_BITS
    return {**way, "shift": shift, "span": span, "wide_span": wide_span, "next": 1.5 * down, "down": down}


def _generated(text: str, program: Program, slots: Sequence[Value]) -> Generated:
    lines = [f"{target} = {expression}" for target, expression in program.scalar_lines]
    result = f"return ({''.join(n + ', ' for n in program.hoisted)}), ({''.join(_text(s) + ', ' for s in slots)})"
    source = f"def scalars({', '.join(program.scalars)}):\n    " + "\n    ".join([*lines, result]) + "\n"
    return Generated(text, source, program.scalars, len(program.hoisted))


def _text(value: Value) -> str:
    assert value.node is not None
    return ast.unparse(value.node)


def _integer(format_name: str) -> str:
    return "int32" if FORMATS[format_name].compute == "float32" else "int64"


def _accessors(formats: Sequence[str], slots: Sequence[str]) -> str:
    """Loads and stores; the alias scope is the array's place in the row."""
    compute = FORMATS[formats[0]].compute
    names = ["p", "g", *slots]
    kinds = [f"{name!r}, {k}, {compute!r}" for k, name in enumerate(formats)]
    lines = [f"load_{n} = load({kind})" for n, kind in zip(names, kinds, strict=True)]
    lines += [f"store_{n} = store({kind})" for n, kind in zip(names, kinds, strict=True) if n != "g"]
    narrow = [(n, name) for n, name in zip(slots, formats[2:], strict=True) if narrows(name, formats[0])]
    lines += [f"rounded_{n} = rounded({name!r}, {compute!r})" for n, name in narrow]
    return "\n".join(lines) + "\n"


def _load_scalars(program: Program, format_name: str) -> str:
    def one(k: int, name: str) -> str:
        value = f"real(group + {8 * k})"
        return (
            f"{name} = {value} != 0.0"
            if name in program.booleans
            else f"{name} = {FORMATS[format_name].compute}({value})"
        )

    return "\n    ".join([one(k, name) for k, name in enumerate(program.hoisted)] or ["pass"])


def _loop(
    name: str, program: Program, slots: Sequence[str], body: Sequence[str], formats: Sequence[str], finish: str
) -> str:
    """A loop over a stretch of one tensor, and the function that finds its addresses."""
    arrays = ["p", "g", *slots]
    sizes = [FORMATS[n].itemsize for n in formats]
    format_name = formats[0]
    addresses = [f"word(row + {8 * (1 + k)}) + {size} * offset" for k, size in enumerate(sizes)]
    first = 8 * (1 + len(arrays))
    rows = [f"{n} = {FORMATS[format_name].compute}(real(row + {first + 8 * k}))" for k, n in enumerate(ROW_SCALARS)]
    parameters = [*(f"at_{n}" for n in arrays), "n", *ROW_SCALARS, *program.hoisted]
    loads = [f"{n} = load_{n}(at_{n}, i)" for n in arrays]
    return STEP.format(
        name=name,
        parameters=", ".join(parameters),
        arguments=", ".join([*addresses, *parameters[len(arrays) :]]),
        integer=_integer(format_name),
        body="\n        ".join([*loads, *body]),
        scalars=_load_scalars(program, format_name),
        row_scalars="\n    ".join(rows),
        finish=finish,
        **LAYOUT,
    )
