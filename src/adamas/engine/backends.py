"""Back ends by name: each turns checked rows into a plan."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..rules import VOCABULARY, Resolved
from . import reference, survey
from .cpu.cache import load_module
from .cpu.codegen import Generated, step_module, survey_module
from .cpu.peek import Peek
from .cpu.peek import available as can_peek
from .cpu.worklist import WorkList
from .engine import Engine
from .hyper import declared
from .plan import Row, flat
from .step import STEP_SCALARS, Shape, prepared
from .storage import FORMATS
from .survey import Sum

Inputs = Sequence[tuple[float, ...]]


@cache
def kernels(resolved: Resolved, shape: Shape, format_name: str) -> tuple[Any, Generated]:
    """The compiled module of a rule."""
    generated = step_module(resolved, shape, format_name)
    return load_module(resolved.rule.name, generated.source), generated


@cache
def survey_kernels(clips: bool, format_name: str) -> tuple[Any, Generated]:
    """The compiled module of the survey."""
    generated = survey_module(clips, format_name)
    return load_module("survey", generated.source), generated


@cache
def scalar_function(source: str) -> Callable[..., tuple[tuple[float, ...], tuple[float, ...]]]:
    """The scalar part as a Python function in float64."""
    table: dict[str, Any] = {n: VOCABULARY[n] for n in ("sqrt", "abs", "where", "exp", "log")}
    exec(compile(source, "<adamas scalars>", "exec"), table)
    return table["scalars"]  # type: ignore[no-any-return]


class Segment:
    """The rows of one storage format, with their kernel and tables."""

    def __init__(self, engine: Engine, rows: list[Row], groups: list[int]):
        self.rows, self.groups = rows, groups
        self.format = rows[0].format
        self.module, self.generated = kernels(engine.resolved, engine.shape, self.format.name)
        self.engine = engine
        self.slots = [s.name for s in engine.resolved.slots]
        words = 1 + 2 + len(self.slots) + 2
        traffic = 3 * self.format.itemsize + 2 * len(self.slots) * self.format.compute_dtype.itemsize
        sizes = [r.p.size for r in rows]
        self.list = WorkList(sizes, len(engine.groups), self.generated.hoisted, words, traffic)
        self.pack = struct.Struct(f"{self.generated.hoisted}d")
        self.list.rows[: len(rows), 0] = groups
        for k, row in enumerate(rows):
            self.list.rows[k, 1] = row.work_p.ctypes.data
            self.list.rows[k, 2] = row.work_g.ctypes.data
        self.list.row_reals[:, -2:] = 1.0
        self.attached = False
        self.last: float | None = 1.0
        self.survey_list: WorkList | None = None

    def attach(self) -> None:
        """Point the table at the state."""
        for k, (row, group) in enumerate(zip(self.rows, self.groups, strict=True)):
            state = self.engine.ensure_state(row, group)
            for j, name in enumerate(self.slots):
                self.list.rows[k, 3 + j] = state[name].ctypes.data
        self.attached = True

    def sums(self, inputs: Inputs, per_row: bool) -> list[Sum]:
        """Sums of squares, for each row or for all rows together."""
        module, generated = survey_kernels(self.engine.shape.clips, self.format.name)
        if self.survey_list is None:
            sizes = [r.p.size for r in self.rows]
            words = len(generated.scalars) and generated.hoisted
            self.survey_list = WorkList(sizes, len(inputs), words, 4, 2 * self.format.itemsize)
            self.survey_list.rows[: len(self.rows), 0] = self.groups
        work = self.survey_list
        work.rows[: len(self.rows), 2] = self.list.rows[: len(self.rows), 2]
        scalars = scalar_function(generated.scalars)
        hoisted, _ = scalars(*self.engine.around.numbers)
        work.scalars[:, : len(hoisted)] = hoisted
        single = self.format.compute == "float32"
        infinity = 0x7F800000 if single else 0x7FF0000000000000
        shift = 0
        work.row_reals[:, 3] = 0.0
        work.run(module.run)
        exponent = survey.largest_exponent(work.results, self.format.compute_dtype)
        if not single and abs(exponent) > 300 and int(work.results[:, 0].max()) < infinity:
            shift = -exponent
            work.row_reals[:, 3] = shift
            work.run(module.run)
        if not per_row:
            return [survey.collect(work.results, shift, infinity)]
        return [
            survey.collect(work.results[: len(work.items)][work.items[:, 0] == k], shift, infinity)
            for k in range(len(self.rows))
        ]

    def agree(self) -> None:
        """First pass of the cautious mask: how many components agree, per row."""
        self.list.run(self.module.count)
        counts = self.list.results.reshape(-1)[: len(self.list.items)]
        kept = np.zeros(len(self.rows), np.int64)
        np.add.at(kept, self.list.items[:, 0], counts)
        for k, row in enumerate(self.rows):
            self.list.row_reals[k, -1] = row.p.size / max(1, int(kept[k]))


class CpuPlan:
    """The CPU kernel over all rows: one work list per storage format."""

    def __init__(self, engine: Engine, rows: list[Row], groups: list[int]):
        self.engine, self.rows = engine, rows
        names = [n for n in FORMATS if any(r.format.name == n for r in rows)]
        self.segments = []
        self.order: list[int] = []
        for name in names:
            chosen = [k for k, r in enumerate(rows) if r.format.name == name]
            self.order += chosen
            self.segments.append(Segment(engine, [rows[k] for k in chosen], [groups[k] for k in chosen]))
        self.staged = any(not r.dense or r.stage_g for r in rows)
        self.peek: Peek | None = None
        self.shape = engine.shape
        if rows and not self.staged and can_peek():
            targets = {
                k: s.list.rows[j, 2:].ctypes.data
                for s, ks in zip(self.segments, self._by_segment(), strict=True)
                for j, k in enumerate(ks)
            }
            self.peek = Peek(rows, [targets[k] for k in range(len(rows))])
        self.lasting = self.peek is not None
        if self.lasting:
            for row in rows:
                row.release()
        self.compute = [scalar_function(s.generated.scalars) for s in self.segments]

    def _by_segment(self) -> list[list[int]]:
        out, at = [], 0
        for s in self.segments:
            out.append(self.order[at : at + len(s.rows)])
            at += len(s.rows)
        return out

    def holds(self, parameters: Sequence[Any], gradients: Sequence[Any]) -> bool:
        return self.peek is not None and self.shape is self.engine.shape and self.peek.holds(parameters, gradients)

    def scalars(self, inputs: Inputs) -> list[dict[str, float]]:
        self.hoisted = []
        new: list[dict[str, float]] = [{} for _ in inputs]
        names = [s.name for s in self.engine.resolved.scalar_slots]
        for compute in self.compute[:1]:
            for k, values in enumerate(inputs):
                hoisted, slots = _guarded(compute, values, self.engine)
                self.hoisted.append(hoisted)
                if names:
                    new[k] = dict(zip(names, slots, strict=True))
        return new

    def survey(self, inputs: Inputs) -> list[Sum]:
        self._gather()
        per_row = self.engine.around.clip_tensor_norm is not None
        parts = [s.sums(inputs, per_row) for s in self.segments]
        flat_parts = [one for part in parts for one in part]
        if not per_row:
            return flat_parts
        ordered = [Sum()] * len(self.rows)
        for place, one in zip(self.order, flat_parts, strict=True):
            ordered[place] = one
        return ordered

    def _gather(self) -> None:
        if self.staged:
            for row in self.rows:
                row.gather()

    def run(self, coefficients: float | Sequence[float]) -> bool:
        if not self.engine.around.surveys:
            self._gather()
        bad = 0
        at = 0
        for segment in self.segments:
            if not segment.attached:
                segment.attach()
            work = segment.list
            for k, hoisted in enumerate(self.hoisted):
                segment.pack.pack_into(work.scalar_buffer, k * segment.pack.size, *hoisted)
            if isinstance(coefficients, float):
                if coefficients != segment.last:
                    work.row_reals[:, -2] = coefficients
                    segment.last = coefficients
            else:
                places = self.order[at : at + len(segment.rows)]
                work.row_reals[: len(segment.rows), -2] = [coefficients[k] for k in places]
                segment.last = None
            at += len(segment.rows)
            if self.shape.cautious:
                segment.agree()
            bad += work.run(segment.module.run)
        if self.staged:
            for row in self.rows:
                row.scatter()
        return bad > 0


class ReferencePlan:
    """The oracle: NumPy, row by row."""

    lasting = False

    def __init__(self, engine: Engine, rows: list[Row], groups: list[int]):
        self.engine, self.rows, self.groups = engine, rows, groups

    def holds(self, parameters: Sequence[Any], gradients: Sequence[Any]) -> bool:
        return False

    def _names(self) -> list[str]:
        hyper = list(declared(self.engine.resolved.rule))
        more = [n for n in STEP_SCALARS if n not in hyper]
        return ["t", *hyper, *more, *(s.name for s in self.engine.resolved.scalar_slots)]

    def scalars(self, inputs: Inputs) -> list[dict[str, float]]:
        self.values = [dict(zip(self._names(), values, strict=True)) for values in inputs]
        one = np.zeros(1)
        out = []
        for x in self.values:
            arrays = dict.fromkeys(("p", "g", *(s.name for s in self.engine.resolved.rule.slots if not s.scalar)), one)
            run = {**x, **arrays, "coefficient": 1.0, "keep_scale": 1.0}
            new = _guarded(lambda x=run: self._pass(x, np.dtype(np.float64)), (), self.engine)
            out.append({s.name: float(new[s.name]) for s in self.engine.resolved.scalar_slots})
        return out

    def _pass(self, x: dict[str, Any], dtype: np.dtype[Any]) -> dict[str, Any]:
        return reference.run_pass(self.engine.resolved, self.engine.shape, x, dtype)

    def survey(self, inputs: Inputs) -> list[Sum]:
        scale, clip_value = self.engine.around.numbers
        out = []
        for row in self.rows:
            dtype = row.format.compute_dtype
            bound = reference.bind(prepared, dtype)
            with np.errstate(all="ignore"):
                g = bound(row.g.astype(dtype), scale, clip_value, self.engine.shape.clips)
            out.append(Sum.of(reference.sum_of_squares(g)))
        return out

    def run(self, coefficients: float | Sequence[float]) -> bool:
        met = False
        for k, (row, group) in enumerate(zip(self.rows, self.groups, strict=True)):
            row.gather()
            dtype = row.format.compute_dtype
            state = self.engine.ensure_state(row, group)
            p, g = flat(row.work_p), flat(row.work_g)
            met = met or not bool(np.isfinite(g.astype(dtype)).all())
            factor = coefficients if isinstance(coefficients, float) else coefficients[k]
            arrays = {n: flat(a) for n, a in state.items()}
            dropped = {s.name: None for s in self.engine.resolved.rule.slots if not s.scalar and s.name not in arrays}
            x: dict[str, Any] = {**self.values[group], **dropped, **arrays}
            x |= {"p": p.astype(dtype), "g": g.astype(dtype)}
            x |= {"coefficient": factor, "keep_scale": 1.0}
            new = self._pass(x, dtype)
            if self.engine.shape.cautious:
                x["keep_scale"] = p.size / max(1, int(np.sum(new["agreement"])))
                new = self._pass(x, dtype)
            with np.errstate(all="ignore"):
                p[...] = np.asarray(new["p"]).astype(p.dtype)
            for name, array in arrays.items():
                array[...] = new[name]
            row.scatter()
        return met


def _guarded(compute: Callable[..., Any], values: tuple[float, ...], engine: Engine) -> Any:
    """Run a scalar part; arithmetic that fails becomes an error that names the rule."""
    try:
        return compute(*values)
    except (ZeroDivisionError, OverflowError, ValueError) as error:
        raise ValueError(
            f"{engine.resolved.rule.name}: its per-step scalars cannot be computed at step {engine.t + 1} ({error}). "
            "A hyper-parameter or schedule has a value that the formula does not admit."
        ) from error


BACKENDS: dict[str, Callable[[Engine, list[Row], list[int]], Any]] = {
    "auto": CpuPlan,
    "cpu": CpuPlan,
    "reference": ReferencePlan,
}
