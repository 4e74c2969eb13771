"""The oracle's plan: NumPy, row by row, from the same checked rows as every back end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .engine import ARITHMETIC, Engine, scalar_error
from .plan import Row, flat
from .reference import bind, primitives, run_pass, sum_of_squares
from .step import enlargement, prepared, scalar_inputs
from .survey import NOTHING, Met, Sum


class ReferencePlan:
    """The oracle: NumPy, row by row."""

    lasting = False

    def __init__(self, engine: Engine, rows: list[Row], groups: list[int]):
        self.engine, self.rows, self.groups = engine, rows, groups
        held = zip(rows, groups, strict=True)
        self.narrow = any(f.name == "float16" for row, k in held for f in engine.keeper.formats(row, engine.groups[k]))

    def holds(self, parameters: Sequence[Any], gradients: Sequence[Any]) -> bool:
        return False

    def scalars(self) -> list[dict[str, float]]:
        self.values: list[dict[str, Any]] = []
        one = np.zeros(1)
        out = []
        for group in self.engine.groups:
            resolved = group.form.resolved
            x: dict[str, Any] = dict(zip(scalar_inputs(resolved), self.engine.inputs(group), strict=True))
            self.values.append(x)
            arrays = dict.fromkeys(("p", "g", *(s.name for s in resolved.rule.slots if not s.scalar)), one)
            run = {**x, **arrays, "coefficient": 1.0, "keep_scale": 1.0}
            try:
                new = run_pass(resolved, group.form.shape, run, np.dtype(np.float64))
                out.append({s.name: float(new[s.name]) for s in resolved.scalar_slots})
            except ARITHMETIC as error:
                raise scalar_error(group, error) from error
        return out

    def survey(self, clips: bool) -> list[Sum]:
        scale, clip_value = self.engine.around.numbers
        out = []
        for row in self.rows:
            dtype = row.format.compute_dtype
            bound = bind(prepared, primitives(dtype))
            with np.errstate(all="ignore"):
                g = bound(row.g.astype(dtype), scale, clip_value, clips, True)
            out.append(sum_of_squares(g))
        return out

    def agreements(self, coefficients: float | Sequence[float]) -> list[int | None]:
        for row in self.rows:
            row.gather()
        return [self._agreement(k, self._inputs(k, coefficients)) for k in range(len(self.rows))]

    def _agreement(self, k: int, x: dict[str, Any]) -> int | None:
        form, dtype = self.engine.groups[self.groups[k]].form, self.rows[k].format.compute_dtype
        return int(np.sum(run_pass(form.resolved, form.shape, x, dtype)["agreement"])) if form.shape.cautious else None

    def _inputs(self, k: int, coefficients: float | Sequence[float]) -> dict[str, Any]:
        """What the pass takes of a row, before any enlargement."""
        row, index = self.rows[k], self.groups[k]
        dtype, group = row.format.compute_dtype, self.engine.groups[index]
        arrays = {n: flat(a) for n, a in self.engine.keeper.slots(row, group).items()}
        dropped = {s.name: None for s in group.form.resolved.rule.slots if not s.scalar and s.name not in arrays}
        x: dict[str, Any] = {**self.values[index], **dropped, **arrays}
        x |= {"p": flat(row.work_p).astype(dtype), "g": flat(row.work_g).astype(dtype)}
        factor = coefficients if isinstance(coefficients, float) else coefficients[k]
        return x | {"coefficient": factor, "keep_scale": 1.0}

    def overflows(self, coefficients: float | Sequence[float]) -> bool:
        return self._pass(coefficients, None, stores=False).overflow

    def run(self, coefficients: float | Sequence[float], enlargements: Sequence[float] | None = None) -> Met:
        return self._pass(coefficients, enlargements, stores=True)

    def _pass(self, coefficients: float | Sequence[float], enlargements: Sequence[float] | None, stores: bool) -> Met:
        met = NOTHING
        for row in self.rows:
            row.gather()  # all before the first changes: a gradient may lie in another parameter
        for k, (row, index) in enumerate(zip(self.rows, self.groups, strict=True)):
            form, p = self.engine.groups[index].form, flat(row.work_p)
            x = self._inputs(k, coefficients)
            if enlargements is not None:
                x["keep_scale"] = enlargements[k]
            elif form.shape.cautious:
                x["keep_scale"] = enlargement(p.size, self._agreement(k, x) or 0)
            new = run_pass(form.resolved, form.shape, x, row.format.compute_dtype)
            with np.errstate(over="ignore"):
                stored = [np.asarray(new[s.name]).astype(x[s.name].dtype) for s in form.resolved.slots]
            kept = [bool(np.isfinite(values).all()) for values in stored]
            met |= Met(not np.isfinite(x["g"]).all(), not all(kept))
            if not stores:
                continue
            with np.errstate(all="ignore"):
                p[...] = np.asarray(new["p"]).astype(p.dtype)
            names = [slot.name for slot in form.resolved.slots]
            for name, values in [(n, np.array(new[n])) for n in names]:  # copies: a slot may take another's old values
                x[name][...] = values
            row.scatter()
        return met
