"""The CPU kernels over all rows: one work list per form and storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engine import ARITHMETIC, Engine, scalar_error
from ..plan import Row
from ..storage import FORMATS
from ..survey import Sum
from .segment import Inputs, Segment, scalar_function

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
        kinds: dict[Any, list[int]] = {}
        for k, (row, index) in enumerate(zip(rows, groups, strict=True)):
            group = engine.groups[index]
            formats = (row.format, row.g_format, *engine.keeper.formats(row, group))
            kinds.setdefault((formats, group.form), []).append(k)
        self.segments = [
            Segment(engine, rows, groups, places, form, formats)
            for (formats, form), places in sorted(kinds.items(), key=lambda item: ORDER[item[0][0][0].name])
        ]
        self.staged = any(not r.dense or r.stage_g for r in rows)
        self.homes: list[list[tuple[Segment, int]]] = [[] for _ in engine.groups]
        for segment in self.segments:
            for place, index in enumerate(segment.used):
                self.homes[index].append((segment, place))

    def gradient_words(self) -> list[int]:
        """Addresses of the words that hold the rows' gradients' addresses."""
        targets = {k: s.list.rows[j, 2:].ctypes.data for s in self.segments for j, k in enumerate(s.places)}
        return [targets[k] for k in range(len(self.rows))]

    def scalars(self, inputs: Inputs) -> list[dict[str, float]]:
        known: dict[Any, tuple[tuple[float, ...], tuple[float, ...]]] = {}
        out = []
        for group, homes, values in zip(self.engine.groups, self.homes, inputs, strict=True):
            if not homes:
                out.append(group.scalar_state)
                continue
            try:
                part = scalar_function(homes[0][0].generated.scalars)
                found = known.get((part, values))  # groups of equal settings are many
                if found is None:
                    found = known[part, values] = part(*values)
                for segment, place in homes:
                    segment.set_scalars(place, found[0])
                out.append(dict(zip(group.scalar_state, map(float, found[1]), strict=True)))
            except ARITHMETIC as error:
                raise scalar_error(group, error) from error
        return out

    def survey(self, inputs: Inputs, clips: bool) -> list[Sum]:
        self._gather()
        per_row = self.engine.around.clip_tensor_norm is not None
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

    def run(self, coefficients: float | Sequence[float]) -> bool:
        if not self.engine.around.surveys:
            self._gather()
        for segment in self.segments:
            if not segment.attached:
                segment.attach()
        bad = 0
        for segment in self.segments:
            segment.scale(coefficients)
            if segment.form.shape.cautious:
                segment.agree()
            bad += segment.list.run(segment.kernels["run"], self.engine.threads())
        if self.staged:
            for row in self.rows:
                row.scatter()
        return bad > 0
