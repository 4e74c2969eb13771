"""Torch tensors in memory whose every other byte is a canary, and what that memory must hold.

An `Arena` is memory that torch's tensors lie in (`actual`) beside what it must be (`image`): whoever changes a byte of
the one without the other is found by one comparison.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import torch

from family import hard_numbers

Array = np.ndarray[Any, Any]
DTYPES = {
    "float32": (torch.float32, np.dtype(np.float32)),
    "float64": (torch.float64, np.dtype(np.float64)),
    "float16": (torch.float16, np.dtype(np.float16)),
    "bfloat16": (torch.bfloat16, np.dtype(ml_dtypes.bfloat16)),
    "complex64": (torch.complex64, np.dtype(np.float32)),
    "complex128": (torch.complex128, np.dtype(np.float64)),
}
SIZE = 32_768
_rng = np.random.default_rng(7)
NOISE = _rng.integers(0, 256, 2 * SIZE, np.uint8)
POOL = 8192
with np.errstate(all="ignore"):
    ORDINARY = _rng.standard_normal(POOL) * 10.0 ** _rng.uniform(-3, 2, POOL)
HARD = {
    kind: hard_numbers(_rng, POOL, dtype)
    if dtype.itemsize > 2
    else _rng.integers(0, 65_536, POOL, np.uint16).view(dtype)  # any bits are a number
    for kind, (_, dtype) in DTYPES.items()
}
MILD = {kind: ORDINARY.astype(dtype) for kind, (_, dtype) in DTYPES.items()}


def itemsize(kind: str) -> int:
    """Bytes of an element."""
    return DTYPES[kind][0].itemsize


def values(rng: random.Random, kind: str, shape: Sequence[int], hard: bool) -> Array:
    """Random numbers, complex ones as pairs; hard ones hold infinities, NaN and denormals too."""
    if kind.startswith("complex"):
        shape = (*shape, 2)
    n = math.prod(shape)
    pool = (HARD if hard else MILD)[kind]
    start = rng.randrange(POOL)
    return np.resize(pool[start:] if start + n <= POOL else pool, shape)


def settle(actual: Array, expected: Array) -> bool:
    """Whether numbers are equal: bit by bit, any NaN equal to any NaN; `expected` takes the bits of those NaN."""
    if actual.tobytes() == expected.tobytes():
        return True
    both = np.isnan(actual.astype(np.float64)) & np.isnan(expected.astype(np.float64))
    expected[both] = actual[both]
    return actual.tobytes() == expected.tobytes()


class Arena:
    """Memory that tensors lie in.

    Args:
        rng: random.
        size: bytes.
        tensor: memory of torch's to be taken over as it is; else new memory full of canaries.

    Attributes:
        taken: spans that have been given to tensors, so far; all lie before `used`.
        resizable: whether torch must be able to resize it.
    """

    def __init__(self, rng: random.Random, size: int = SIZE, tensor: torch.Tensor | None = None):
        self.taken: list[tuple[int, int]] = []
        self.resizable = False
        if tensor is not None:
            self.adopt(tensor)
            return
        self.used, start = 0, rng.randrange(SIZE)
        self.actual: Array = np.resize(NOISE[start : start + min(size, SIZE)], size)
        self.image = self.actual.copy()
        self.storage = torch.from_numpy(self.actual).untyped_storage()

    def adopt(self, tensor: torch.Tensor) -> None:
        """Take over the storage of a tensor, which torch may have made or moved, as it is; all of it counts as used."""
        self.storage = tensor.untyped_storage()
        memory = (ctypes.c_uint8 * self.storage.nbytes()).from_address(self.storage.data_ptr())
        self.actual = np.frombuffer(memory, np.uint8)  # Tensor.numpy() would forbid to resize the storage
        self.image = self.actual.copy()
        self.used = len(self.actual)

    def holds(self) -> bool:
        """Whether every byte is as it must be."""
        return bool((self.actual == self.image).all())


@dataclass(eq=False)
class Place:
    """Where a tensor's elements lie: byte offset of the first, strides in elements."""

    arena: Arena
    kind: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def view(self, memory: Array) -> Array:
        """The elements within an arena's `actual` or `image`, complex ones as pairs."""
        size, dtype = itemsize(self.kind), DTYPES[self.kind][1]
        shape, strides = self.shape, tuple(s * size for s in self.strides)
        if self.kind.startswith("complex"):
            shape, strides = (*shape, 2), (*strides, dtype.itemsize)
        if not math.prod(shape):
            return np.empty(shape, dtype)
        return np.ndarray(shape, dtype, memory, self.offset, strides)

    def put(self, new: Array) -> None:
        """Write elements as a user would: both the memory and what it must be."""
        self.view(self.arena.actual)[...] = new
        self.expect(new)

    def expect(self, new: Array) -> None:
        """State what the elements must be from now on."""
        self.view(self.arena.image)[...] = new

    def sync(self) -> None:
        """What torch itself has written here is right."""
        self.expect(self.view(self.arena.actual))

    def forgive(self) -> None:
        """Any NaN is as good as any other."""
        actual, image = self.view(self.arena.actual), self.view(self.arena.image)
        both = np.isnan(actual.astype(np.float64)) & np.isnan(image.astype(np.float64))
        if both.any():
            image[both] = actual[both]

    def tensor(self, own: bool) -> torch.Tensor:
        """The tensor there; with a storage of its own, or in that of the whole arena."""
        dtype, size = DTYPES[self.kind][0], itemsize(self.kind)
        storage, offset = self.arena.storage, self.offset
        if own or offset % size or self.arena.actual.ctypes.data % size:
            ahead = min(offset // size, offset % 3)
            low, high = offset - ahead * size, offset + self.extent() * size
            part = torch.from_numpy(self.arena.actual[low : high + (-high) % 8])
            storage, offset = part.untyped_storage(), ahead * size
        return torch.empty(0, dtype=dtype).set_(storage, offset // size, self.shape, self.strides)

    def extent(self) -> int:
        """Elements from the first to the last, those between included."""
        if not math.prod(self.shape):
            return 0
        return 1 + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))

    def span(self) -> tuple[int, int]:
        """Bytes of the arena from the first element to the last."""
        return self.offset, self.offset + self.extent() * itemsize(self.kind)

    def meets(self, other: Place) -> bool:
        """Whether two places share bytes."""
        if self.arena is not other.arena:
            return False
        (a, b), (c, d) = self.span(), other.span()
        if a >= d or c >= b:
            return False
        return bool(np.shares_memory(self.view(self.arena.actual), other.view(other.arena.actual)))

    @property
    def dense(self) -> bool:
        """Whether the elements fill the memory between the first and the last."""
        return self.extent() == math.prod(self.shape)

    @property
    def repeats(self) -> bool:
        """Whether it is expanded: several elements are one."""
        return self.extent() > 0 and any(s == 0 and n > 1 for s, n in zip(self.strides, self.shape, strict=True))

    def same(self, other: Place) -> bool:
        """Whether both are the same elements."""
        mine, others = (self.shape, self.strides, self.offset), (other.shape, other.strides, other.offset)
        return self.arena is other.arena and mine == others

    def same_layout(self, other: Place) -> bool:
        """Whether strides are equal, where they matter."""
        return all(a == b or n == 1 for a, b, n in zip(self.strides, other.strides, self.shape, strict=True))

    def __str__(self) -> str:
        base = self.arena.actual.ctypes.data + self.offset
        return f"{self.kind}{list(self.shape)} strides {list(self.strides)} at {base:#x}"


def locate(tensor: torch.Tensor, arenas: Sequence[Arena], kind: str) -> Place | None:
    """The place of a tensor of ours."""
    address = tensor.data_ptr()
    for arena in arenas:
        offset = address - arena.actual.ctypes.data
        if 0 <= offset < len(arena.actual):
            return Place(arena, kind, offset, tuple(tensor.shape), tensor.stride())
    return None


def strides_of(rng: random.Random, shape: tuple[int, ...], style: str) -> tuple[int, ...]:
    """Strides of a style: "c" (contiguous), "permuted" (transposed, channels last, ...), "gaps", "expanded", "windows".

    Axes of length 1 have any.
    """
    order = list(range(len(shape)))
    if style == "permuted" or (style == "gaps" and rng.random() < 0.5):
        rng.shuffle(order)
    strides, step = [0] * len(shape), 1
    if style == "gaps":
        step = rng.choice((1, 2, 3))
    for axis in reversed(order):
        strides[axis] = step
        step *= max(1, shape[axis])
        if style == "gaps" and shape[axis] > 1:
            step += rng.choice((0, 1, 5))
    if style == "expanded":
        strides = [0 if rng.random() < 0.6 else s for s in strides]
    if style == "windows":
        strides = [min(s, 1 + k) for k, s in enumerate(strides)]
    if rng.random() < 0.3:
        strides = [rng.choice((0, 1, 7, s)) if n == 1 else s for s, n in zip(strides, shape, strict=True)]
    return tuple(strides)


class Memory:
    """All arenas of a program."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.arenas = [Arena(rng)]

    def reserve(self, kind: str, shape: tuple[int, ...], strides: tuple[int, ...], live: Sequence[Place] = ()) -> Place:
        """A place for a tensor, canaries on both sides of it; some lie where another, gone since, lay.

        Args:
            kind, shape, strides: of the tensor.
            live: places in use, which are not taken again.
        """
        rng = self.rng
        place = Place(self.arenas[-1], kind, 0, shape, strides)
        need = place.extent() * itemsize(kind)
        if live and rng.random() < 0.6:
            for arena in self.arenas:
                for low, high in arena.taken:
                    if high - low >= need and not any(
                        p.arena is arena and p.span()[0] < high and low < p.span()[1] for p in live
                    ):
                        place.arena, place.offset = arena, low - low % -itemsize(kind)
                        if place.offset + need <= high:
                            return place
        margin = rng.choice((16, 24, 64, 132))
        arena = self.arenas[-1]
        if arena.used + margin + need + 160 > len(arena.actual):
            arena = Arena(rng, max(SIZE, need + 512))
            self.arenas.append(arena)
        base, odd = arena.actual.ctypes.data, rng.random() < 0.06 and kind != "complex128"  # torch itself crashes there
        start = arena.used + margin
        start += -(base + start) % itemsize(kind) + (rng.randrange(1, 8) if odd else 0)
        place.arena, place.offset = arena, start
        arena.used = start + need + 16
        arena.taken.append((start, start + need))
        return place

    def fresh(self, kind: str, place: Place) -> tuple[Place, torch.Tensor]:
        """A tensor of a layout in memory that torch has allocated, so that it may resize it."""
        size = itemsize(kind)
        whole = torch.empty(place.extent() * size + 64, dtype=torch.uint8)
        arena = Arena(self.rng, tensor=whole)
        arena.actual[...] = np.resize(NOISE, len(arena.actual))
        arena.image[...] = arena.actual
        self.arenas.append(arena)
        arena.resizable = True
        made = Place(arena, kind, 16, place.shape, place.strides)
        return made, torch.empty(0, dtype=DTYPES[kind][0]).set_(
            whole.untyped_storage(), 16 // size, made.shape, made.strides
        )

    def holds(self) -> bool:
        """Whether every byte of every arena is as it must be."""
        return all(arena.holds() for arena in self.arenas)


SHAPES: list[tuple[int, ...]] = [
    (), (1,), (3,), (0,), (15,), (16,), (17,), (63,), (64,), (65,), (2, 3), (5, 1), (1, 1, 1), (3, 0, 2), (4, 5, 3),
    (2, 3, 4, 2), (1, 3, 2, 5), (2, 1, 3, 2, 1), (1, 2, 3, 1, 2, 2), (7, 19), (129,),
]  # fmt: skip
LARGE = (2, 50_001)
DENSE = ("c", "c", "permuted")
STYLES = ("c", "c", "c", "permuted", "permuted", "gaps")
GRADIENT_STYLES = ("c", "permuted", "gaps", "expanded", "windows")
assert all(n > 0 for n in itertools.chain([SIZE, POOL], (len(s) + 1 for s in SHAPES)))
