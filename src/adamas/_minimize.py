"""`adamas.minimize`: any optimizer of the family as a minimiser, called like SciPy's `minimize`."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._minimize_arguments import as_count, bounds_of, searcher, start, teller
from ._objective import Objective
from ._overflow import OverflowWatch
from ._path import Path
from ._proof import Point, projected
from ._result import CONVERGED, NOT_FINITE, OUT_OF_STEPS, STATE_OVERFLOW, STOPPED, MinimizeResult
from ._tolerances import Tolerances

__all__ = ["MinimizeResult", "minimize"]


def minimize(
    fun: Callable[..., Any],
    x0: ArrayLike,
    args: Any = (),
    jac: Callable[..., Any] | bool | Literal["2-point", "3-point"] | None = None,
    *,
    optimizer: Any = "adam",
    steps: int = 1000,
    tol: float | None = None,
    ftol: float | None = None,
    xtol: float | None = None,
    gtol: float | None = None,
    window: int = 10,
    bounds: Any = None,
    callback: Callable[..., Any] | None = None,
    finite_diff_rel_step: float | None = None,
    record: bool | None = None,
    options: Mapping[str, Any] | None = None,
    **hyper: Any,
) -> MinimizeResult:
    """Minimises a function of an array, starting at `x0`, in float64.

    The members of the Adam family step by about `lr` per coordinate, whatever the size of the gradient:
    choose `lr` as a fraction of the distance to go, let a schedule shrink it for a sharp end, and set
    `steps` to suit.

    What a tolerance proves: `success` is True only if every tolerance that was given was shown to hold at the
    returned `x`. Short steps alone never suffice, because a small `lr` takes short steps anywhere. When the path has
    settled, which for `ftol` and `xtol` the last `window` steps tell, the point with the lowest loss is checked: `fun`
    and its gradient are evaluated there twice more, and then on lines through it. These are the negative gradient, the
    way from a point a quarter to half of the steps back, and Newton's direction (at most 16 rounds of conjugate
    gradients). Shown is:

    * `gtol`: no entry of the projected gradient, x minus the projection of x - gradient onto the bounds, exceeds
      `gtol` in size. This is the criterion of SciPy's L-BFGS-B.
    * `ftol`: on a ladder of points along each line, in both senses, no loss is lower than that at `x` by more than
      `ftol * max(1, |loss|)`. Each rung is twice as far as the one before. The ladder begins where the slope promises
      such a fall and ends where the loss has risen by as much. If the loss is convex, no point of a line is lower by
      more (with bounds: until a bound bends the line).
    * `xtol`: along each line the slope of the loss is no longer downward when the coordinate that moves most has moved
      by `xtol`. So the loss is stationary on each line within `xtol` of `x`.

    Nothing is proven off these lines, not even that `x` is a local minimum: a saddle has a zero gradient too. Where
    the projected gradient is exactly zero, the lines are the way of travel and a fixed direction. Where the bounds hold
    every coordinate there are none, and `ftol` and `xtol` hold by that. `ftol` is absolute for losses below 1, and
    `gtol` and `xtol` are absolute, so scale `fun` and `x` such that differences that matter are of size 1. Nothing can
    be shown of a noisy `fun`: if the evaluations at the point differ by more than a thousandth of a tolerance or of the
    gradient, `success` stays False and the message says so. Where a check fails the search continues, and the next
    check waits for steps that cost four times as much. Where `fun` raises ArithmeticError or ValueError at a point that
    only a check looks at, its loss counts as NaN.

    Args:
        fun: the loss, `fun(x, *args) -> float`, or `-> (float, gradient)` with `jac=True`. `x` is a copy
            for `fun` to keep, shaped as `x0` (a scalar as shape (1,)). Called once per point of the path, and for
            finite differences and checks.
        x0: the start, finite numbers of any shape; never changed. Moved onto the bounds if outside.
        args: further arguments for `fun` and `jac`, a tuple.
        jac: the gradient, `jac(x, *args) -> array` shaped as `x0`; True if `fun` returns it; "2-point"
            (also None, False) or "3-point": by finite differences, n or 2 n more calls of `fun` per point. Tolerances
            are then shown of these differences.
        optimizer: name ("adam", "nadamw", "my_rules.py:my_rule"), class, or instance. An instance keeps
            its state: a second call from `x_last` with the same instance continues the first.
        steps: largest number of steps, >= 0. When they are used up, `status` is 1 and `success` False.
        tol: sets those of `ftol`, `xtol`, `gtol` that are None, so all three must hold. Each is >= 0. Give one of the
            three alone to ask for that one only.
        ftol: see above. Checked when the losses of the last `window` steps and the one before them lie within
            `ftol * max(1, |loss|)`.
        xtol: see above. Checked when none of the last `window` steps moved a coordinate by more than `xtol`.
        gtol: see above. Checked at the best point, and at the last one if its loss is the lowest up to 2**-30 of it.
        window: steps that `ftol` and `xtol` look back, >= 1.
        bounds: a `scipy.optimize.Bounds`, or a sequence of n pairs (low, high) with None for no bound.
            Each step is followed by a projection onto them; finite differences and checks stay inside too.
        callback: called after each step, as `callback(x)` or, if its one parameter is so named,
            `callback(intermediate_result=...)` with `x`, `fun`, `jac`, `nit`, `nfev`, `njev` of the new
            point. What it returns is ignored; StopIteration stops.
        finite_diff_rel_step: step of the finite differences relative to max(1, |x|), > 0.
        record: whether to keep the `trajectory`. None keeps it if its (steps + 1) * n numbers take no more than
            64 MiB; True keeps it whatever its size; False does not. Where it is not kept it is None.
        options: hyper-parameters of the optimizer as a mapping; the same as giving them by name.
        **hyper: hyper-parameters of the optimizer, such as `lr=0.1`; numbers or schedules.

    Returns:
        The point found, the path, and why it ended. The search also ends, with `success` False, where a loss or
        gradient is not finite, and where the optimizer's state overflowed, as second moments do for gradients
        above 1e154.

    Raises:
        TypeError: an argument has the wrong type; or `fun` returns something other than a real number.
        ValueError: an argument is out of range; or a gradient does not fit `x0`. Wrong arguments raise
            before `fun` is called.

    Example:
        >>> found = adamas.minimize(lambda x: (x[0] - 1) ** 2, [0.0], lr=0.1, gtol=1e-3)
        >>> found.success, found.message
        (True, 'At x no entry of the projected gradient exceeds gtol=0.001.')
    """
    for name, function in (("fun", fun), ("callback", callback)):
        if not callable(function) and (function is not None or name == "fun"):
            raise TypeError(f"{name}={function!r} must be a function")
    x = start(x0)
    low, high = bounds_of(bounds, x.shape)
    objective = Objective(fun, args, jac, low, high, finite_diff_rel_step)
    steps = as_count("steps", steps, 0)
    tolerances = Tolerances(tol, ftol, xtol, gtol, window, objective, steps)
    tell = teller(callback)
    search = searcher(optimizer, options, hyper, OWN)
    overflowed = OverflowWatch(search)
    path = Path(record, steps, x.size)

    np.clip(x, low, high, out=x)
    losses: list[float] = []
    best = last = Point(x, np.inf, x, 0)  # replaced at the start
    moved = False
    for nit in range(steps + 1):
        before, grad, overflow = None, last.grad, False
        if nit:
            before = x.copy()
            search.step(x, grad)
            overflow = overflowed(grad)
            np.clip(x, low, high, out=x)
            moved = moved or not np.array_equal(x, before)
        last = Point(x, *objective(x), nit)
        losses.append(last.loss)
        path.add(x)
        if nit == 0 or -np.inf < last.loss < best.loss:
            best = last._replace(x=x.copy())
        if overflow:
            status, message = STATE_OVERFLOW, _overflow(grad, search, nit)
            break
        if not (np.isfinite(last.loss) and np.isfinite(last.grad).all()):
            status, message = NOT_FINITE, _not_finite(last)
            break
        try:
            if nit and callback is not None:
                news = {"fun": last.loss, "jac": last.grad.copy(), "nit": nit}
                tell(x=x.copy(), **news, nfev=objective.nfev, njev=objective.njev)
        except StopIteration:
            status, message = STOPPED, "`callback` raised `StopIteration`."
            break
        if (point := tolerances.arrived(best, last, before)) is not None:
            best = point._replace(x=point.x.copy())
            status, message = CONVERGED, tolerances.shown(best)
            break
    else:
        status, message = OUT_OF_STEPS, f"All {steps} steps were done; {tolerances.unmet}."
        if steps and not moved and projected(objective, x, last.grad).any():
            message += " No step moved x: lr is too small for x, or the gradient for the optimizer's eps."
    return MinimizeResult(
        message=message,
        success=status == CONVERGED,
        status=status,
        fun=best.loss,
        x=best.x,
        x_best=best.x,
        nit=nit,
        nit_best=best.nit,
        jac=best.grad,
        nfev=objective.nfev,
        njev=objective.njev,
        x_last=x,
        fun_last=last.loss,
        losses=np.array(losses),
        trajectory=path.taken(),
    )


OWN: Final = tuple(name for name, p in inspect.signature(minimize).parameters.items() if p.kind is not p.VAR_KEYWORD)


def _not_finite(at: Point) -> str:
    what, value = ("gradient", "") if np.isfinite(at.loss) else ("loss", f" ({at.loss})")
    if at.nit == 0:
        return f"The {what} at the start x0 is not finite{value}. Start where fun is defined, or check fun there."
    if at.loss == -np.inf:
        return f"The {what} at step {at.nit} is not finite{value}. If fun has no minimum, bounds may give it one."
    return f"The {what} at step {at.nit} is not finite{value}. A smaller lr may help, or bounds around fun's domain."


def _overflow(grad: NDArray[Any], search: Any, nit: int) -> str:
    return (
        f"A state slot of {type(search).__name__} overflowed at step {nit}: the gradient was finite, of size up to "
        f"{np.abs(grad).max():.2g}, but its square or average does not fit in float64, and the coordinates concerned "
        "can move no more. Scale fun down, or take an optimizer without a second moment, such as 'momentum' or 'lion'."
    )
