"""One optimizer's engine: groups of parameters, and a step over a plan."""

from __future__ import annotations

import math
import struct
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

from numpy.typing import NDArray

from ..rules import Resolved
from .cpu.pool import POOL, Workers
from .plan import Row
from .step import Shape
from .storage import Format
from .survey import HARMLESS, NOTHING, Met, Sum, coefficient

Array = NDArray[Any]


@dataclass(frozen=True)
class Around:
    """Numbers of the step around a rule that hold for all groups; None where a thing is not asked for."""

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
    def clips(self) -> bool:
        """Whether gradient elements are limited."""
        return self.clip_value is not None

    @cached_property
    def scales(self) -> bool:
        """Whether gradients are scaled."""
        return self.grad_scale != 1

    def narrowed(self, form: Form) -> Shape:
        """A form's structure without the factors that are 1 for this `Around`."""
        return replace(form.shape, scales=self.scales or form.maximize, limits=self.norms)

    @cached_property
    def numbers(self) -> tuple[float, float]:
        """`grad_scale` and `clip_value`."""
        return self.grad_scale, self.clip_value or math.inf

    @cached_property
    def ascending(self) -> tuple[float, float]:
        """`numbers` with the sign of maximize."""
        return -self.grad_scale, self.numbers[1]


@dataclass(frozen=True)
class Form:
    """What is compiled for a group: its rule with options, the structure of the step, and the direction."""

    resolved: Resolved
    shape: Shape
    maximize: bool = False


class Numbers(Protocol):
    """Settings of a group, by name and as numbers for a step."""

    @property
    def values(self) -> Mapping[str, Any]: ...

    def at(self, step: int) -> tuple[float, ...]:
        """The rule's hyper-parameters in order, then the weight decay; step 0 is the first."""
        ...


@dataclass
class Group:
    """Parameters that share form, settings and history.

    Attributes:
        t: steps done.
        scalar_state: scalar slots of the rule; their start values if not given.
    """

    form: Form
    settings: Numbers
    t: int = 0
    scalar_state: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.scalar_state:
            self.scalar_state = self.scalar_start()

    def scalar_start(self) -> dict[str, float]:
        """The scalar slots before the first step."""
        return {s.name: self.start(s.start) for s in self.form.resolved.scalar_slots}

    def start(self, start: float | str) -> float:
        """A slot's value before the first step."""
        if isinstance(start, str):
            return dict(zip(self.settings.values, self.settings.at(0), strict=True))[start]
        return start


class Plan(Protocol):
    """A back end's preparation for one set of tensors."""

    @property
    def narrow(self) -> bool:
        """Whether state is kept in float16, which gradients of any ordinary size can make overflow."""
        ...

    def survey(self, clips: bool) -> list[Sum]:
        """Sums of squares of the prepared gradients, one per row, or one for all if that suffices."""
        ...

    def scalars(self) -> list[dict[str, float]]:
        """Compute each group's per-step scalars; returns the groups' new scalar slots."""
        ...

    def agreements(self, coefficients: float | Sequence[float]) -> list[int | None]:
        """For each row under a cautious mask, how many components of its step agree with the gradient."""
        ...

    def overflows(self, coefficients: float | Sequence[float]) -> bool:
        """Whether the step would make state that is not finite from gradients that are; nothing is changed."""
        ...

    def run(self, coefficients: float | Sequence[float], enlargements: Sequence[float] | None = None) -> Met:
        """Step every tensor; returns what was met.

        Args:
            coefficients: what gradients are multiplied with, for all rows or for each.
            enlargements: what the cautious mask multiplies each row's step with; found from the rows if not given.
        """
        ...


class Spread(Protocol):
    """Other processes, which hold parts of the tensors or further tensors of the same optimizer.

    All of them call the same methods in the same order.

    Attributes:
        by_row: whether `total` needs a sum for each row.
        masks: whether a tensor under a cautious mask is divided among processes.
        narrow: whether the plan of any process was narrow, at the last `total`.
    """

    by_row: bool
    masks: bool
    narrow: bool

    def total(self, sums: Sequence[Sum], narrow: bool) -> Sum:
        """The sum over all elements of all tensors, each counted once; `narrow` is that of the plan here."""
        ...

    def overflows(self, here: Callable[[], bool]) -> bool:
        """Whether the step would make state that is not finite on any process; `here` tells it of this one."""
        ...

    def enlargements(self, kept: Sequence[int | None]) -> list[float]:
        """What the cautious mask multiplies each row's step with, from the counts of all processes."""
        ...

    def met(self, here: Met) -> Met:
        """What the step met on any process."""
        ...


class Keeper(Protocol):
    """Where the state of an optimizer lives."""

    def formats(self, row: Row, group: Group) -> tuple[Format, ...]:
        """How the slots of a row are stored, in the order of the rule."""
        ...

    def slots(self, row: Row, group: Group) -> dict[str, Array]:
        """The slots of a row in its memory layout, made at their start values if new."""
        ...


class Engine:
    """Groups and step of one optimizer, for every front end.

    Args:
        around: numbers of the step around the rule.
        keeper: gives state.

    Attributes:
        groups: what a row's group index means.
        counters: steps that met a non-finite gradient, steps in which state was not finite although the gradients were
            (of steps left out: would have been), steps left out, tensors copied at every step.
        last_norm: of the gradients of the last step, where one was asked for.
        spread: other processes that take part in the step, if there are any.
    """

    def __init__(self, around: Around, keeper: Keeper):
        self.around, self.keeper = around, keeper
        self.workers: Workers = POOL
        self.spread: Spread | None = None
        self.groups: list[Group] = []
        self.counters = {"nonfinite": 0, "overflow": 0, "skipped": 0, "staged": 0}
        self.last_norm: float | None = None
        self.lock = threading.RLock()
        _live.add(self)

    def inputs(self, group: Group) -> tuple[float, ...]:
        """What the scalar part takes, in its order (see `scalar_inputs`)."""
        numbers = self.around.ascending if group.form.maximize else self.around.numbers
        return (group.t + 1, *group.settings.at(group.t), *numbers, *group.scalar_state.values())

    def advance(self, plan: Plan) -> bool:
        """One step of a plan that holds; everything is checked before anything changes.

        Returns:
            False if the step was skipped, for a non-finite gradient or one so large that state would overflow.

        Raises:
            TypeError, ValueError: see `Settings.at`; a scalar part failed.
            FloatingPointError: it would be skipped, but `nonfinite="raise"`.
        """
        new_scalars, around, spread = plan.scalars(), self.around, self.spread
        coefficients: float | Sequence[float] = 1.0
        enlargements: Sequence[float] | None = None
        if around.surveys:
            strict, clips = around.nonfinite != "propagate", around.clips
            sums = self._survey(plan, clips and not strict)  # clipping by value would hide an infinity
            if strict and not all(s.finite for s in sums):
                return self._refuse("nonfinite", "a gradient has a non-finite element")
            narrow = plan.narrow if spread is None else spread.narrow
            harmless = not strict or (not narrow and sum(s.whole for s in sums) < HARMLESS)
            if around.norms:
                sums = self._survey(plan, clips) if clips and strict else sums
                coefficients = self._coefficients(sums, sum(sums, Sum()))
            if not harmless and self._overflows(plan, coefficients):
                return self._refuse("overflow", "a gradient is so large that a state slot would overflow")
        if spread is not None and spread.masks:
            enlargements = spread.enlargements(plan.agreements(coefficients))
        met = plan.run(coefficients, enlargements)
        if spread is not None:
            met = spread.met(met)
        for group, new in zip(self.groups, new_scalars, strict=True):
            group.t += 1
            group.scalar_state = new
        if met is not NOTHING:
            self.counters["nonfinite"] += met.nonfinite
            self.counters["overflow"] += met.overflow and not met.nonfinite
        return True

    def _survey(self, plan: Plan, clips: bool) -> Sequence[Sum]:
        sums = plan.survey(clips)
        return sums if self.spread is None else [self.spread.total(sums, plan.narrow)]

    def _overflows(self, plan: Plan, coefficients: float | Sequence[float]) -> bool:
        if self.spread is None:
            return plan.overflows(coefficients)
        return self.spread.overflows(lambda: plan.overflows(coefficients))

    def _refuse(self, counter: str, what: str) -> bool:
        if self.around.nonfinite == "raise":
            when = f" at step {self.groups[0].t + 1}" if self.groups else ""
            raise FloatingPointError(
                f"{what}{when}; nothing was changed. "
                'nonfinite="skip" leaves such steps out, "propagate" lets them through.'
            )
        self.counters[counter] += 1
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


ARITHMETIC = (ArithmeticError, ValueError, TypeError, struct.error)  # what a scalar part may raise on bad numbers


def scalar_error(group: Group, error: Exception) -> ValueError:
    """Arithmetic that failed, as an error that names the rule."""
    return ValueError(
        f"{group.form.resolved.rule.name}: its per-step scalars cannot be computed at step {group.t + 1} ({error}). "
        "A hyper-parameter or schedule has a value that the formula does not admit."
    )


_live: weakref.WeakSet[Engine] = weakref.WeakSet()


def _after_fork() -> None:
    """A lock held by another thread at the fork would never be released in the child."""
    for engine in list(_live):
        engine.lock = threading.RLock()


def _register() -> None:
    import os

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


_register()
