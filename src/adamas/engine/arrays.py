"""The engine over NumPy arrays that are given anew at every step and known by their names."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from .engine import Around, Array, Engine, Form, Group, Plan
from .errors import PerformanceWarning
from .hyper import Settings
from .plan import Row, check
from .storage import FORMATS, Format, is_placed, state_like


class Watched(Plan, Protocol):
    """A plan that can tell whether it serves further steps; `lasting` ones may."""

    lasting: bool

    def holds(self, parameters: Sequence[Any], gradients: Sequence[Any]) -> bool:
        """Whether it serves these objects, as they are now."""
        ...


Planner = Callable[[Engine, list[Row], list[int]], Watched]


class ArrayState:
    """State of arrays, by the parameters' names."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Array]] = {}

    def formats(self, row: Row, group: Group) -> tuple[Format, ...]:
        return (FORMATS[row.format.compute],) * len(group.form.resolved.slots)

    def slots(self, row: Row, group: Group) -> dict[str, Array]:
        held = self.held.get(row.name)
        dtype = row.format.compute_dtype
        slots = {}
        for place, slot in enumerate(group.form.resolved.slots):
            old = held[slot.name] if held else None
            if old is not None and (  # beside a strided parameter the step works in C order
                is_placed(old, row.work_p, dtype, place) if row.dense else old.dtype == dtype and old.flags.c_contiguous
            ):
                slots[slot.name] = old
                continue
            new = state_like(row.work_p, dtype, place)
            if old is None:
                new.fill(group.start(slot.start))
            else:
                np.copyto(new, old, casting="same_kind")
            slots[slot.name] = new
        self.held[row.name] = slots
        return slots


class ArrayEngine(Engine):
    """State and step of one optimizer over arrays.

    Args:
        form: of all groups.
        around: numbers of the step around the rule.
        settings: of the first group.
        planner: makes a back end's plan.
    """

    keeper: ArrayState

    def __init__(self, form: Form, around: Around, settings: Settings, planner: Planner):
        super().__init__(around, ArrayState())
        self.form, self.planner = form, planner
        self.settings = [settings]
        self.groups = [Group(form, settings)]

    @property
    def t(self) -> int:
        """Steps done."""
        return self.groups[0].t

    @property
    def state(self) -> dict[str, dict[str, Array]]:
        """Slots by parameter."""
        return self.keeper.held

    def restore(self, t: int, state: dict[str, dict[str, Array]]) -> None:
        """Take over a step count and state."""
        self.keeper.held = state
        for group in self.groups:
            group.t = t

    def reset(self) -> None:
        """Forget state and step count; settings stay."""
        with self.lock:
            self.last_norm = None
            self.counters = dict.fromkeys(self.counters, 0)
            self.restore(0, {})
            for group in self.groups:
                group.scalar_state = group.scalar_start()

    def add_group(self, settings: Settings) -> int:
        """A further group, at the start of its scalar state; returns its index."""
        self.settings.append(settings)
        self.groups.append(Group(self.form, settings, self.t))
        return len(self.groups) - 1

    def step(
        self, parameters: Sequence[Any], gradients: Sequence[Any], names: Sequence[str], group_of: Callable[[str], int]
    ) -> Watched | None:
        """One step over all tensors; everything is checked before anything changes.

        Args:
            parameters: arrays, changed in place.
            gradients: as many arrays.
            names: the parameters' paths.
            group_of: index of a path's group.

        Returns:
            The plan, if it can serve further steps. The caller keeps it: it refers to this engine, and an engine that
            kept it would be part of a reference cycle, so that its state would outlive it.

        Raises:
            TypeError, ValueError: see `plan.check` and `advance`.
            FloatingPointError: a gradient is not finite and `nonfinite="raise"`.
        """
        rows = self._rows(parameters, gradients, names)
        groups = [group_of(name) for name in names]
        plan = self.planner(self, rows, groups)
        fresh, done = not self.state, False
        try:
            done = self.advance(plan)
        finally:
            if fresh and not done:
                self.keeper.held = {}  # a refused first step leaves nothing
        return plan if done and plan.lasting else None

    def _rows(self, parameters: Sequence[Any], gradients: Sequence[Any], names: Sequence[str]) -> list[Row]:
        rows = check(names, parameters, gradients)
        if self.t:
            self._check_names(names)
        for row in rows:
            held = self.state.get(row.name)
            if held and any(a.shape != row.p.shape for a in held.values()):
                shape = next(iter(held.values())).shape
                raise ValueError(
                    f"parameter {row.name!r} has shape {row.p.shape}, its state {shape}. "
                    "Call reset() to begin anew with other parameters."
                )
        staged = [r.name for r in rows if not r.dense]
        if staged:
            self.counters["staged"] = len(staged)
            warn_staged(staged, "arrays (numpy.ascontiguousarray)")
        return rows

    def _check_names(self, names: Sequence[str]) -> None:
        known, given = set(self.state), set(names)
        if known != given and self.form.resolved.slots:
            missing, extra = sorted(known - given), sorted(given - known)
            raise ValueError(
                f"the parameters differ from those of the steps before: missing {missing}, new {extra}. "
                "Pass the same set at every step, or call reset()."
            )


_warned: set[str] = set()


def warn_staged(names: Sequence[str], better: str) -> None:
    """Say once that a strided parameter is copied at every step."""
    if "staged" not in _warned:
        _warned.add("staged")
        warnings.warn(
            f"parameter {names[0]!r} is strided: it is copied before and after every step. "
            f"Contiguous {better} are faster. This is said once.",
            PerformanceWarning,
            stacklevel=_outside(),
        )


def _outside() -> int:
    """The stack level, seen by the function that warns, of the first frame in the user's own code."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in ("adamas", "torch"):
        level, frame = level + 1, frame.f_back
    return level
