"""One optimizer's engine: state, step count, and a step over any set of tensors."""

from __future__ import annotations

import math
import struct
import threading
import warnings
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..rules import Resolved
from .errors import PerformanceWarning
from .hyper import Settings
from .plan import Row, check
from .step import Shape
from .storage import is_placed, state_like
from .survey import Sum, coefficient

Array = NDArray[Any]


@dataclass(frozen=True)
class Around:
    """Numbers of the step around a rule that hold for all groups; None where a thing is not asked for."""

    maximize: bool = False
    grad_scale: float = 1.0
    clip_value: float | None = None
    clip_tensor_norm: float | None = None
    clip_norm: float | None = None
    nonfinite: str = "propagate"

    @cached_property
    def norms(self) -> bool:
        """Whether norms are asked for."""
        return self.clip_norm is not None or self.clip_tensor_norm is not None

    @cached_property
    def surveys(self) -> bool:
        """Whether gradients must be read before the step."""
        return self.nonfinite != "propagate" or self.norms

    @cached_property
    def numbers(self) -> tuple[float, float]:
        """`grad_scale` with the sign of maximize, and `clip_value`."""
        return (-self.grad_scale if self.maximize else self.grad_scale), self.clip_value or math.inf


@dataclass
class Group:
    """Parameters that share settings."""

    settings: Settings
    scalar_state: dict[str, float] = field(default_factory=dict)


class Plan(Protocol):
    """A back end's preparation for one set of tensors. `lasting` plans can serve further steps."""

    lasting: bool

    def holds(self, parameters: Sequence[Any], gradients: Sequence[Any]) -> bool:
        """Whether it serves these objects, as they are now."""
        ...

    def survey(self, inputs: Sequence[tuple[float, ...]], clips: bool) -> list[Sum]:
        """Sums of squares of the prepared gradients, one per row, or one for all if that suffices."""
        ...

    def scalars(self, inputs: Sequence[tuple[float, ...]]) -> list[dict[str, float]]:
        """Compute each group's per-step scalars; returns the new scalar slots, if the rule has any."""
        ...

    def run(self, coefficients: float | Sequence[float]) -> bool:
        """Step every tensor. Returns whether a non-finite gradient was met."""
        ...


class Engine:
    """State and step of one optimizer, for every front end.

    Args:
        resolved: the rule with its options.
        shape: structure of the step.
        around: numbers of the step around the rule.
        groups: settings; row k of a step belongs to group `group_of(name)`.
        planner: makes a back end's plan.
    """

    def __init__(
        self, resolved: Resolved, shape: Shape, around: Around, groups: Sequence[Group],
        planner: Callable[[Engine, list[Row], list[int]], Plan],
    ):  # fmt: skip
        self.resolved, self.shape, self.around = resolved, shape, around
        self.groups, self.planner = list(groups), planner
        self.state: dict[str, dict[str, Array]] = {}
        self.t = 0
        self.counters = {"nonfinite": 0, "skipped": 0, "staged": 0}
        self.last_norm: float | None = None
        self.plan: Plan | None = None
        self.lock = threading.RLock()
        self._reset_scalars()
        _live.add(self)

    def _reset_scalars(self) -> None:
        for group in self.groups:
            group.scalar_state = self._scalar_start(group)

    def _scalar_start(self, group: Group) -> dict[str, float]:
        return {s.name: self.start(s.start, group) for s in self.resolved.scalar_slots}

    def reset(self) -> None:
        """Forget state and step count; settings stay."""
        with self.lock:
            self.state, self.t, self.plan, self.last_norm = {}, 0, None, None
            self.counters = dict.fromkeys(self.counters, 0)
            self._reset_scalars()

    def start(self, start: float | str, group: Group) -> float:
        """A slot's value before the first step."""
        if isinstance(start, str):
            return dict(zip(group.settings.values, group.settings.at(0), strict=True))[start]
        return start

    def inputs(self, group: Group) -> tuple[float, ...]:
        """What the scalar part takes, in its order (see `scalar_inputs`)."""
        return (
            self.t + 1, *group.settings.at(self.t), *self.around.numbers, *group.scalar_state.values()
        )  # fmt: skip

    def step(
        self, parameters: Sequence[Any], gradients: Sequence[Any], names: Sequence[str], group_of: Callable[[str], int]
    ) -> bool:
        """One step over all tensors; everything is checked before anything changes.

        Args:
            parameters: arrays, changed in place.
            gradients: as many arrays.
            names: the parameters' paths.
            group_of: index of a path's group.

        Returns:
            False if the step was skipped for a non-finite gradient.

        Raises:
            TypeError, ValueError: see `plan.check` and `Settings.at`.
            FloatingPointError: a gradient is not finite and `nonfinite="raise"`.
        """
        self.plan = None
        rows = self._rows(parameters, gradients, names)
        groups = [group_of(name) for name in names]
        return self.advance(self.planner(self, rows, groups))

    def advance(self, plan: Plan) -> bool:
        """One step of a plan that holds. Returns and raises as `step`."""
        inputs = [self.inputs(group) for group in self.groups]
        new_scalars = plan.scalars(inputs)
        coefficients: float | Sequence[float] = 1.0
        if self.around.surveys:
            strict, clips = self.around.nonfinite != "propagate", self.shape.clips
            sums = plan.survey(inputs, clips and not strict)  # clipping by value would hide an infinity
            if strict and not all(s.finite for s in sums):
                return self._refuse()
            if self.around.norms:
                sums = plan.survey(inputs, clips) if clips and strict else sums
                coefficients = self._coefficients(sums, sum(sums, Sum()))
        met = plan.run(coefficients)
        self.plan = plan if plan.lasting else None
        self.t += 1
        if new_scalars:
            for group, new in zip(self.groups, new_scalars, strict=True):
                group.scalar_state = new
        if met:
            self.counters["nonfinite"] += 1
        return True

    def add_group(self, settings: Settings) -> int:
        """A further group, at the start of its scalar state; returns its index."""
        group = Group(settings)
        group.scalar_state = self._scalar_start(group)
        self.groups.append(group)
        return len(self.groups) - 1

    def _refuse(self) -> bool:
        if self.around.nonfinite == "raise":
            raise FloatingPointError(
                f"a gradient has a non-finite element at step {self.t + 1}; nothing was changed. "
                'nonfinite="skip" leaves such steps out, "propagate" lets them through.'
            )
        self.counters["nonfinite"] += 1
        self.counters["skipped"] += 1
        return False

    def _coefficients(self, sums: Sequence[Sum], total: Sum) -> float | Sequence[float]:
        """What each row's gradient is multiplied with: first its own norm is limited, then the norm of all."""
        limit = self.around.clip_tensor_norm
        if limit is None:
            self.last_norm = total.root()
            return coefficient(self.around.clip_norm, self.last_norm)
        own = [coefficient(limit, s.root()) for s in sums]
        if self.around.clip_norm is None:
            self.last_norm = total.root()
            return own
        clipped = [Sum.of((c * s.root()) ** 2) if s.finite else s for c, s in zip(own, sums, strict=True)]
        self.last_norm = sum(clipped, Sum()).root()
        common = coefficient(self.around.clip_norm, self.last_norm)
        return [c * common for c in own]

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
            _warn_staged(staged)
        return rows

    def _check_names(self, names: Sequence[str]) -> None:
        known, given = set(self.state), set(names)
        if known != given and self.resolved.slots:
            missing, extra = sorted(known - given), sorted(given - known)
            raise ValueError(
                f"the parameters differ from those of the steps before: missing {missing}, new {extra}. "
                "Pass the same set at every step, or call reset()."
            )

    def ensure_state(self, row: Row, group: int) -> dict[str, Array]:
        """The slots of a row in its memory layout, made at their start values if new."""
        held = self.state.get(row.name)
        dtype = row.format.compute_dtype
        slots = {}
        for place, slot in enumerate(self.resolved.slots):
            old = held[slot.name] if held else None
            if old is not None and (  # beside a strided parameter the step works in C order
                is_placed(old, row.work_p, dtype, place) if row.dense else old.dtype == dtype and old.flags.c_contiguous
            ):
                slots[slot.name] = old
                continue
            new = state_like(row.work_p, dtype, place)
            if old is None:
                new.fill(self.start(slot.start, self.groups[group]))
            else:
                np.copyto(new, old, casting="same_kind")
            slots[slot.name] = new
        self.state[row.name] = slots
        return slots


ARITHMETIC = (ArithmeticError, ValueError, TypeError, struct.error)  # what a scalar part may raise on bad numbers


def scalar_error(engine: Engine, error: Exception) -> ValueError:
    """Arithmetic that failed, as an error that names the rule."""
    return ValueError(
        f"{engine.resolved.rule.name}: its per-step scalars cannot be computed at step {engine.t + 1} ({error}). "
        "A hyper-parameter or schedule has a value that the formula does not admit."
    )


_live: weakref.WeakSet[Engine] = weakref.WeakSet()
_warned: set[str] = set()


def _warn_staged(names: Sequence[str]) -> None:
    if "staged" not in _warned:
        _warned.add("staged")
        warnings.warn(
            f"parameter {names[0]!r} is strided: it is copied before and after every step. "
            "Contiguous arrays (numpy.ascontiguousarray) are faster. This is said once.",
            PerformanceWarning,
            stacklevel=5,
        )


def _after_fork() -> None:
    """A lock held by another thread at the fork would never be released in the child."""
    for engine in list(_live):
        engine.lock = threading.RLock()


def _register() -> None:
    import os

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


_register()
