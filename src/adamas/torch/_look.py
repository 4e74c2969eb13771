"""Whether a plan's tensors are as they were, and where this step's gradients lie.

`NativeLook` reads them all in one compiled call, from torch's own records of each tensor. Where these are laid out in
another way (`layout_known`), `PlainLook` asks tensor by tensor in Python: slower, and `adamas.info()` says so.
"""

from __future__ import annotations

from _thread import _count as thread_count  # all Python threads but the first, however they were started
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..engine.cpu.cache import load_module
from ..engine.cpu.pool import POOL
from ..engine.engine import Group
from ..engine.plan import Spans
from ._look_code import ROW, SOURCE, STATE
from ._plain_look import PlainLook
from ._records import FIRST, MAX_DIMS, MEANINGFUL, TYPE_PLACE, WORDS, layout_known, storage_record, undefined, words_at
from ._tensors import is_native, memory_fault
from ._watch import Ledger, Look, Watch

LARGE = 2**17
"""Bytes of a gradient from which on it is always held: it costs less than a thousandth of its step, and memory of this
size goes back to the operating system when it is freed."""
HELD, HELD_LEAST = 12, 13  # of the words of `NativeLook.arguments`
gradient_of = attrgetter("grad")


class NativeLook:
    """Asks all tensors in one compiled call; arguments as `PlainLook`."""

    def __init__(
        self, lists: Sequence[list[torch.Tensor]], watches: Sequence[Watch], groups: Sequence[Group], spans: Spans
    ):
        self.ledger = Ledger(watches, groups)
        self.alive = [list(one) for one in lists], [t for w in watches for t in w.tensors()], spans
        by_parameter = {id(w.parameter): w for w in watches}
        self.known: dict[bytes, int] = {}
        self.stepped: list[torch.Tensor] = []
        rows: list[tuple[int, ...]] = []
        states: list[tuple[int, ...]] = []
        for parameter in (p for one in lists for p in one):
            watch, begin = by_parameter.get(id(parameter)), len(states)
            if watch is None:
                rows.append((id(parameter), parameter._cdata, *[0] * (ROW // 8 - 2)))
                continue
            self.stepped.append(parameter)
            for tensor in watch.tensors():
                states.append((id(tensor), tensor._cdata, *storage_record(tensor), self._snapshot(tensor)))
            rows.append((
                id(parameter), parameter._cdata, self._snapshot(parameter), *storage_record(parameter), watch.target,
                self._snapshot(watch.grad), watch.size, watch.itemsize * (1 + parameter.is_complex()),
                begin, len(states),
            ))  # fmt: skip
        self.large = [p for p in self.stepped if by_parameter[id(p)].size >= LARGE]
        scalars = [(t.data_ptr(), t.element_size(), k) for t, k in self.ledger.entries]
        self.tables = [
            _table([(id(one), len(one)) for one in lists], 2),
            _table(rows, ROW // 8),
            _table(states, STATE // 8),
            np.frombuffer(b"".join(self.known) or bytes(8 * WORDS), np.int64),
            _table(scalars, 3),
        ]
        lists_at, rows_at, states_at, snapshots_at, scalars_at = (t.ctypes.data for t in self.tables)
        self.arguments: NDArray[np.int64] = np.asarray(
            [
                lists_at, len(lists), rows_at, states_at, snapshots_at, spans.table.ctypes.data, len(spans.table),
                scalars_at, len(scalars), self.ledger.values.ctypes.data, undefined(), len(rows),
                0, LARGE, id(torch.Tensor), id(torch.nn.Parameter),
            ],
            np.int64,
        )  # fmt: skip
        self.address, self.words = self.arguments.ctypes.data, self.arguments.data
        module = load_module("torch_look", SOURCE)
        self.look: Callable[[int], int] = module.look
        self.write: Callable[[int], None] = module.commit
        for watch in watches:
            watch.grad = watch.parameter

    def _snapshot(self, tensor: torch.Tensor) -> int:
        words = words_at(tensor._cdata + FIRST, WORDS)
        words[TYPE_PLACE] &= MEANINGFUL
        return self.known.setdefault(words.tobytes(), len(self.known))

    def hold(self) -> list[Any] | None:
        """See `Look`. Of small gradients only where other threads might drop them: it takes its time."""
        if thread_count() > len(POOL.workers):
            self.words[HELD_LEAST] = 0
            return [*map(gradient_of, self.stepped)]
        if not self.large:
            return None
        self.words[HELD_LEAST] = LARGE
        return [*map(gradient_of, self.large)]

    def holds(self, held: list[Any] | None) -> bool:
        """See `Look`."""
        if held is None:
            return self.look(self.address) == 1
        self.words[HELD] = id(held)
        found = self.look(self.address) == 1
        self.words[HELD] = 0
        return found

    def commit(self, groups: Sequence[Group]) -> None:
        """See `Look`."""
        self.ledger.update(groups)
        self.write(self.address)


def make_look(
    lists: Sequence[list[torch.Tensor]], watches: Sequence[Watch], groups: Sequence[Group], spans: Spans
) -> Look | None:
    """What watches a plan's tensors; `None` if something in it must be seen anew at every step."""
    tensors = [t for w in watches for t in (w.parameter, w.grad, *w.tensors())]
    if any(type(one) is not list for one in lists):
        return None
    if not all(is_native(t) and not memory_fault(t) for t in tensors):  # only such memory is looked at
        return None
    small, plain = all(t.dim() <= MAX_DIMS for t in tensors), all(w.member.whole is None for w in watches)
    return (NativeLook if small and plain and layout_known() else PlainLook)(lists, watches, groups, spans)


def _table(rows: Sequence[tuple[int, ...]], width: int) -> NDArray[np.int64]:
    return np.asarray(rows or [(0,) * width], np.int64)
