"""The rows of one form and storage, with their kernels and tables."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ...rules import PRIMITIVES, SCALAR_ONLY, VOCABULARY, Resolved
from .. import survey
from ..engine import Engine, Form
from ..plan import Row
from ..step import ROW_SCALARS, Shape, enlargement
from ..storage import Format
from ..survey import Sum
from .cache import load_module
from .codegen import Generated, probe_module, step_module, survey_module
from .pool import Kernel
from .worklist import WorkList

COEFFICIENT, KEEP_SCALE = (k - len(ROW_SCALARS) for k in range(len(ROW_SCALARS)))  # from the end of a row
SURVEY_ROW = 4  # group, unused, address of g, magnitude from which sums are wanted


@cache
def kernels(resolved: Resolved, shape: Shape, formats: tuple[str, ...]) -> tuple[dict[str, Kernel], Generated]:
    """The compiled kernels of a rule: `run`, and `count` for the cautious mask."""
    generated = step_module(resolved, shape, formats)
    module = load_module(resolved.rule.name, generated.source)
    return {n: Kernel(module, n) for n in (("run", "count") if shape.cautious else ("run",))}, generated


@cache
def probe_kernel(resolved: Resolved, shape: Shape, formats: tuple[str, ...]) -> Kernel:
    """The compiled pass that stores nothing; see `codegen.probe_module`."""
    return Kernel(load_module(f"{resolved.rule.name}_probe", probe_module(resolved, shape, formats)))


@cache
def survey_kernel(clips: bool, scales: bool, format_name: str) -> tuple[Kernel, Generated]:
    """The compiled survey."""
    generated = survey_module(clips, scales, format_name)
    return Kernel(load_module("survey", generated.source)), generated


@cache
def scalar_function(source: str) -> Callable[..., tuple[tuple[float, ...], tuple[float, ...]]]:
    """The scalar part as a Python function in float64."""
    table: dict[str, Any] = {n: VOCABULARY[n] for n in (*PRIMITIVES, *SCALAR_ONLY)}
    exec(compile(source, "<adamas scalars>", "exec"), table)
    return table["scalars"]  # type: ignore[no-any-return]


class Segment:
    """The rows of one form and storage, with their kernel and tables.

    Args:
        engine: whose state these have.
        rows, groups: all rows of the plan and their groups.
        places: which of them are here.
        form: of their groups.
        formats: storage of p, g and each slot.
    """

    def __init__(
        self, engine: Engine, rows: list[Row], groups: list[int], places: list[int], form: Form,
        formats: tuple[Format, ...],
    ):  # fmt: skip
        self.engine, self.form, self.places = engine, form, places
        self.rows, self.groups = [rows[k] for k in places], [groups[k] for k in places]
        self.format, self.g_format = formats[:2]
        self.shape = engine.around.narrowed(form)
        self.names = tuple(f.name for f in formats)
        self.kernels, self.generated = kernels(form.resolved, self.shape, self.names)
        self.slots = [s.name for s in form.resolved.slots]
        words = 3 + len(self.slots) + len(ROW_SCALARS)
        traffic = formats[0].itemsize + sum(f.itemsize for f in formats) + sum(f.itemsize for f in formats[2:])
        sizes = [r.p.size for r in self.rows]
        self.used = sorted(set(self.groups))
        place_of = {group: place for place, group in enumerate(self.used)}
        self.list = WorkList(sizes, len(self.used), self.generated.hoisted, words, traffic)
        self.pack = struct.Struct(f"{self.generated.hoisted}d")
        self.local = [place_of[group] for group in self.groups]
        self.list.rows[: len(self.rows), 0] = self.local
        for k, row in enumerate(self.rows):
            self.list.rows[k, 1] = row.work_p.ctypes.data
            self.list.rows[k, 2] = row.work_g.ctypes.data
        self.list.row_reals[:, -len(ROW_SCALARS) :] = 1.0
        self.attached = False
        self.last: float | None = 1.0
        self.survey_lists: dict[bool, WorkList] = {}

    def attach(self) -> None:
        """Point the table at the state."""
        for k, (row, group) in enumerate(zip(self.rows, self.groups, strict=True)):
            state = self.engine.keeper.slots(row, self.engine.groups[group])
            for j, name in enumerate(self.slots):
                self.list.rows[k, 3 + j] = state[name].ctypes.data
        self.attached = True

    def scale(self, coefficients: float | Sequence[float]) -> None:
        """Set what gradients are multiplied with: one number for all, or one for each row of the plan."""
        if isinstance(coefficients, float):
            if coefficients != self.last:
                self.list.row_reals[:, COEFFICIENT] = coefficients
                self.last = coefficients
        else:
            self.list.row_reals[: len(self.rows), COEFFICIENT] = [coefficients[k] for k in self.places]
            self.last = None

    def set_scalars(self, group: int, hoisted: tuple[float, ...]) -> None:
        """Note the numbers of one group (an index into `used`)."""
        self.pack.pack_into(self.list.scalar_buffer, group * self.pack.size, *hoisted)

    def sums(self, per_row: bool, clips: bool) -> list[Sum]:
        """Sums of squares, after clipping by value or before it, for each row or for all rows together.

        Where no norm is asked for, stretches without large elements count as 0: that takes one fast pass.
        """
        kernel, generated = survey_kernel(clips, self.engine.around.scales, self.g_format.name)
        if clips not in self.survey_lists:
            sizes = [r.p.size for r in self.rows]
            work = WorkList(
                sizes, len(self.used), generated.hoisted, SURVEY_ROW, 2 * self.g_format.itemsize,
                survey.sum_words(self.g_format),
            )  # fmt: skip
            work.rows[: len(self.rows), 0] = self.local
            work.rows[:, 3] = 0 if self.engine.around.norms else survey.small(self.g_format)
            self.survey_lists[clips] = work
        work = self.survey_lists[clips]
        work.rows[: len(self.rows), 2] = self.list.rows[: len(self.rows), 2]
        scalars = scalar_function(generated.scalars)
        hoisted, _ = scalars(*self.engine.around.numbers)
        work.scalars[:, : len(hoisted)] = hoisted
        work.run(kernel, self.engine.workers)
        if not per_row:
            return [survey.collect(work.results, self.g_format)]
        bounds = np.searchsorted(work.items[:, 0], np.arange(len(self.rows) + 1)).tolist()
        return [survey.collect(work.results[a:b], self.g_format) for a, b in itertools.pairwise(bounds)]

    def overflows(self) -> bool:
        """Whether a step would make state that is not finite from gradients that are; nothing is changed."""
        kernel = probe_kernel(self.form.resolved, self.shape, self.names)
        return bool(self.slots) and self.list.run(kernel, self.engine.workers).overflow

    def agreements(self) -> list[int]:
        """First pass of the cautious mask: how many components agree, per row."""
        self.list.run(self.kernels["count"], self.engine.workers)
        counts = self.list.results.reshape(-1)[: len(self.list.items)]
        kept = np.zeros(len(self.rows), np.int64)
        np.add.at(kept, self.list.items[:, 0], counts)
        return kept.tolist()

    def enlarge(self, factors: Sequence[float] | None) -> None:
        """Set what the cautious mask multiplies each row's step with; found here if not given."""
        if factors is None:
            factors = [enlargement(row.p.size, kept) for row, kept in zip(self.rows, self.agreements(), strict=True)]
        self.list.row_reals[: len(self.rows), KEEP_SCALE] = factors
