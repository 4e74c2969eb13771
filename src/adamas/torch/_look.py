"""Whether a plan's tensors are as they were, and where this step's gradients lie.

`NativeLook` reads them all in one compiled call, from torch's own records of each tensor. Where these are laid out in
another way (`layout_known`), `PlainLook` asks tensor by tensor in Python: slower, and `adamas.info()` says so.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ..engine.cpu.cache import load_module
from ..engine.engine import Group
from ..engine.plan import Spans
from ._look_code import ROW, SOURCE, STATE
from ._members import Member
from ._records import FIRST, MAX_DIMS, MEANINGFUL, TYPE_PLACE, WORDS, layout_known, storage_record, undefined, words_at
from ._shards import present_gradient
from ._tensors import is_native, memory_fault


@dataclass
class Watch:
    """One parameter of a plan.

    Attributes:
        parameter, grad: as they were.
        target: address of the word that takes the gradient's address.
        size, itemsize: bytes of the gradient and of one of its elements.
        member: its state and group.
    """

    parameter: torch.Tensor
    grad: torch.Tensor
    target: int
    size: int
    itemsize: int
    member: Member

    def present(self) -> torch.Tensor | None:
        """The gradient that is there now."""
        whole = self.member.whole
        return self.parameter.grad if whole is None else present_gradient(whole, self.parameter)

    def scalars(self) -> list[torch.Tensor]:
        """Step count and scalar slots, those that are tensors, in order."""
        host, state = self.member.reading.host, self.member.state
        keys = [*(["step"] if host.counts else []), *self.member.scalar_keys]
        return [state[key] for key in keys]

    def tensors(self) -> list[torch.Tensor]:
        """All state that the step reads."""
        return [self.member.state[key] for key in self.member.slots] + self.scalars()


class Look(Protocol):
    """See `make_look`."""

    def holds(self) -> bool:
        """Whether all is as it was."""
        ...

    def commit(self, groups: Sequence[Group]) -> None:
        """Write the groups' step counts and scalar slots into their tensors."""
        ...

    def touch(self) -> None:
        """Tell autograd that the parameters have changed."""
        ...


class Ledger:
    """Step counts and scalar slots of the groups, and the tensors that hold them."""

    def __init__(self, watches: Sequence[Watch], groups: Sequence[Group]):
        self.width = 1 + max((len(g.scalar_state) for g in groups), default=0)
        self.values = np.zeros(max(1, len(groups) * self.width))
        self.narrow = [False] * len(groups)
        self.entries: list[tuple[torch.Tensor, int]] = []
        for watch in watches:
            first = 0 if watch.member.reading.host.counts else 1
            for place, tensor in enumerate(watch.scalars(), first):
                self.entries.append((tensor, watch.member.group * self.width + place))
                self.narrow[watch.member.group] |= tensor.dtype is torch.float32
        self.scalar = any(g.scalar_state for g in groups)
        self.update(groups)

    def update(self, groups: Sequence[Group]) -> None:
        """Take the groups' numbers, rounded as the tensors hold them: a resumed run goes on from those."""
        self.values[: len(groups) * self.width : self.width] = [g.t for g in groups]
        if not self.scalar:
            return
        for k, group in enumerate(groups):
            for place, name in enumerate(group.scalar_state, 1):
                value = group.scalar_state[name]
                value = group.scalar_state[name] = float(np.float32(value)) if self.narrow[k] else value
                self.values[k * self.width + place] = value


class PlainLook:
    """Asks every tensor in Python.

    Args:
        lists: the groups' parameters.
        watches: parameters that are stepped.
        groups: of the engine.
        spans: memory that the step writes.
    """

    def __init__(
        self, lists: Sequence[list[torch.Tensor]], watches: Sequence[Watch], groups: Sequence[Group], spans: Spans
    ):
        self.lists, self.copies = lists, [list(one) for one in lists]
        self.ledger = Ledger(watches, groups)
        self.watches, self.spans = watches, spans
        stepped = {id(w.member.key) for w in watches}
        self.idle = [p for one in lists for p in one if id(p) not in stepped]
        self.parameters = [_face(w.parameter) for w in watches]
        self.gradients = [_face(w.grad)[3:] for w in watches]
        self.states = [(t, _face(t)) for w in watches for t in w.tensors()]
        self.words = [(ctypes.c_int64).from_address(w.target) for w in watches]
        for watch in watches:
            watch.grad = watch.parameter

    def holds(self) -> bool:
        """See `Look`."""
        for now, before in zip(self.lists, self.copies, strict=True):
            if len(now) != len(before) or any(a is not b for a, b in zip(now, before, strict=True)):
                return False
        if any(p.grad is not None for p in self.idle):
            return False
        found = zip(self.watches, self.parameters, self.gradients, self.words, strict=True)
        for watch, parameter, gradient, target in found:
            grad = watch.present()
            if grad is None or _face(watch.parameter) != parameter or _face(grad)[3:] != gradient or memory_fault(grad):
                return False
            low = grad.data_ptr()
            if watch.size and self.spans.meets(low, low + watch.size):
                return False
            target.value = low
        if any(_face(tensor) != face for tensor, face in self.states):
            return False
        return all(tensor.item() == _as(tensor, self.ledger.values[k]) for tensor, k in self.ledger.entries)

    def commit(self, groups: Sequence[Group]) -> None:
        """See `Look`."""
        self.ledger.update(groups)
        for tensor, k in self.ledger.entries:
            tensor.fill_(float(self.ledger.values[k]))

    def touch(self) -> None:
        """See `Look`."""
        count_versions(t for w in self.watches for t in {w.parameter, w.member.key})


def _as(tensor: torch.Tensor, value: float) -> float:
    return float(np.float32(value)) if tensor.dtype is torch.float32 else float(value)


def _face(t: torch.Tensor) -> tuple[Any, ...]:
    if type(t) not in (torch.Tensor, torch.nn.Parameter) or t.layout is not torch.strided:
        return (None,)
    place = t._cdata, t.data_ptr(), t.untyped_storage().nbytes()
    return *place, type(t), t.dtype, t.shape, t.stride(), t.device, t.is_conj(), t.is_neg()


def count_versions(parameters: Iterable[torch.Tensor]) -> None:
    """Tell autograd that parameters have changed; a tensor of inference mode has no version."""
    torch.autograd.graph.increment_version([p for p in parameters if not p.is_inference()])


class NativeLook:
    """Asks all tensors in one compiled call; arguments as `PlainLook`."""

    def __init__(
        self, lists: Sequence[list[torch.Tensor]], watches: Sequence[Watch], groups: Sequence[Group], spans: Spans
    ):
        self.ledger = Ledger(watches, groups)
        self.alive = [list(one) for one in lists], [t for w in watches for t in w.tensors()], spans
        by_parameter = {id(w.parameter): w for w in watches}
        self.known: dict[bytes, int] = {}
        rows: list[tuple[int, ...]] = []
        states: list[tuple[int, ...]] = []
        for parameter in (p for one in lists for p in one):
            watch, begin = by_parameter.get(id(parameter)), len(states)
            if watch is None:
                rows.append((id(parameter), parameter._cdata, *[0] * (ROW // 8 - 2)))
                continue
            for tensor in watch.tensors():
                states.append((id(tensor), tensor._cdata, *storage_record(tensor), self._snapshot(tensor)))
            rows.append((
                id(parameter), parameter._cdata, self._snapshot(parameter), *storage_record(parameter), watch.target,
                self._snapshot(watch.grad), watch.size, watch.itemsize * (1 + parameter.is_complex()),
                begin, len(states),
            ))  # fmt: skip
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
            ],
            np.int64,
        )  # fmt: skip
        self.address = self.arguments.ctypes.data
        module = load_module("torch_look", SOURCE)
        self.look: Callable[[int], int] = module.look
        self.write: Callable[[int], None] = module.commit
        self.move: Callable[[int], None] = module.touch
        for watch in watches:
            watch.grad = watch.parameter

    def _snapshot(self, tensor: torch.Tensor) -> int:
        words = words_at(tensor._cdata + FIRST, WORDS)
        words[TYPE_PLACE] &= MEANINGFUL
        return self.known.setdefault(words.tobytes(), len(self.known))

    def holds(self) -> bool:
        """See `Look`."""
        return self.look(self.address) == 1

    def commit(self, groups: Sequence[Group]) -> None:
        """See `Look`."""
        self.ledger.update(groups)
        self.write(self.address)

    def touch(self) -> None:
        """See `Look`."""
        self.move(self.address)


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
