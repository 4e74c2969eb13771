"""The CPU kernels over all rows: one work list per form and storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engine import ARITHMETIC, Engine, Form, scalar_error
from ..plan import Row
from ..storage import FORMATS
from ..survey import NOTHING, Met, Sum
from .batch import MIN_GROUPS, Batch
from .segment import Segment, scalar_function

ORDER = {name: place for place, name in enumerate(FORMATS)}


class CpuPlan:
    """The CPU kernels over all rows.

    Args:
        engine: whose groups and state these are.
        rows: checked.
        groups: of each row, as indices.
    """

    def __init__(self, engine: Engine, rows: list[Row], groups: list[int]):
        self.engine, self.rows = engine, rows
        self.scales = engine.around.scales
        kinds: dict[Any, list[int]] = {}
        for k, (row, index) in enumerate(zip(rows, groups, strict=True)):
            group = engine.groups[index]
            formats = (row.format, row.g_format, *engine.keeper.formats(row, group))
            kinds.setdefault((formats, group.form), []).append(k)
        self.segments = [
            Segment(engine, rows, groups, places, form, formats)
            for (formats, form), places in sorted(kinds.items(), key=lambda item: ORDER[item[0][0][0].name])
        ]
        self.narrow = any("float16" in s.names[2:] for s in self.segments)
        self.staged = any(not r.dense or r.stage_g for r in rows)
        self.homes: list[list[tuple[Segment, int]]] = [[] for _ in engine.groups]
        for segment in self.segments:
            for place, index in enumerate(segment.used):
                self.homes[index].append((segment, place))
        self.batches: list[Batch] | None = None

    def serves(self) -> bool:
        """Whether its kernels, which leave out factors of 1, were made for the present `Around`."""
        return self.scales == self.engine.around.scales

    def gradient_words(self) -> list[int]:
        """Addresses of the words that hold the rows' gradients' addresses."""
        targets = {k: s.list.rows[j, 2:].ctypes.data for s in self.segments for j, k in enumerate(s.places)}
        return [targets[k] for k in range(len(self.rows))]

    def scalars(self) -> list[dict[str, float]]:
        if len(self.homes) >= MIN_GROUPS:
            found = self._batched()
            if found is not None:
                return found
        out = []
        for group, homes in zip(self.engine.groups, self.homes, strict=True):
            if not homes:
                out.append(group.scalar_state)
                continue
            try:
                part = scalar_function(homes[0][0].generated.scalars)
                hoisted, slots = part(*self.engine.inputs(group))
                for segment, place in homes:
                    segment.set_scalars(place, hoisted)
                out.append(dict(zip(group.scalar_state, map(float, slots), strict=True)))
            except ARITHMETIC as error:
                raise scalar_error(group, error) from error
        return out

    def _batched(self) -> list[dict[str, float]] | None:
        """All groups by compiled code; None if a value is not finite."""
        if self.batches is None:
            forms: dict[Form, list[int]] = {}
            for k, (group, homes) in enumerate(zip(self.engine.groups, self.homes, strict=True)):
                if homes:
                    forms.setdefault(group.form, []).append(k)
            self.batches = [
                Batch(self.engine, indices, [self.homes[k] for k in indices], self.homes[indices[0]][0][0].generated)
                for indices in forms.values()
            ]
        out = [group.scalar_state for group in self.engine.groups]
        for batch in self.batches:
            found = batch.scalars()
            if found is None:
                return None
            for k, new in zip(batch.indices, found, strict=True):
                out[k] = new
        return out

    def survey(self, clips: bool) -> list[Sum]:
        self._gather()
        spread = self.engine.spread
        per_row = self.engine.around.clip_tensor_norm is not None or (spread is not None and spread.by_row)
        parts = [(s, s.sums(per_row, clips)) for s in self.segments]
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

    def _ready(self) -> None:
        if not self.engine.around.surveys:
            self._gather()
        for segment in self.segments:
            if not segment.attached:
                segment.attach()

    def agreements(self, coefficients: float | Sequence[float]) -> list[int | None]:
        self._ready()
        out: list[int | None] = [None] * len(self.rows)
        for segment in self.segments:
            if segment.form.shape.cautious:
                segment.scale(coefficients)
                for place, kept in zip(segment.places, segment.agreements(), strict=True):
                    out[place] = kept
        return out

    def overflows(self, coefficients: float | Sequence[float]) -> bool:
        self._ready()
        for segment in self.segments:
            segment.scale(coefficients)
        return any(segment.overflows() for segment in self.segments)

    def run(self, coefficients: float | Sequence[float], enlargements: Sequence[float] | None = None) -> Met:
        self._ready()
        met = NOTHING
        for segment in self.segments:
            segment.scale(coefficients)
            if segment.form.shape.cautious:
                segment.enlarge(None if enlargements is None else [enlargements[k] for k in segment.places])
            found = segment.list.run(segment.kernels["run"], self.engine.workers)
            met = found if met is NOTHING else met | found
        if self.staged:
            for row in self.rows:
                row.scatter()
        return met
