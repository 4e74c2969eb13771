"""The look that asks every tensor in Python, where torch's records are not laid out as `NativeLook` reads them."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from ..engine.engine import Group
from ..engine.plan import Spans
from ._tensors import has_version, is_native, memory_fault
from ._watch import Ledger, Watch


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

    def hold(self) -> list[Any]:
        """See `Look`."""
        return [watch.present() for watch in self.watches]

    def holds(self, held: list[Any] | None) -> bool:
        """See `Look`."""
        assert held is not None
        for now, before in zip(self.lists, self.copies, strict=True):
            if len(now) != len(before) or any(a is not b for a, b in zip(now, before, strict=True)):
                return False
        if any(p.grad is not None for p in self.idle):
            return False
        found = zip(self.watches, held, self.parameters, self.gradients, self.words, strict=True)
        for watch, grad, parameter, gradient, target in found:
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
            with torch.no_grad():
                tensor.fill_(float(self.ledger.values[k]))
        count_versions(t for w in self.watches for t in {w.parameter, w.member.key})


def _as(tensor: torch.Tensor, value: float) -> float:
    return float(np.float32(value)) if tensor.dtype is torch.float32 else float(value)


def _face(t: torch.Tensor) -> tuple[Any, ...]:
    if not is_native(t):
        return (None,)
    place = t._cdata, t.data_ptr(), t.untyped_storage().nbytes()
    return *place, type(t), t.dtype, t.shape, t.stride(), t.device, t.is_conj(), t.is_neg()


def count_versions(parameters: Iterable[torch.Tensor]) -> None:
    """Tell autograd that parameters have changed; a tensor of inference mode has no version."""
    torch.autograd.graph.increment_version([p for p in parameters if has_version(p)])
