"""torch's own records of a tensor (c10/core/TensorImpl.h, torch/csrc/autograd/variable.h), as this module reads them.

`layout_known()` verifies the layout on this interpreter, by tensors whose properties it knows.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

HEAD = object.__basicsize__
KIND = HEAD - 8  # PyObject: its class
LIST_SIZE, LIST_ITEMS, IMPL = HEAD, HEAD + 8, HEAD  # PyListObject; THPVariable
STORAGE, AUTOGRAD, COUNTER, FIRST, OFFSET, TYPE_WORD, WORDS = 16, 24, 40, 56, 144, 160, 15  # TensorImpl; from FIRST on
DATA, OWNER, BYTES, GRAD, VERSION = 16, 32, 48, 40, 16  # StorageImpl (three); AutogradMeta; VersionCounter
MAX_DIMS = 5  # more are kept elsewhere
OFFSET_WORD, TYPE_PLACE = (OFFSET - FIRST) // 8, (TYPE_WORD - FIRST) // 8
MEANINGFUL = 2**63 - 1  # the top bit of the word of type and flags is padding


def words_at(address: int, count: int) -> NDArray[np.int64]:
    """A copy of so many 64-bit words from an address on."""
    return np.ctypeslib.as_array((ctypes.c_int64 * count).from_address(address)).copy()


def word_at(address: int) -> int:
    """The 64-bit word at an address."""
    return ctypes.c_int64.from_address(address).value


def storage_record(tensor: torch.Tensor) -> tuple[int, int, int]:
    """Of the tensor's storage: where it begins, its owner (copies that wait for a write have another), its bytes."""
    storage = word_at(tensor._cdata + STORAGE)
    return word_at(storage + DATA), word_at(storage + OWNER), word_at(storage + BYTES)


@cache
def undefined() -> int:
    """What stands in place of a gradient that is None."""
    with ordinary_tensors():
        t = torch.zeros(1, dtype=torch.float32, requires_grad=True)
        return word_at(word_at(t._cdata + AUTOGRAD) + GRAD)


@cache
def layout_known() -> bool:
    """Whether tensors on this interpreter have the layout that `NativeLook` reads."""
    if sys.implementation.name != "cpython" or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return False
    if torch.Tensor.__basicsize__ < HEAD + 8 or len(torch.Tensor.__mro__) != 3:
        return False
    try:
        with ordinary_tensors():
            return all(_verify())
    except Exception:  # whatever a mode or another version of torch makes of it: then the layout is not known
        return False


@contextmanager
def ordinary_tensors() -> Iterator[None]:
    """Have torch make tensors on the CPU, outside of inference mode, whatever its settings are."""
    with torch.inference_mode(False), torch.device("cpu"):
        yield


def _verify() -> Iterator[bool]:
    """Statements about known tensors; what a later one follows, an earlier one has verified."""
    some = [
        torch.arange(120, dtype=torch.float32).reshape(2, 3, 4, 5).permute(2, 0, 3, 1)[1:, :, ::2],
        torch.zeros(7, dtype=torch.float64)[3:],
        torch.zeros(1000, dtype=torch.float32),
        torch.zeros((), dtype=torch.bfloat16),
        torch.zeros(3, 0, 2, dtype=torch.complex64),
    ]
    listed = list(some)
    yield [int(w) for w in words_at(id(listed) + LIST_SIZE, 1)] == [len(listed)]
    yield [int(w) for w in words_at(word_at(id(listed) + LIST_ITEMS), len(listed))] == [id(t) for t in some]
    for t in some:
        yield word_at(id(t) + KIND) == id(type(t))
        yield word_at(id(t) + IMPL) == t._cdata
        words = [int(w) for w in words_at(t._cdata, (FIRST // 8) + WORDS)]
        yield words[STORAGE // 8] == t.untyped_storage()._cdata
        yield words[FIRST // 8] == t.dim()
        sizes = FIRST // 8 + 1
        yield words[sizes : sizes + t.dim()] == list(t.shape)
        yield words[sizes + MAX_DIMS : sizes + MAX_DIMS + t.dim()] == list(t.stride())
        yield words[OFFSET // 8] == t.storage_offset()
        yield words[OFFSET // 8 + 1] == t.numel()
        base, _, held = storage_record(t)
        yield base == t.untyped_storage().data_ptr()
        yield held == t.untyped_storage().nbytes()
    for t in (torch.zeros(3, dtype=torch.float32), torch.nn.Parameter(torch.zeros(2, dtype=torch.float32))):
        counter = word_at(t._cdata + COUNTER)
        yield counter != 0
        for version in range(3):
            yield word_at(counter + VERSION) & 0xFFFFFFFF == t._version == version
            torch.autograd.graph.increment_version(t)
    with torch.inference_mode():
        yield word_at(torch.zeros(3)._cdata + COUNTER) == 0
    plain = torch.zeros(3)
    yield word_at(plain._cdata + AUTOGRAD) == 0
    leaf = torch.zeros(3, dtype=torch.float32, requires_grad=True)
    for t in (leaf, torch.nn.Parameter(torch.zeros(2, 2, dtype=torch.float32))):
        meta = word_at(t._cdata + AUTOGRAD)
        yield meta != 0
        yield word_at(meta + GRAD) == undefined()
        t.grad = torch.ones_like(t)
        yield word_at(meta + GRAD) == t.grad._cdata
        t.grad = None
        yield word_at(meta + GRAD) == undefined()
    kinds = [torch.zeros(3, dtype=d) for d in (torch.float32, torch.float64, torch.float16, torch.bfloat16)]
    kinds += [torch.zeros(3, dtype=torch.complex64), torch.zeros(3, dtype=torch.complex64).conj()]
    kinds += [torch.zeros(3, dtype=torch.float32, device="meta"), torch.zeros(3, dtype=torch.float32).to_sparse()]
    tails = [tuple(int(w) for w in words_at(t._cdata + TYPE_WORD, 2)) for t in kinds]
    tails = [(a & MEANINGFUL, b) for a, b in tails]
    yield len(set(tails)) == len(kinds)
    again = tuple(int(w) for w in words_at(torch.ones(3, dtype=torch.float32)._cdata + TYPE_WORD, 2))
    yield (again[0] & MEANINGFUL, again[1]) == tails[0]
