"""Lines through a point on which `minimize` tries its claims: how far the loss falls on them, and where it turns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._objective import Objective

Array = NDArray[Any]

RUNGS: Final = 80  # of a ladder; each is twice as far as the one before
STRIDE: Final = 16.0  # the same further out on a flat line, up to the largest numbers
ROUNDS: Final = 16  # of conjugate gradients
_EPS: Final = float(np.finfo(np.float64).eps)
_LARGEST: Final = float(np.finfo(np.float64).max)


class Point(NamedTuple):
    """A point of the path: where it is, its loss and gradient, and the step that led to it."""

    x: Array
    loss: float
    grad: Array
    nit: int


class Line(NamedTuple):
    """A direction in which the loss falls, its largest entry of size 1, and the rate of that fall; 0 if it is flat."""

    direction: Array
    slope: float


def projected(objective: Objective, x: Array, grad: Array) -> Array:
    """The part of the gradient that a step could follow: x minus the projection of x - grad onto the bounds."""
    return np.clip(grad, x - objective.high, x - objective.low)


def lines(objective: Objective, at: Point, origin: Array) -> Iterator[Line]:
    """The lines through a point on which claims are tried; each is made when it is asked for.

    They are the negative gradient, the way from `origin`, and Newton's direction, each downhill. Entries that the
    bounds hold are 0. A line on which the slope is 0 is left out; where only one coordinate is free, the first line is
    the only one. Where the gradient is zero there is no downhill, and the lines are the way from `origin` and a fixed
    direction, each in both senses. Where the bounds hold everything there are no lines.
    """
    low, high = objective.low, objective.high
    free = (low < high) & ~((at.x <= low) & (at.grad > 0.0)) & ~((at.x >= high) & (at.grad < 0.0))
    steepest = _descent(objective, at, np.where(free, -at.grad, 0.0))
    if steepest is None:
        for direction in (at.x - origin, np.cos(np.arange(at.x.size)).reshape(at.x.shape)):
            for way in (direction, -direction):
                unit = _unit(objective, at, np.where(free, way, 0.0))
                if unit is not None:
                    yield Line(unit, 0.0)
        return
    yield steepest
    if np.count_nonzero(free) == 1:
        return
    travel = _descent(objective, at, at.x - origin)
    if travel is not None:
        yield travel
    newton = _descent(objective, at, _newton(objective, at, free))
    if newton is not None:
        yield newton


@np.errstate(all="ignore")
def falls(objective: Objective, at: Point, line: Line, drop: float) -> bool:
    """Whether a rung of a ladder on the line, in either sense, lies below the point by more than half of `drop`.

    The first rung is where the slope promises a fall of `drop` (on a flat line at the spacing of floats), and each
    further one is twice as far, until the loss has risen by more than `drop` or is not a number, the bounds allow no
    further move, or `RUNGS` rungs are done. On a flat line rungs follow in longer strides, up to the largest numbers: a
    coordinate of large scale looks flat for a long way.

    For a convex loss this covers the whole line (between bounds: as far as they do not bend it). Before the first rung
    the fall is at most `drop`, because the loss lies above its tangent. Where it is more than `drop` farther out, there
    is a rung between that place and half the way to it. The fall is concave along the line and 0 at the point, so
    it is more than half of `drop` at that rung, and the ladder has not stopped before, because there was no rise.
    """
    first = drop / line.slope if line.slope else 0.0
    first = first or _EPS * max(1.0, float(np.abs(at.x).max()))
    for sense in (line.direction, -line.direction) if line.slope else (line.direction,):
        previous, length, rungs = at.x, first, 0
        while length <= _LARGEST / 4.0 and (rungs < RUNGS or not line.slope):
            x = np.clip(at.x + length * sense, objective.low, objective.high)
            length *= 2.0 if rungs < RUNGS else STRIDE
            rungs += 1
            if np.array_equal(x, previous):
                if previous is at.x:  # too short to move x at all
                    continue
                break  # the bounds hold it
            previous = x
            loss = objective.loss_or_nan(x)
            if loss < at.loss - 0.5 * drop:
                return True
            if not loss <= at.loss + drop:
                break
    return False


@np.errstate(all="ignore")
def turns(objective: Objective, at: Point, line: Line, length: float) -> bool:
    """Whether the loss stops falling along the line within `length`: whether its slope there is no longer downward.

    A coordinate that a bound has stopped no longer counts. An infinite loss has stopped falling. Where the slope is
    said to be zero at both ends and the loss has fallen all the same, the slope is not believed: a `fun` in float32
    has finite differences of zero everywhere.
    """
    beyond = at.x + length * line.direction
    x = np.clip(beyond, objective.low, objective.high)
    if np.array_equal(x, at.x):  # nothing was moved, so nothing was seen
        return False
    loss, grad = objective.or_nan(x)
    slope = _inner(grad, np.where(beyond == x, line.direction, 0.0))
    if line.slope == slope == 0.0 and loss < at.loss - 4.0 * _EPS * abs(at.loss):
        return False
    return loss == np.inf or slope >= 0.0


@np.errstate(all="ignore")
def steeper(objective: Objective, at: Point, line: Line, limit: float) -> bool:
    """Whether the loss changes along the line faster than gradient entries up to `limit` allow.

    The difference is taken over a much longer step than finite differences take, on both sides of the point, so that
    curvature cancels. Where the bounds leave no room for it, nothing is said.
    """
    length = _EPS**0.25 * max(1.0, float(np.abs(at.x).max()))
    ahead, behind = at.x + length * line.direction, at.x - length * line.direction
    if any((x < objective.low).any() or (x > objective.high).any() for x in (ahead, behind)):
        return False
    losses = [objective.loss_or_nan(x) for x in (ahead, behind)]
    rounding = 8.0 * _EPS * max(map(abs, losses))
    return bool(abs(losses[0] - losses[1]) > 2.0 * length * limit * np.abs(line.direction).sum() + rounding)


def _inner(a: Array, b: Array) -> float:
    """The inner product with a `b` of entries up to 1, finite for a finite `a`."""
    size = float(np.abs(a).max())
    if size == 0.0 or not np.isfinite(size):
        return np.nan if size else 0.0
    return float(np.clip(size * float((a / size).ravel() @ b.ravel()), -_LARGEST, _LARGEST))


@np.errstate(all="ignore")
def _unit(objective: Objective, at: Point, direction: Array) -> Array | None:
    """The direction without what the bounds hold, its largest entry of size 1; None if nothing is left."""
    outward = ((at.x <= objective.low) & (direction < 0.0)) | ((at.x >= objective.high) & (direction > 0.0))
    inward = np.where(outward, 0.0, direction)
    size = np.abs(inward).max()
    return inward / size if 0.0 < size < np.inf else None


@np.errstate(all="ignore")
def _descent(objective: Objective, at: Point, direction: Array | None) -> Line | None:
    """The line of a direction, turned so that the loss falls; None if it does not."""
    size = 0.0 if direction is None else float(np.abs(direction).max())
    if direction is None or not 0.0 < size < np.inf:
        return None
    unit = _unit(objective, at, -direction if _inner(at.grad, direction / size) > 0.0 else direction)
    slope = 0.0 if unit is None else -_inner(at.grad, unit)
    return Line(unit, slope) if unit is not None and slope > 0.0 else None


@np.errstate(all="ignore")
def _newton(objective: Objective, at: Point, free: Array) -> Array | None:
    """Newton's direction in the free coordinates by conjugate gradients, or a way of negative curvature.

    Products with the Hessian are differences of gradients. If these cannot be had, it is what the rounds before gave;
    None if there were none. A bad direction makes the proof weaker and no claim false.
    """
    residual = np.where(free, -at.grad, 0.0)
    size = np.abs(residual).max()
    residual = way = residual / size
    result: Array | None = None
    square = start = float(np.vdot(residual, residual))
    reach = _EPS**0.25 * max(1.0, float(np.abs(at.x).max()))
    for _ in range(min(ROUNDS, int(np.count_nonzero(free)))):
        bent = _difference(objective, at, way, reach)
        if bent is None:
            break
        bent = np.where(free, bent / size, 0.0)
        curvature = float(np.vdot(way, bent))
        if not np.isfinite(curvature):
            break
        if curvature <= 0.0:
            return None if result is None else way  # the first way is the negative gradient, a line already
        result = (0.0 if result is None else result) + square / curvature * way
        residual = residual - square / curvature * bent
        square, last = float(np.vdot(residual, residual)), square
        if not square > 1e-12 * start:
            break
        way = residual + square / last * way
    return result


def _difference(objective: Objective, at: Point, way: Array, reach: float) -> Array | None:
    """The change of the gradient per unit of `way`, over a move of size `reach`, or less, inside the bounds."""
    length = reach / float(np.abs(way).max())
    ahead, behind = _room(objective, at.x, way), _room(objective, at.x, -way)
    length = min(length, ahead) if ahead >= min(length, behind) else -min(length, behind)
    if not length:
        return None
    grad = objective.or_nan(np.clip(at.x + length * way, objective.low, objective.high))[1]
    return (grad - at.grad) / length if np.isfinite(grad).all() else None


def _room(objective: Objective, x: Array, way: Array) -> float:
    """How many times `way` can be added before a bound is reached."""
    gaps = np.where(way > 0.0, objective.high - x, x - objective.low) / np.abs(way)
    return float(np.min(gaps, initial=np.inf, where=way != 0.0))
