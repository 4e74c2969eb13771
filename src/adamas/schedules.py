"""Schedules: pure functions `lr(step)` for the learning rate or any other hyper-parameter.

A schedule takes the number of updates already done (0 at first) and returns the value for the next update. It
keeps no state, so a resumed run sees what it would have seen. Give one wherever an optimizer takes a number:

    adamas.Adam(lr=schedules.warmup(schedules.cosine(1e-3, steps=900), steps=100),
                weight_decay=schedules.linear(0.1, steps=1000))

Past the end of its range a schedule stays at its end value. The objects are immutable, hashable, compare by
value, survive pickling, and print as the call that makes them. Your own `step -> float` function serves too.
One argument name means one thing, with one range, in every schedule:

    start, peak, value, end   values of the hyper-parameter: any finite number
    steps, every, timescale   numbers of updates >= 1
    rate, factor, power       finite numbers > 0
    staircase                 True: change only every `every` updates; False: change at each
    shape                     the way: "linear", "cosine", "1-sqrt" (fast first) or "1-square" (slow first)

Anything else raises ValueError when the schedule is made.
"""

import math
import operator
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import pairwise
from typing import Any, TypeAlias, dataclass_transform

__all__ = [
    "Schedule", "constant", "cosine", "cosine_restarts", "exponential", "inverse_sqrt", "inverse_time",
    "join", "linear", "multistep", "one_cycle", "piecewise", "polynomial", "step", "warmup", "wsd",
]  # fmt: skip

Schedule: TypeAlias = Callable[[int], float]
"""What counts as a schedule: any callable from the number of updates done to the value for the next one."""

# The share of the way from the first value to the last, by the share of the time that has gone.
_SHAPES: Mapping[str, Callable[[float], float]] = {
    "linear": lambda time: time,
    "cosine": lambda time: 0.5 * (1.0 - math.cos(math.pi * time)),
    "1-sqrt": math.sqrt,
    "1-square": lambda time: time * time,
}


def _travel(first: float, last: float, time: float, shape: str = "linear") -> float:
    """The value when the share `time` of the way from `first` to `last` has gone; flat outside 0 to 1."""
    if time >= 1.0:
        return last
    value = first + (last - first) * _SHAPES[shape](max(time, 0.0))
    return min(max(value, min(first, last)), max(first, last))  # rounding must not push a beta past its bound


def _scaled(start: float, factor: float, times: float) -> float:
    """`start * factor ** times`, infinite where Python would raise OverflowError."""
    try:
        return float(start * factor**times)
    except OverflowError:
        return math.copysign(math.inf, start) if start else 0.0


def _call(schedule: Schedule | float, step: int) -> float:
    return schedule(step) if callable(schedule) else schedule


# Checks of one argument: each returns the value to store, or raises with what is allowed.


def _number(value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    if isinstance(value, bool) or not hasattr(value, "__float__") or not low < float(value) < high:
        bounds = [f" {sign} {bound:g}" for sign, bound in ((">", low), ("<", high)) if math.isfinite(bound)]
        raise ValueError("must be a finite number" + " and".join(bounds))
    return float(value)


def _count(value: Any, least: int = 1) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or operator.index(value) < least:
        raise ValueError(f"must be a whole number >= {least}")
    return operator.index(value)


def _one_of(value: Any, *allowed: Any) -> Any:
    if value not in allowed:
        raise ValueError("must be one of " + ", ".join(map(repr, allowed)))
    return allowed[allowed.index(value)]


def _schedule(value: Any) -> Schedule | float:
    return value if callable(value) else _number(value)


def _rising(value: Any) -> tuple[int, ...]:
    marks = tuple(_count(mark) for mark in value)
    if any(a >= b for a, b in pairwise(marks)):
        raise ValueError("must be step numbers in strictly rising order")
    return marks


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("value", "start", "peak", "end"), _number),
    **dict.fromkeys(("rate", "factor", "power", "shrink"), partial(_number, low=0.0)),
    **dict.fromkeys(("every", "steps", "timescale", "stretch"), _count),
    **dict.fromkeys(("warmup", "stable", "decay", "step"), partial(_count, least=0)),
    **dict.fromkeys(("staircase", "three_phase", "skip_start"), lambda value: _one_of(value, False, True)),
    **dict.fromkeys(("at", "boundaries"), _rising),
    "rise": partial(_number, low=0.0, high=1.0),
    "shape": lambda value: _one_of(value, *_SHAPES),
    "schedule": _schedule,
    "pieces": lambda value: tuple(_schedule(piece) for piece in value),
}


@dataclass_transform(frozen_default=True)
class _Timed:
    """What the schedules share. A subclass becomes a frozen dataclass; `_at` states its value at a step."""

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True)(cls)

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]  # see __init_subclass__
            value = getattr(self, field.name)
            if value is not None or field.default is not None:
                object.__setattr__(self, field.name, self._checked(field.name, value))  # frozen
        self._finish()

    def _finish(self) -> None:
        """Checks and defaults that concern several arguments."""

    def _checked(self, name: str, value: object) -> Any:
        try:
            return _CHECKS[name](value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{type(self).__name__}: {name}={value!r} {error}") from None

    def __call__(self, step: int) -> float:
        """The value for the update that follows `step` finished ones (`step` >= 0)."""
        return self._at(self._checked("step", step))

    def _at(self, step: int) -> float:
        raise NotImplementedError


# Lower-case class names: users call them as functions, and a repr reads as the call that makes it.


class constant(_Timed):
    """Always `value`. Equals optax `constant_schedule`."""

    value: float

    def _at(self, step: int) -> float:
        return self.value


class exponential(_Timed):
    """`start * rate ** (step / every)`, the exponent rounded down with `staircase`; stops at `end` if given.

    Equals torch `ExponentialLR(rate)` with `every=1`, Keras `ExponentialDecay` and optax `exponential_decay`.
    A rate above 1 grows, as in a search for the largest usable learning rate.
    """

    start: float
    rate: float
    every: int = 1
    staircase: bool = False
    end: float | None = None

    def _finish(self) -> None:
        if self.end is not None and (self.rate - 1.0) * self.start * (self.end - self.start) < 0.0:
            raise ValueError(f"exponential: {self} moves away from its end; choose one on the way, or None")

    def _at(self, step: int) -> float:
        value = _scaled(self.start, self.rate, step // self.every if self.staircase else step / self.every)
        if self.end is None:
            return value
        return min(value, self.end) if self.end > self.start else max(value, self.end)


class step(_Timed):
    """`start`, multiplied by `factor` after every `every` updates. Equals torch `StepLR(every, factor)`."""

    start: float
    every: int
    factor: float = 0.1

    def _at(self, step: int) -> float:
        return _scaled(self.start, self.factor, step // self.every)


class multistep(_Timed):
    """`start`, multiplied by `factor` at each of the steps `at`. Equals torch `MultiStepLR(at, factor)`."""

    start: float
    at: Sequence[int]
    factor: float = 0.1

    def _at(self, step: int) -> float:
        return _scaled(self.start, self.factor, bisect_right(self.at, step))


class inverse_time(_Timed):
    """The 1/t decay `start / (1 + rate * step / every)`, the quotient rounded down with `staircase`.

    Equals Keras `InverseTimeDecay(start, decay_steps=every, decay_rate=rate)`.
    """

    start: float
    rate: float
    every: int = 1
    staircase: bool = False

    def _at(self, step: int) -> float:
        return self.start / (1.0 + self.rate * (step // self.every if self.staircase else step / self.every))


class inverse_sqrt(_Timed):
    """`start / sqrt(1 + step / timescale)`: fallen by sqrt(2) after `timescale` updates.

    `warmup(inverse_sqrt(peak, timescale=w), steps=w)` equals Hugging Face `get_inverse_sqrt_schedule`.
    """

    start: float
    timescale: int = 10_000

    def _at(self, step: int) -> float:
        return self.start / math.sqrt(1.0 + step / self.timescale)


class polynomial(_Timed):
    """`end + (start - end) * (1 - step / steps) ** power`, then `end`.

    Equals optax `polynomial_schedule`, Keras `PolynomialDecay`, and torch `PolynomialLR` with `end=0`.
    """

    start: float
    steps: int
    end: float = 0.0
    power: float = 1.0

    def _at(self, step: int) -> float:
        return _travel(self.end, self.start, (max(self.steps - step, 0) / self.steps) ** self.power)


class linear(_Timed):
    """A straight line from `start` to `end` in `steps` updates, then `end`.

    Equals optax `linear_schedule`, and torch `LinearLR(start_factor, end_factor, total_iters=steps)` with
    `start = lr * start_factor` and `end = lr * end_factor`.
    """

    start: float
    steps: int
    end: float = 0.0

    def _at(self, step: int) -> float:
        return _travel(self.start, self.end, step / self.steps)


class cosine(_Timed):
    """Half a cosine from `start` to `end` in `steps` updates, then `end`.

    Equals torch `CosineAnnealingLR(T_max=steps, eta_min=end)` up to T_max (torch rises again after it), and
    optax `cosine_decay_schedule` and Keras `CosineDecay` with `alpha = end / start`.
    """

    start: float
    steps: int
    end: float = 0.0

    def _at(self, step: int) -> float:
        return _travel(self.start, self.end, step / self.steps, "cosine")


class cosine_restarts(_Timed):
    """Half a cosine from `start` to `end`, again and again without end.

    The first cycle lasts `steps` updates, each next one `stretch` times as long (a whole number >= 1), and
    begins at `shrink` (> 0) times the height above `end`. Equals torch `CosineAnnealingWarmRestarts(steps,
    stretch, end)` and Keras `CosineDecayRestarts(t_mul=stretch, m_mul=shrink, alpha=end / start)`.
    """

    start: float
    steps: int
    end: float = 0.0
    stretch: int = 1
    shrink: float = 1.0

    def _at(self, step: int) -> float:
        cycle, length = 0, self.steps
        if self.stretch == 1:
            cycle, step = divmod(step, length)
        while step >= length:
            cycle, step, length = cycle + 1, step - length, length * self.stretch
        height = _scaled(self.start - self.end, self.shrink, cycle)
        return _travel(self.end + height, self.end, step / length, "cosine")


class warmup(_Timed):
    """A straight line from `start` to the first value of `schedule` in `steps` updates; then `schedule`.

    The first update uses `start`, as in Hugging Face and optax; `skip_start=True` begins one step up the
    line, at `1 / steps` of the way, so that no update is spent at a rate of 0. `schedule` counts from the end
    of the warm-up, as in Keras (optax counts it into `decay_steps`). A number stands for a constant.
    """

    schedule: Schedule | float
    steps: int
    start: float = 0.0
    skip_start: bool = False

    def _at(self, step: int) -> float:
        if step >= self.steps:
            return _call(self.schedule, step - self.steps)
        return _travel(self.start, _call(self.schedule, 0), (step + self.skip_start) / self.steps)


class wsd(_Timed):
    """Warm-up, stable, decay: from `start` to `peak`, `peak` for a while, to `end` by `shape`, then `end`.

    `warmup`, `stable` and `decay` are lengths in updates, each >= 0. Equals Hugging Face `get_wsd_schedule`
    with `min_lr_ratio = end / peak`, a linear warm-up and decay type "linear", "cosine" or "1-sqrt".
    """

    peak: float
    warmup: int
    stable: int
    decay: int
    start: float = 0.0
    end: float = 0.0
    shape: str = "linear"

    def _at(self, step: int) -> float:
        if step < self.warmup:
            return _travel(self.start, self.peak, step / self.warmup)
        gone = step - self.warmup - self.stable
        return _travel(self.peak, self.end, gone / self.decay if self.decay else gone + 1.0, self.shape)


class one_cycle(_Timed):
    """One rise from `start` to `peak` and one fall to `end`, in `steps` updates, the last using `end`.

    Equals torch `OneCycleLR(max_lr=peak, total_steps=steps, pct_start=rise)`, where `start = peak / 25` and
    `end = start / 1e4` by default. `rise` is the share of the rise, > 0 and < 1. `three_phase` falls to
    `start` as fast as it rose (`rise` <= 0.5) and uses what is left for `end`. torch's momentum cycle is
    `one_cycle(0.85, steps, start=0.95, end=0.95)`.
    """

    peak: float
    steps: int
    rise: float = 0.3
    start: float | None = None
    end: float | None = None
    shape: str = "cosine"
    three_phase: bool = False

    def _finish(self) -> None:
        if self.three_phase and self.rise > 0.5:
            raise ValueError(f"one_cycle: rise={self.rise!r} must be <= 0.5 with three_phase=True")
        start = self.peak / 25.0 if self.start is None else self.start
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "end", start / 1e4 if self.end is None else self.end)

    def _at(self, step: int) -> float:
        start, end = _number(self.start), _number(self.end)
        turn, begin, value = self.rise * self.steps - 1.0, 0.0, start
        fall = [(2.0 * turn, start)] if self.three_phase else []
        for finish, goal in [(turn, self.peak), *fall, (self.steps - 1.0, end)]:
            if step < finish:
                return _travel(value, goal, (step - begin) / (finish - begin), self.shape)
            begin, value = finish, goal
        return end


class join(_Timed):
    """`pieces[0]` first, then `pieces[i + 1]` from step `boundaries[i]` on, each from its own step 0.

    Equals optax `join_schedules` and torch `SequentialLR`. A number among the pieces stands for a constant.
    """

    pieces: Sequence[Schedule | float]
    boundaries: Sequence[int]

    def _finish(self) -> None:
        if len(self.pieces) != len(self.boundaries) + 1:
            raise ValueError(f"{self} must have one boundary between each two pieces, and no others")

    def _at(self, step: int) -> float:
        piece = bisect_right(self.boundaries, step)
        return _call(self.pieces[piece], step - (self.boundaries[piece - 1] if piece else 0))


class piecewise(join):
    """Piecewise constant: `pieces[0]` at first, `pieces[i + 1]` from step `boundaries[i]` on.

    As optax `piecewise_constant_schedule`, which takes factors instead of values. Keras
    `PiecewiseConstantDecay` changes one step later: its boundary b is `b + 1` here.
    """
