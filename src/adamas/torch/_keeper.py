"""State of torch parameters: tensors in the optimizer's `state`, seen by the engine as arrays over their memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

import numpy as np
import torch

from ..engine.engine import Array, Group
from ..engine.plan import Row, memory_order
from ..engine.storage import FORMATS, Format
from ._checks import check_shape
from ._members import Member
from ._sparse import TouchedRows
from ._tensors import array_of, fits, format_of, is_as_read, is_native, memory_fault, new_state

ROUNDED = 2**24  # from here on float32 skips whole numbers


class Keeper:
    """Gives and makes state.

    Attributes:
        members: by the identity of their row.
    """

    def __init__(self) -> None:
        self.members: dict[int, Member] = {}

    def formats(self, row: Row, group: Group) -> tuple[Format, ...]:
        """Formats of the slots: those of the tensors that are there, else the compute type."""
        member = self.members[id(row)]
        return tuple(_format(member.state.get(key), row) for key in member.slots)

    def slots(self, row: Row, group: Group) -> dict[str, Array]:
        """The slots of a row, made at their start values if new; a tensor laid out otherwise is replaced."""
        member = self.members[id(row)]
        begin(member, group)
        resolved, keys = group.form.resolved, member.slots
        like = row.work_p if not isinstance(row, TouchedRows) else memory_order(array_of(member.parameter))
        places = {slot.name: place for place, slot in enumerate(resolved.slots)}
        for name in sorted(places, key=_order(member)):
            key, place = keys[places[name]], places[name]
            held = member.state.get(key)
            if usable(held) and fits(held, member.parameter, like):
                continue
            kind = _format(held, row)
            start = 0.0 if held is not None else group.start(resolved.slots[place].start)
            made = new_state(member.parameter, like, kind, place, start)
            if held is not None:
                made.copy_(check_shape(held, member, key))
            member.state[key] = made
        seen = row.take if isinstance(row, TouchedRows) else array_of
        return {slot.name: seen(member.state[key]) for slot, key in zip(resolved.slots, keys, strict=True)}


def _order(member: Member) -> Any:
    order = member.reading.host.order
    return lambda name: order.index(name) if name in order else 0


def usable(held: Any) -> TypeGuard[torch.Tensor]:
    """Whether state can be used where it lies."""
    return isinstance(held, torch.Tensor) and is_native(held) and is_as_read(held) and format_of(held) is not None


def _format(held: Any, row: Row) -> Format:
    found = format_of(held) if isinstance(held, torch.Tensor) else None
    return found or FORMATS[row.format.compute]


def begin(member: Member, group: Group) -> None:
    """Make the step count and the scalar slots, where they are missing or of another kind."""
    host, state = member.reading.host, member.state
    if host.integer:
        if "step" not in state:
            state["step"] = 0
    elif host.counts and not is_counter(state.get("step")):
        made = new_counter(float(state.get("step", 0.0)), member)
        if "step" in state or not state:
            state["step"] = made
        else:  # first, as torch has it
            items = dict(state)
            for key in items:
                del state[key]
            for key, value in {"step": made, **items}.items():
                state[key] = value
    for slot in group.form.resolved.scalar_slots:
        key = host.key(slot.name)
        if not is_counter(state.get(key)):
            value = state.get(key, group.start(slot.start))
            state[key] = new_counter(float(value), member)


def new_counter(value: float, member: Member) -> torch.Tensor:
    """A step count or scalar slot: on the CPU, whatever torch's default device and modes are."""
    with torch.inference_mode(False):
        return torch.tensor(value, dtype=counter_dtype(member.reading.view), device="cpu")


def is_counter(value: Any) -> bool:
    """Whether a step count or scalar slot is kept as it should be."""
    return (
        isinstance(value, torch.Tensor)
        and value.dim() == 0
        and is_native(value)
        and is_as_read(value)
        and not value.is_inference()
        and not memory_fault(value)
        and value.dtype in (torch.float32, torch.float64)
    )


def counter_dtype(group: Mapping[str, Any]) -> torch.dtype:
    """float32; float64 if that is torch's default and the group is not fused, as in torch. No bit depends on it."""
    wide = torch.get_default_dtype() is torch.float64 and not group.get("fused")
    return torch.float64 if wide else torch.float32


def history(member: Member, exact: Mapping[int, int]) -> tuple[float, ...]:
    """Steps done and the values of the scalar slots; the latter only if they are there.

    Args:
        member: the parameter.
        exact: what `note` has kept.
    """
    host, state = member.reading.host, member.state
    if host.counts:
        t = _plain(state.get("step", 0.0))
        kept = exact.get(id(member.key), 0)
        t = kept if t >= ROUNDED and np.float32(kept) == t else t
    else:
        t = float(any(state.get(key) is not None for key in member.slots))
    values = [state.get(key) for key in member.scalar_keys]
    found = [_plain(value) for value in values if value is not None]
    return (t, *found) if len(found) == len(values) else (t,)


def note(member: Member, group: Group, exact: dict[int, int]) -> None:
    """Write a group's step count and scalar slots into the state of a parameter.

    Args:
        member: the parameter.
        group: its group in the engine.
        exact: takes the count where float32 cannot hold it.
    """
    host, state = member.reading.host, member.state
    if group.t >= ROUNDED:
        exact[id(member.key)] = group.t
    if host.integer:
        state["step"] = int(group.t)
    elif host.counts:
        state["step"].fill_(group.t)
    for slot in group.form.resolved.scalar_slots:
        held = state[host.key(slot.name)]
        if not held.requires_grad:  # else the step on torch's operations has written it
            held.fill_(group.scalar_state[slot.name])


def _plain(value: Any) -> float:
    return float(value.detach() if isinstance(value, torch.Tensor) else value)
