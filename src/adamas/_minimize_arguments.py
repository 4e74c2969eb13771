"""The arguments of `minimize`, checked and in the form that the search works with."""

import inspect
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arguments import accepted
from ._objective import as_array, kind
from ._result import MinimizeResult
from .engine.hyper import reject_unknown
from .numpy import Optimizer, get

Array = NDArray[Any]


def start(x0: ArrayLike) -> Array:
    """The start as a float64 array of at least one dimension, a copy."""
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


def bounds_of(bounds: Any, shape: tuple[int, ...]) -> tuple[Array, Array]:
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


def searcher(optimizer: Any, options: Mapping[str, Any] | None, hyper: dict[str, Any], own: Sequence[str]) -> Any:
    """An optimizer from a name, a class or an instance; `own` are the names of `minimize`'s arguments."""
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(f"options={options!r} must be a mapping of hyper-parameters")
    given = dict(options or {})
    if twice := sorted(given.keys() & hyper.keys()):
        raise TypeError(f"{', '.join(twice)} given both by name and in options; give it once")
    if misplaced := [name for name in given if name in own]:
        raise TypeError(
            f"options: {', '.join(misplaced)} must be given to minimize by name; options are the optimizer's"
        )
    given |= hyper
    make = get(optimizer) if isinstance(optimizer, str) else optimizer
    of_class = isinstance(make, type)
    member: Any = make if of_class else type(make)
    if issubclass(member, Optimizer):
        reject_unknown(given, [*own, *accepted(member.rule)], f"minimize with {member.__name__}")
    if of_class:
        make = make(**given)
    elif given:
        raise TypeError(f"{', '.join(given)}: set these when making the optimizer instance, or pass its class or name")
    if not callable(getattr(make, "step", None)):
        raise TypeError(f"optimizer={optimizer!r} must be a name, an optimizer class or an instance of one")
    if getattr(make, "maximize", False):
        raise ValueError("maximize=True contradicts minimize; leave it out, and let fun return the negative")
    return make


def teller(callback: Callable[..., Any] | None) -> Callable[..., Any]:
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


def as_count(name: str, value: Any, least: int) -> int:
    """A whole number that is large enough."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or operator.index(value) < least:
        raise ValueError(f"{name}={value!r} must be a whole number >= {least}")
    return operator.index(value)
