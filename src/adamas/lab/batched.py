"""Many small independent runs as rows of one native call: grids over hyper-parameters of thousands of settings.

Every row is a parameter of its own with its own hyper-parameters (a group of the engine), and all rows are stepped
by one call of the kernel. The bits are those of separate runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import adamas

from .._arguments import Arguments
from ..engine.arrays import ArrayEngine, Watched
from ..engine.backends import BACKENDS
from ..engine.engine import Form
from ..engine.hyper import Settings
from .errors import InputError
from .statistics import CONSECUTIVE
from .surfaces import Surface, get_surface

Floats = NDArray[np.float64]


class Rows:
    """Independent parameter vectors, one a row, stepped together.

    Args:
        member: Name of a member, or FILE.py:RULE.
        params: Shape (runs, dimension), float32 or float64, C order; stepped in place.
        hyper: One value per run, or one for all, by hyper-parameter; others stay at their defaults.

    Attributes:
        params: As given.
        grads: Same shape; write the gradients here before every step.

    Raises:
        InputError: Unknown member or hyper-parameter, a value outside its range, or shapes that do not fit.
    """

    def __init__(
        self, member: str, params: NDArray[Any], hyper: Mapping[str, float | Sequence[float] | Floats]
    ) -> None:
        if params.ndim != 2 or not params.size or not params.flags.c_contiguous:
            raise InputError(
                f"params of shape {params.shape}: give a C-ordered array of shape (runs, dimension), not empty"
            )
        self.params, self.grads = params, np.zeros_like(params)
        runs = len(params)
        try:
            rule = adamas.get(member).rule
            columns = {name: np.broadcast_to(np.asarray(value, np.float64), (runs,)) for name, value in hyper.items()}
            every = [
                Arguments(rule, member, (), {name: float(column[i]) for name, column in columns.items()})
                for i in range(runs)
            ]
            for each in every[1:]:
                every[0].check_derived(each.hyper)
        except (TypeError, ValueError) as error:
            raise InputError(f"{member}: {error}") from error
        first = every[0]
        form = Form(rule.resolve(first.options), first.shape)
        self._engine = ArrayEngine(form, first.around, Settings(rule, first.hyper), BACKENDS[first.backend])
        for each in every[1:]:
            self._engine.add_group(Settings(rule, each.hyper))
        self._plan: Watched | None = None
        self._names = [f"{i}" for i in range(runs)]
        self._rows, self._slopes = list(self.params), list(self.grads)

    def step(self) -> None:
        """One step of every row."""
        if self._plan is not None and self._plan.holds(self._rows, self._slopes):
            self._engine.advance(self._plan)
            return
        self._plan = self._engine.step(self._rows, self._slopes, self._names, int)


@dataclass(frozen=True)
class Grid:
    """Steps to a target over two hyper-parameters.

    Attributes:
        surface: Name of the surface.
        member: Name of the optimizer.
        target: Value of f to be reached.
        budget: Steps allowed.
        down: Hyper-parameter and values of the rows.
        across: Hyper-parameter and values of the columns.
        steps: Shape (rows, columns); infinite where the budget ended first.
    """

    surface: str
    member: str
    target: float
    budget: int
    down: tuple[str, Floats]
    across: tuple[str, Floats]
    steps: Floats


def steps_grid(
    surface: str,
    member: str = "adam",
    *,
    down: tuple[str, Sequence[float] | Floats],
    across: tuple[str, Sequence[float] | Floats],
    target: float | None = None,
    steps: int | None = None,
    start: tuple[float, float] | None = None,
) -> Grid:
    """Run a member on a surface for every pair of two hyper-parameters, all at once.

    Args:
        surface: Name of a surface.
        member: Name of a member, or FILE.py:RULE.
        down: Name and values of the first hyper-parameter, e.g. ("beta1", [0.0, 0.9]).
        across: Name and values of the second, e.g. ("lr", numpy.geomspace(1e-4, 1, 64)).
        target: Value of f to be reached in three evaluations in a row, as in a race; None: the surface's hardest.
        steps: Budget, 1 or more; None: the surface's own.
        start: Where all runs start; None: the surface's start.

    Raises:
        InputError: Unknown names, or numbers that cannot be used.
    """
    chosen: Surface = get_surface(surface)
    budget = chosen.steps if steps is None else steps
    if budget < 1:
        raise InputError(f"steps = {steps}: give 1 or more")
    wanted = chosen.targets[-1] if target is None else target
    (name, rows), (other, columns) = ((n, np.asarray(v, np.float64).ravel()) for n, v in (down, across))
    if name == other or not rows.size or not columns.size:
        raise InputError(
            f"down {name} and across {other}: give two different hyper-parameters, at least one value each"
        )
    params = np.tile(np.asarray(chosen.start if start is None else start, np.float64), (rows.size * columns.size, 1))
    hyper = {name: np.repeat(rows, columns.size), other: np.tile(columns, rows.size)}
    found = _first_reached(chosen, Rows(member, params, hyper), wanted, budget)
    return Grid(
        chosen.name, member, wanted, budget, (name, rows), (other, columns), found.reshape(rows.size, columns.size)
    )


def _first_reached(surface: Surface, runs: Rows, target: float, budget: int) -> Floats:
    """First of the first three steps in a row, the start being step 0, at which f is at or below the target."""
    found = np.full(len(runs.params), np.inf)
    row = np.zeros(len(runs.params), np.int64)
    with np.errstate(all="ignore"):  # a diverging run is a result, not a warning
        for step in range(budget + 1):
            row = np.where(surface.value(runs.params.T) <= target, row + 1, 0)
            found[(row == CONSECUTIVE) & np.isinf(found)] = step - CONSECUTIVE + 1
            if step == budget or np.isfinite(found).all():
                break
            runs.grads[...] = surface.gradient(runs.params.T).T
            runs.step()
    return found
