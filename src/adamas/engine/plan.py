"""Checks of parameters and gradients, and where their elements lie. Nothing is changed here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import shown
from .storage import FORMATS, Format, format_of

Array = NDArray[Any]
ARRAY_TYPES = (np.ndarray, np.memmap)


@dataclass
class Row:
    """One parameter tensor of a step.

    Attributes:
        name: its path in the user's structure.
        p, g: the user's arrays.
        format, g_format: storage of p and of g.
        dense: p's elements fill a block of memory in some order of axes; else the step works on a copy.
        stage_g: g lies in another order than p (or overlaps a parameter): it is copied first.
        work_p, work_g: what the kernel reads and writes.
    """

    name: str
    p: Array
    g: Array
    format: Format
    dense: bool
    stage_g: bool
    work_p: Array
    work_g: Array
    g_format: Format

    def gather(self) -> None:
        """Bring p and g into the kernel's layout, where they are not."""
        if not self.dense:
            np.copyto(self.work_p, self.p)
        if self.stage_g:
            np.copyto(self.work_g, self.g)

    def release(self) -> None:
        """Let go of the gradient, which a lasting plan finds anew at every step."""
        self.g = self.work_g = self.p

    def scatter(self) -> None:
        """Write a strided parameter back."""
        if not self.dense:
            np.copyto(self.p, self.work_p)


class Spans:
    """The address ranges of arrays.

    Attributes:
        table: rows `(low, largest high so far)`, ascending.
    """

    def __init__(self, arrays: Sequence[Array]):
        spans = np.asarray(sorted(_bounds(a) for a in arrays if a.size), np.int64).reshape(-1, 2)
        spans[:, 1] = np.maximum.accumulate(spans[:, 1])
        self.table: NDArray[np.int64] = spans

    def meets(self, low: int, high: int) -> bool:
        """Whether [low, high) overlaps any range."""
        k = int(np.searchsorted(self.table[:, 0], high))
        return k > 0 and bool(self.table[k - 1, 1] > low)


def check(names: Sequence[str], parameters: Sequence[Any], gradients: Sequence[Any]) -> list[Row]:
    """Check every pair and find its layout.

    Args:
        names: paths, for messages and state.
        parameters: arrays to be updated in place; float16, bfloat16, float32 or float64 of any shape and strides.
        gradients: arrays of the same dtypes and shapes.

    Raises:
        TypeError: not an array; a dtype that the engine does not know; p and g of different dtypes.
        ValueError: different shapes; read-only or overlapping parameters.
    """
    for name, p, g in zip(names, parameters, gradients, strict=True):
        _check_pair(name, p, g)
    _check_overlap(names, parameters)
    spans = Spans(parameters)
    return [
        lay_out(name, p, g, spans, FORMATS[p.dtype.name], FORMATS[g.dtype.name])
        for name, p, g in zip(names, parameters, gradients, strict=True)
    ]


def flat(a: Array) -> Array:
    """A dense array as a 1-d view in the order of memory."""
    return _in_memory_order(a).reshape(-1)


def is_dense(a: Array) -> bool:
    """Whether the elements fill one block of memory, in some order of axes, upwards."""
    if a.flags.c_contiguous or a.flags.f_contiguous:
        return True
    if any(s < 0 for s in a.strides):
        return False
    return bool(_in_memory_order(a).flags.c_contiguous)


def _in_memory_order(a: Array) -> Array:
    """The array with its axes from the longest stride to the shortest."""
    return a.transpose(sorted(range(a.ndim), key=lambda k: (-abs(a.strides[k]), -a.shape[k], k)))


def same_layout(a: Array, b: Array) -> bool:
    """Whether equal shapes have equal strides, counted in elements (axes of length 1 do not count)."""
    of_a, of_b = a.itemsize, b.itemsize
    return all(x * of_b == y * of_a or n == 1 for x, y, n in zip(a.strides, b.strides, a.shape, strict=True))


def _label(name: str) -> str:
    return f"parameter {name!r}" if name else "the parameter"


def _check_pair(name: str, p: Any, g: Any) -> None:
    label = _label(name)
    if type(p) not in ARRAY_TYPES:
        raise TypeError(
            f"{label} is {type(p).__name__} {shown(p, 40)}; a parameter must be a numpy.ndarray "
            "(or a Python float within a dict or list). Convert it with numpy.asarray."
        )
    if format_of(p.dtype) is None:
        raise TypeError(
            f"{label} has dtype {p.dtype}; allowed: {', '.join(FORMATS)} in native byte order. "
            "Convert it, e.g. p.astype(numpy.float64)."
        )
    if not p.flags.writeable:
        raise ValueError(f"{label} is read-only; a step changes it in place. Pass a writeable copy: p.copy().")
    if repeats(p):
        raise ValueError(f"{label} has elements that share memory; each must be updated once. Pass p.copy().")
    if g is None:
        raise TypeError(f"{label} has gradient None; pass an array of zeros, or leave the parameter out of both.")
    if type(g) not in ARRAY_TYPES:
        raise TypeError(
            f"{label}: its gradient is {type(g).__name__} {shown(g, 40)}; it must be a numpy.ndarray. "
            "Convert it with numpy.asarray."
        )
    if g.dtype != p.dtype:
        raise TypeError(
            f"{label} has dtype {p.dtype}, its gradient {g.dtype}; they must be equal. "
            f"Convert the gradient: g.astype({str(p.dtype)!r})."
        )
    if g.shape != p.shape:
        raise ValueError(
            f"{label} has shape {p.shape}, its gradient {g.shape}; they must be equal (nothing is broadcast)."
        )


def repeats(a: Array) -> bool:
    """Whether two elements overlap, as in broadcast arrays and sliding windows."""
    return not (a.flags.c_contiguous or a.flags.f_contiguous) and places_repeat(a.shape, a.strides, a.itemsize)


def places_repeat(shape: Sequence[int], strides: Sequence[int], itemsize: int) -> bool:
    """Whether two elements overlap that are so large and lie so far apart."""
    end = itemsize
    for stride, n in sorted((abs(s), n) for s, n in zip(strides, shape, strict=True) if n > 1):
        if stride < end:
            break
        end = stride * (n - 1) + end
    else:
        return False
    places = np.asarray(sum(np.ix_(*(np.arange(n) * s for s, n in zip(strides, shape, strict=True))), np.int64(0)))
    return places.size > 0 and int(np.diff(np.sort(places, axis=None)).min()) < itemsize


def _bounds(a: Array) -> tuple[int, int]:
    low, high = np.lib.array_utils.byte_bounds(a)
    return int(low), int(high)


def _check_overlap(names: Sequence[str], parameters: Sequence[Array]) -> None:
    for other, k in overlaps(parameters):
        raise ValueError(
            f"parameters {names[other]!r} and {names[k]!r} share memory; each element must be updated "
            "once. Pass every array once, or copies."
        )


def overlaps(parameters: Sequence[Array]) -> Iterator[tuple[int, int]]:
    """Pairs of arrays that share elements."""
    spans = sorted((*_bounds(p), k) for k, p in enumerate(parameters) if p.size)
    open_spans: list[tuple[int, int, int]] = []
    for low, high, k in spans:
        open_spans = [s for s in open_spans if s[1] > low]
        for _, _, other in open_spans:
            if np.shares_memory(parameters[k], parameters[other]):
                yield other, k
        open_spans.append((low, high, k))


def memory_order(p: Array) -> Array:
    """The array itself if it is dense, else an uninitialised one of its shape in C order: where a step works."""
    return p if is_dense(p) else np.empty(p.shape, p.dtype)


def lay_out(name: str, p: Array, g: Array, spans: Spans, kind: Format, g_format: Format) -> Row:
    """The row of a checked pair. `spans` are the arrays that the step writes."""
    dense = is_dense(p)
    work_p = memory_order(p)
    low, high = _bounds(g) if g.size else (0, 0)
    stage_g = spans.meets(low, high) or not same_layout(g, work_p)
    work_g = np.empty_like(work_p, dtype=g.dtype) if stage_g else g
    return Row(name, p, g, kind, dense, stage_g, work_p, work_g, g_format)
