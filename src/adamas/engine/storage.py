"""How arrays are stored: the dtypes that the engine accepts and the type it computes in."""

from __future__ import annotations

import ctypes
import mmap
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Format:
    """One storage dtype.

    Attributes:
        name: NumPy's (or ml_dtypes') name.
        compute: dtype of arithmetic and of state slots; 8/16/32-bit storage computes in float32.
        itemsize: bytes per element.
    """

    name: str
    compute: str
    itemsize: int

    @property
    def mantissa_bits(self) -> int:
        """Stored mantissa bits of the compute type; the exponent stands above them."""
        return 23 if self.compute == "float32" else 52

    @property
    def exponent_bias(self) -> int:
        """Exponent bias of the compute type."""
        return 127 if self.compute == "float32" else 1023

    @property
    def infinity(self) -> int:
        """Bit pattern of infinity in the compute type; magnitudes above it are NaN."""
        return (2 * self.exponent_bias + 1) << self.mantissa_bits

    @property
    def compute_dtype(self) -> np.dtype[Any]:
        return np.dtype(self.compute)


FORMATS = {
    "float32": Format("float32", "float32", 4),
    "float64": Format("float64", "float64", 8),
    "float16": Format("float16", "float32", 2),
    "bfloat16": Format("bfloat16", "float32", 2),
}


def narrows(name: str, parameter: str) -> bool:
    """Whether state of one format has a smaller range than the compute type of a parameter of another."""
    return name in ("float16", "bfloat16") or (name == "float32" and FORMATS[parameter].compute == "float64")


PAGE, LINE, LARGE, HUGE = 4096, 64, 32_768, 4_194_304


def state_like(p: NDArray[Any], dtype: np.dtype[Any], place: int) -> NDArray[Any]:
    """An uninitialised array of p's shape and memory order for a state slot.

    A large one begins on a cache line a quarter page (times place + 1) after p's place in its page: processors take
    a load for one that depends on a store just before when their addresses agree in the last 12 bits; in cache this
    cost a third of the speed. A huge one, which no cache holds, begins at p's place: pages then end together.

    Args:
        p: dense parameter.
        dtype: of the slot.
        place: index of the slot, from 0.
    """
    if p.size * dtype.itemsize < LARGE:
        return np.empty_like(p, dtype=dtype, subok=False)
    memory = np.empty(p.size * dtype.itemsize + PAGE, np.uint8)
    start = shift(p, dtype, place, memory.ctypes.data)
    strides = tuple(s // p.itemsize * dtype.itemsize for s in p.strides)
    return np.ndarray(p.shape, dtype, memory, start, strides)


def advise_huge_pages(address: int, size: int) -> None:
    """Ask for huge pages, before memory is first written; NumPy does so for its own arrays, torch does not.

    Without them every few rows of a large table take an entry more of the processor's table of pages. It is a hint:
    where a system does not take it, nothing is different.

    Args:
        address: of memory that is allocated.
        size: in bytes; small memory is left as it is.
    """
    if size >= HUGE and _madvise is not None:
        first = address + -address % PAGE
        _madvise(first, (address + size - first) // PAGE * PAGE, mmap.MADV_HUGEPAGE)


def _find_madvise() -> Any:
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    call = ctypes.CDLL(None).madvise
    call.argtypes, call.restype = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int], ctypes.c_int
    return call


_madvise = _find_madvise()


def shift(p: NDArray[Any], dtype: np.dtype[Any], place: int, address: int) -> int:
    """How many bytes after an address a slot begins that lies as `state_like` says; 0 for a small one."""
    return (_wanted(p, dtype, place) - address) % PAGE if p.size * dtype.itemsize >= LARGE else 0


def is_placed(a: NDArray[Any], p: NDArray[Any], dtype: np.dtype[Any], place: int) -> bool:
    """Whether a slot lies as `state_like` would lay it."""
    if a.dtype != dtype or any(x * p.itemsize != y * dtype.itemsize for x, y in zip(a.strides, p.strides, strict=True)):
        return False
    return a.nbytes < LARGE or (a.ctypes.data - _wanted(p, dtype, place)) % PAGE == 0


def _wanted(p: NDArray[Any], dtype: np.dtype[Any], place: int) -> int:
    """An address that agrees in its last 12 bits with where a slot of a large parameter begins."""
    quarters = place + 1 if p.size * dtype.itemsize < HUGE else 0
    return int((p.ctypes.data + quarters * PAGE // 4) // LINE * LINE)


def format_of(dtype: np.dtype[Any]) -> Format | None:
    """The format of a dtype in native byte order, or None if the engine does not know it."""
    if not dtype.isnative:
        return None
    return FORMATS.get(dtype.name)
