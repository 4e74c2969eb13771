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

    def overflows(self, coefficients: float | Sequence[float]) -> bool:
        return self._pass(coefficients, stores=False).overflow

    def run(self, coefficients: float | Sequence[float]) -> Met:
        return self._pass(coefficients, stores=True)

    def _pass(self, coefficients: float | Sequence[float], stores: bool) -> Met:
        met = NOTHING
        for row in self.rows:
            row.gather()  # all before the first changes: a gradient may lie in another parameter
        for k, (row, index) in enumerate(zip(self.rows, self.groups, strict=True)):
            dtype, group = row.format.compute_dtype, self.engine.groups[index]
            form = group.form
            state = self.engine.keeper.slots(row, group)
            p, g = flat(row.work_p), flat(row.work_g)
            good = np.isfinite(g.astype(dtype))
            factor = coefficients if isinstance(coefficients, float) else coefficients[k]
            arrays = {n: flat(a) for n, a in state.items()}
            dropped = {s.name: None for s in form.resolved.rule.slots if not s.scalar and s.name not in arrays}
            x: dict[str, Any] = {**self.values[index], **dropped, **arrays}
            x |= {"p": p.astype(dtype), "g": g.astype(dtype)}
            x |= {"coefficient": factor, "keep_scale": 1.0}
            new = run_pass(form.resolved, form.shape, x, dtype)
            if form.shape.cautious:
                x["keep_scale"] = enlargement(p.size, int(np.sum(new["agreement"])))
                new = run_pass(form.resolved, form.shape, x, dtype)
            lost = [bool((good & ~np.isfinite(np.asarray(new[n]))).any()) for n in arrays]
            met |= Met(not good.all(), any(lost))
            if not stores:
                continue
            with np.errstate(all="ignore"):
                p[...] = np.asarray(new["p"]).astype(p.dtype)
            for name, values in [(n, np.array(new[n])) for n in arrays]:  # copies: a slot may take another's old values
                arrays[name][...] = values
            row.scatter()
        return met
