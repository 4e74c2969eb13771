"""The CPU kernel over all rows: one work list per storage format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engine import ARITHMETIC, Engine, scalar_error
from ..plan import Row
from ..storage import FORMATS
from ..survey import Sum
from .peek import Peek
from .peek import available as can_peek
from .segment import Inputs, Segment, scalar_function


class CpuPlan:
    """The CPU kernel over all rows: one work list per storage format."""

    def __init__(self, engine: Engine, rows: list[Row], groups: list[int]):
        self.engine, self.rows = engine, rows
        names = [n for n in FORMATS if any(r.format.name == n for r in rows)]
        self.segments = [
            Segment(engine, rows, groups, [k for k, r in enumerate(rows) if r.format.name == name]) for name in names
        ]
        self.staged = any(not r.dense or r.stage_g for r in rows)
        self.peek: Peek | None = None
        if rows and not self.staged and can_peek():
            targets = {k: s.list.rows[j, 2:].ctypes.data for s in self.segments for j, k in enumerate(s.places)}
            self.peek = Peek(rows, [targets[k] for k in range(len(rows))])
        self.lasting = self.peek is not None
        if self.lasting:
            for row in rows:
                row.release()
        self.scalar_names = [s.name for s in engine.resolved.scalar_slots]
        if rows:
            self.scalar_part = scalar_function(self.segments[0].generated.scalars)

    def holds(self, parameters: Sequence[Any], gradients: Sequence[Any]) -> bool:
        return self.peek is not None and self.peek.holds(parameters, gradients)

    def scalars(self, inputs: Inputs) -> list[dict[str, float]]:
        try:
            slots = [self._compute(k, values) for k, values in enumerate(inputs)] if self.segments else []
            if not self.scalar_names:
                return []
            return [dict(zip(self.scalar_names, map(float, one), strict=True)) for one in slots]
        except ARITHMETIC as error:
            raise scalar_error(self.engine, error) from error

    def _compute(self, k: int, values: tuple[float, ...]) -> tuple[float, ...]:
        """A group's scalars, into the tables of the kernels; returns the new scalar slots."""
        hoisted, slots = self.scalar_part(*values)
        for segment in self.segments:
            segment.pack.pack_into(segment.list.scalar_buffer, k * segment.pack.size, *hoisted)
        return slots

    def survey(self, inputs: Inputs, clips: bool) -> list[Sum]:
        self._gather()
        per_row = self.engine.around.clip_tensor_norm is not None
        parts = [(s, s.sums(inputs, per_row, clips)) for s in self.segments]
        if not per_row:
            return [one for _, part in parts for one in part]
        ordered = [Sum()] * len(self.rows)
        for segment, part in parts:
            for place, one in zip(segment.places, part, strict=True):
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
        for segment in self.segments:
            if not segment.attached:
                segment.attach()
            segment.scale(coefficients)
            if self.engine.shape.cautious:
                segment.agree()
            bad += segment.list.run(segment.kernels["run"])
        if self.staged:
            for row in self.rows:
                row.scatter()
        return bad > 0
