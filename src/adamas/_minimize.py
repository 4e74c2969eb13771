"""`adamas.minimize`: any optimizer of the family as a minimiser, called like SciPy's `minimize`."""

import inspect
import operator
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._objective import Objective, as_array, is_real, kind
from .numpy import get

__all__ = ["MinimizeResult", "minimize"]

Array = NDArray[Any]

CONVERGED: Final = 0
OUT_OF_STEPS: Final = 1
NOT_FINITE: Final = 2
STOPPED: Final = 99  # SciPy's number for a callback that raises StopIteration


class MinimizeResult(dict[str, Any]):
    """What `minimize` found: a dict with its entries as attributes, printed like SciPy's `OptimizeResult`.

    Attributes:
        x: the best point seen, that with the lowest loss, shaped as `x0`; `x_best` is the same array.
        fun: loss at `x`.
        jac: gradient at `x`, shaped as `x0`.
        success: True if a tolerance was met, or if none was set and all steps were done.
        status: 0 success, 1 out of steps, 2 loss or gradient not finite, 99 stopped by the callback.
        message: why it stopped, in words.
        nit: steps done.
        nit_best: the step that led to `x`; 0 is the start.
        nfev: calls of `fun`, those for finite differences included.
        njev: gradients taken.
        x_last: the last point, shaped as `x0`. For a noisy `fun` prefer it: the lowest loss is luck.
        fun_last: loss at `x_last`.
        losses: the loss at each point of the path, shape (nit + 1,).
        trajectory: the path, shape (nit + 1, n), the start first; None with `record=False`.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no {name!r}; it has {', '.join(self)}") from None

    __setattr__ = dict.__setitem__
    __delattr__ = dict.__delitem__

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        with np.printoptions(precision=4, threshold=10, edgeitems=2, linewidth=100 - width):
            rows = [
                f"{name:>{width}}: " + str(value).replace("\n", "\n" + " " * (width + 2))
                for name, value in self.items()
            ]
        return "\n".join(rows) or f"{type(self).__name__}()"


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
    record: bool = True,
    options: Mapping[str, Any] | None = None,
    **hyper: Any,
) -> MinimizeResult:
    """Minimises a function of an array, starting at `x0`, in float64.

    The members of the Adam family step by about `lr` per coordinate, whatever the size of the gradient:
    choose `lr` as a fraction of the distance to go, let a schedule shrink it for a sharp end, and set
    `steps` to suit. Without a tolerance exactly `steps` steps are done.

    Args:
        fun: the loss, `fun(x, *args) -> float`, or `-> (float, gradient)` with `jac=True`. `x` is a copy
            for `fun` to keep, shaped as `x0` (a scalar as shape (1,)). Called once per point of the path.
        x0: the start, finite numbers of any shape; never changed. Moved onto the bounds if outside.
        args: further arguments for `fun` and `jac`, a tuple.
        jac: the gradient, `jac(x, *args) -> array` shaped as `x0`; True if `fun` returns it; "2-point"
            (also None, False) or "3-point": by finite differences, n or 2 n more calls of `fun` per point.
        optimizer: name ("adam", "nadamw", "my_rules.py:my_rule"), class, or instance. An instance keeps
            its state: a second call from `x_last` with the same instance continues the first.
        steps: largest number of steps, >= 0.
        tol: sets those of `ftol`, `xtol`, `gtol` that are None. Each is >= 0; the first one met stops.
        ftol: stop when the losses of the last `window` steps and the one before them lie within
            `ftol * max(1, |loss|)`.
        xtol: stop when none of the last `window` steps moved a coordinate by more than `xtol`.
        gtol: stop when no entry of the gradient (projected onto the bounds) exceeds `gtol` in size.
        window: steps that `ftol` and `xtol` look back, >= 1.
        bounds: a `scipy.optimize.Bounds`, or a sequence of n pairs (low, high) with None for no bound.
            Each step is followed by a projection onto them; finite differences stay inside too.
        callback: called after each step, as `callback(x)` or, if its one parameter is so named,
            `callback(intermediate_result=...)` with `x`, `fun`, `jac`, `nit`, `nfev`, `njev` of the new
            point. What it returns is ignored; StopIteration stops.
        finite_diff_rel_step: step of the finite differences relative to max(1, |x|), > 0.
        record: False keeps no `trajectory`, which saves the memory of (steps + 1) * n numbers.
        options: hyper-parameters of the optimizer as a mapping; the same as giving them by name.
        **hyper: hyper-parameters of the optimizer, such as `lr=0.1`; numbers or schedules.

    Returns:
        The best point seen, the path, and why it ended. Where a loss or gradient is not finite the
        search stops with `success` False.

    Raises:
        TypeError: an argument has the wrong type; or `fun` returns something other than a real number.
        ValueError: an argument is out of range; or a gradient does not fit `x0`. Wrong arguments raise
            before `fun` is called.
    """
    for name, function in (("fun", fun), ("callback", callback)):
        if not callable(function) and (function is not None or name == "fun"):
            raise TypeError(f"{name}={function!r} must be a function")
    x = _start(x0)
    low, high = _bounds(bounds, x.shape)
    objective = Objective(fun, args, jac, low, high, finite_diff_rel_step)
    met = _Tolerances(tol, ftol, xtol, gtol, window, low, high)
    tell = _teller(callback)
    steps = _count("steps", steps, 0)
    search = _searcher(optimizer, options, hyper)

    np.clip(x, low, high, out=x)
    losses: list[float] = []
    path: list[Array] = []
    grad, before = x, x  # taken at the start, before they are used
    best, nit_best = (x, np.inf, x), 0
    for nit in range(steps + 1):
        if nit:
            before = x.copy()
            search.step(x, grad)
            np.clip(x, low, high, out=x)
        loss, grad = objective(x)
        losses.append(loss)
        if record:
            path.append(x.flatten())
        if nit == 0 or -np.inf < loss < best[1]:
            best, nit_best = (x.copy(), loss, grad), nit
        if not (np.isfinite(loss) and np.isfinite(grad).all()):
            what = "gradient" if np.isfinite(loss) else "loss"
            status, message = NOT_FINITE, f"The {what} at step {nit} is not finite. A smaller lr may help."
            break
        try:
            if nit:
                tell(x=x.copy(), fun=loss, jac=grad.copy(), nit=nit, nfev=objective.nfev, njev=objective.njev)
        except StopIteration:
            status, message = STOPPED, "`callback` raised `StopIteration`."
            break
        if message := met(x, before if nit else None, loss, grad):
            status = CONVERGED
            break
    else:
        status = OUT_OF_STEPS if met.any else CONVERGED
        message = f"All {steps} steps were done" + (", no tolerance was met." if met.any else "; no tolerance was set.")
    return MinimizeResult(
        message=message,
        success=status == CONVERGED,
        status=status,
        fun=best[1],
        x=best[0],
        x_best=best[0],
        nit=nit,
        nit_best=nit_best,
        jac=best[2],
        nfev=objective.nfev,
        njev=objective.njev,
        x_last=x,
        fun_last=loss,
        losses=np.array(losses),
        trajectory=np.stack(path) if record else None,
    )


class _Tolerances:
    """Decides whether the search has arrived; remembers the last `window` steps."""

    def __init__(self, tol: Any, ftol: Any, xtol: Any, gtol: Any, window: Any, low: Array, high: Array) -> None:
        for name, value in (("tol", tol), ("ftol", ftol), ("xtol", xtol), ("gtol", gtol)):
            if value is not None and not (is_real(value) and 0.0 <= value < np.inf):
                raise ValueError(f"{name}={value!r} must be a finite number >= 0, or None to do without")
        self.ftol, self.xtol, self.gtol = (tol if value is None else value for value in (ftol, xtol, gtol))
        self.any = not (self.ftol is self.xtol is self.gtol is None)
        self.window = _count("window", window, 1)
        self.losses: deque[float] = deque(maxlen=self.window + 1)
        self.moves: deque[float] = deque(maxlen=self.window)
        self.low, self.high = low, high

    def __call__(self, x: Array, before: Array | None, loss: float, grad: Array) -> str:
        """Why to stop at `x`, reached from `before` (None at the start); empty if there is no reason."""
        # The part of the gradient that the bounds let a step follow.
        if self.gtol is not None and np.abs(np.clip(grad, x - self.high, x - self.low)).max() <= self.gtol:
            return f"No entry of the gradient exceeds gtol={self.gtol:g}."
        if self.ftol is not None:
            self.losses.append(loss)
            spread = max(self.losses) - min(self.losses)
            if len(self.losses) > self.window and spread <= self.ftol * max(1.0, abs(loss)):
                return f"The loss changed by no more than ftol={self.ftol:g} (window={self.window})."
        if self.xtol is not None and before is not None:
            self.moves.append(float(np.abs(x - before).max()))
            if len(self.moves) == self.window and max(self.moves) <= self.xtol:
                return f"No step was longer than xtol={self.xtol:g} (window={self.window})."
        return ""


def _start(x0: ArrayLike) -> Array:
    given = as_array(x0)
    if given.dtype.kind not in "fiub" or given.size == 0:
        raise TypeError(
            f"x0 must be a non-empty array of real numbers, not {kind(x0)}; "
            "for a dict or list of arrays, use the step(params, grads) of an optimizer"
        )
    x = np.array(np.atleast_1d(given), dtype=np.float64, order="C")
    if not np.isfinite(x).all():
        raise ValueError(f"x0 must be finite; entry {int(np.argmin(np.isfinite(x.ravel())))} (flat) is not")
    return x


def _bounds(bounds: Any, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Lower and upper bounds in the shape of x0, infinite where there are none."""
    size = int(np.prod(shape))
    pairs: Sequence[Any] = (None, None)
    if bounds is not None and hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        pairs = (bounds.lb, bounds.ub)
    elif bounds is not None:
        rows = [tuple(pair) if np.iterable(pair) else (pair,) for pair in bounds] if np.iterable(bounds) else []
        if len(rows) != size or any(len(row) != 2 for row in rows):
            raise ValueError(f"bounds must be {size} pairs (low, high), one per entry of x0, or a scipy Bounds")
        pairs = tuple(zip(*rows, strict=True))
    low, high = (_side(side, fill, shape) for side, fill in zip(pairs, (-np.inf, np.inf), strict=True))
    if not (low <= high).all():  # also where one is NaN
        i = int(np.argmin((low <= high).ravel()))
        raise ValueError(f"bounds: low={low.flat[i]} must be <= high={high.flat[i]} at entry {i} (flat)")
    return low, high


def _side(side: Any, fill: float, shape: tuple[int, ...]) -> Array:
    entries = [fill if entry is None else entry for entry in np.ravel(np.asarray(side, dtype=object))]
    try:
        values = np.array(entries, dtype=np.float64)
        return np.array(np.broadcast_to(values, shape) if values.size == 1 else values.reshape(shape))
    except (TypeError, ValueError):
        raise ValueError(f"bounds: {side!r} must be real numbers or None, one or as many as x0 has entries") from None


def _searcher(optimizer: Any, options: Mapping[str, Any] | None, hyper: dict[str, Any]) -> Any:
    """An optimizer from a name, a class or an instance."""
    given = dict(options or {})
    if twice := sorted(given.keys() & hyper.keys()):
        raise TypeError(f"{', '.join(twice)} given both by name and in options; give it once")
    given |= hyper
    make = get(optimizer) if isinstance(optimizer, str) else optimizer
    if isinstance(make, type):
        make = make(**given)
    elif given:
        raise TypeError(f"{', '.join(given)}: set these when making the optimizer instance, or pass its class or name")
    if not callable(getattr(make, "step", None)):
        raise TypeError(f"optimizer={optimizer!r} must be a name, an optimizer class or an instance of one")
    if getattr(make, "maximize", False):
        raise ValueError("maximize=True contradicts minimize; leave it out, and let fun return the negative")
    return make


def _teller(callback: Callable[..., Any] | None) -> Callable[..., Any]:
    """Calls the callback in the style that its signature asks for, as SciPy does."""
    if callback is None:
        return lambda **news: None
    try:
        names = set(inspect.signature(callback).parameters)
    except (TypeError, ValueError):  # some built-in functions have no signature
        names = set()
    if names == {"intermediate_result"}:
        return lambda **news: callback(intermediate_result=MinimizeResult(news))
    return lambda **news: callback(news["x"])


def _count(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or operator.index(value) < least:
        raise ValueError(f"{name}={value!r} must be a whole number >= {least}")
    return operator.index(value)
