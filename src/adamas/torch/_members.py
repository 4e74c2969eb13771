"""What one step works on: parameters with gradients, each with its group's present settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import is_, itemgetter
from typing import Any

import torch

from ..engine.engine import Form
from ._hosts import Constants, Host, read
from ._tensors import format_of, is_native

UNREAD = ("params", "param_names", "initial_lr")  # keys of a group that no step depends on


class Reading:
    """A parameter group as it was when last read; it serves the engine as the group's settings.

    Args:
        host: the class's names.
        group: one of `param_groups`.
        label: for messages.
    """

    def __init__(self, host: Host, group: dict[str, Any], label: str):
        self.host, self.group, self.label = host, group, label
        self.parameters: list[torch.Tensor] = group["params"]
        self.keys = tuple(key for key in group if key not in UNREAD)
        self.getter: Callable[[Mapping[str, Any]], tuple[Any, ...]] = (
            itemgetter("params", *self.keys) if self.keys else lambda group: (group["params"],)
        )
        self.seen: Any = None
        self.form: Form
        self.read()

    def read(self) -> None:
        """Read all settings.

        Raises:
            TypeError, ValueError: a setting is no finite number.
        """
        group, seen = self.group, self.getter(self.group)
        self.form, self.constants = read(self.host, group, self.label)
        self.numbers = self.constants.at(0)
        self.differentiable = bool(group.get("differentiable"))
        self.seen = seen
        parts = [x for value in group.values() for x in (value if isinstance(value, tuple) else (value,))]
        self.fixed = all(isinstance(x, (int, float, str, type(None), list)) for x in parts) and not any(
            isinstance(group[key], list) for key in self.keys
        )  # tensors and lists may change within

    def same(self) -> bool:
        """Look at the group again; False if it needs another form or other parameters."""
        group = self.group
        if group["params"] is not self.parameters:
            return False
        if self.fixed:
            try:  # by identity: equal numbers may differ (`np.float32(0.1) == 0.1`)
                if all(map(is_, self.getter(group), self.seen)):
                    return True
            except KeyError:
                return False
        before = self.form, self.differentiable
        if tuple(key for key in group if key not in UNREAD) != self.keys:
            return False
        self.read()
        return before == (self.form, self.differentiable)

    @property
    def values(self) -> Mapping[str, float]:
        """By the formula's names."""
        return self.constants.values

    def at(self, step: int) -> tuple[float, ...]:
        """All values in the order of declaration."""
        return self.numbers


class Glance:
    """All groups at once, which may be many: whether they hold the very objects that were read."""

    def __init__(self, readings: Sequence[Reading]):
        self.groups = [r.group for r in readings]
        self.getters = [r.getter for r in readings]
        self.seen = [*chain.from_iterable(r.seen for r in readings)]
        self.fixed = all(r.fixed for r in readings)

    def holds(self, groups: Sequence[dict[str, Any]]) -> bool:
        """Look at as many groups; False does not say that anything differs."""
        if not self.fixed or not all(map(is_, groups, self.groups)):
            return False
        try:
            now = [getter(group) for getter, group in zip(self.getters, groups, strict=True)]
        except KeyError:
            return False
        return all(map(is_, chain.from_iterable(now), self.seen))


Settings = Constants | Reading


@dataclass(eq=False)
class Member:
    """A parameter in a step.

    Attributes:
        label: for messages.
        lane: "native", "rows" (sparse gradient) or "operations" (on torch's operations).
        state: its entry in the optimizer's state.
        group: index of its group in the engine.
    """

    label: str
    parameter: torch.Tensor
    grad: torch.Tensor
    reading: Reading
    lane: str
    state: dict[str, Any]
    group: int = 0

    @property
    def slots(self) -> list[str]:
        """State keys of the rule's slots, in its order."""
        return [self.reading.host.key(s.name) for s in self.reading.form.resolved.slots]

    @property
    def scalar_keys(self) -> list[str]:
        """State keys of its scalar slots."""
        return [self.reading.host.key(s.name) for s in self.reading.form.resolved.scalar_slots]


def members_of(readings: Sequence[Reading], state: Mapping[Any, Any], name: str) -> Iterator[Member]:
    """All parameters that have a gradient.

    Args:
        readings: of the groups.
        state: the optimizer's.
        name: the class's, for messages.

    Raises:
        RuntimeError: a gradient that the class does not take.
    """
    for k, reading in enumerate(readings):
        names = reading.group.get("param_names")
        for j, p in enumerate(reading.parameters):
            if p.grad is None:
                continue
            label = names[j] if names else f"param_groups[{k}]['params'][{j}]"
            if p.grad.shape != p.shape:
                raise RuntimeError(
                    f"{label} has shape {tuple(p.shape)}, its gradient {tuple(p.grad.shape)}; they must be equal."
                )
            grad, lane = _lane(reading, p, p.grad, name)
            yield Member(label, p, grad, reading, lane, state[p])


def _lane(reading: Reading, p: torch.Tensor, grad: torch.Tensor, name: str) -> tuple[torch.Tensor, str]:
    host, group = reading.host, reading.group
    if grad.layout is not torch.strided:
        if grad.layout is not torch.sparse_coo or not host.sparse:
            better = ", please consider SparseAdam instead" if name in ("Adam", "AdamW", "Adamax") else ""
            raise RuntimeError(f"{name} does not support sparse gradients{better}")
        if host.sparse == "rows" or (host.sparse == "plain" and not group["momentum"] and not group["weight_decay"]):
            if not host.rows and group["weight_decay"]:
                raise RuntimeError("weight_decay option is not compatible with sparse gradients")
            return grad, "rows" if is_native(p) and format_of(p) is not None else "operations"
        grad = grad.to_dense()
    elif host.rows:
        raise RuntimeError(f"{name} does not support dense gradients, please consider Adam instead")
    if reading.differentiable or p.is_conj() or p.is_neg() or not (is_native(p) and is_native(grad)):
        return grad, "operations"
    return grad, "operations" if format_of(p) is None or format_of(grad) is None else "native"
