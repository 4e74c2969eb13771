"""What one step works on: parameters with gradients, each with its group's present settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import is_, itemgetter
from typing import Any

import torch

from ..engine.engine import Form
from ._held import Held
from ._hosts import Constants, GroupView, Host, read
from ._shards import LocalState


class Reading:
    """A parameter group as it was when last read; it serves the engine as the group's settings.

    Args:
        host: the class's names.
        group: one of `param_groups`.
        settings: keys of it that the class reads; a step depends on no others.
        label: for messages.
        graph: whether the optimizer was made for differentiable steps; as in torch, a group alone cannot ask for them.
    """

    def __init__(self, host: Host, group: dict[str, Any], settings: Collection[str], label: str, graph: bool = False):
        self.host, self.group, self.settings, self.label, self.graph = host, group, settings, label, graph
        self.parameters: list[torch.Tensor] = group["params"]
        self.keys, self.size = self._keys(), len(group)
        self.absent = tuple(key for key in settings if key not in group)
        self.getter: Callable[[Mapping[str, Any]], tuple[Any, ...]] = (
            itemgetter("params", *self.keys) if self.keys else lambda group: (group["params"],)
        )
        self.seen: Any = None
        self.form: Form
        self.read()

    def _keys(self) -> tuple[str, ...]:
        return tuple(key for key in self.group if key in self.settings)

    def read(self) -> None:
        """Read all settings.

        Raises:
            TypeError, ValueError: a setting is missing, or no finite number.
        """
        seen = self.getter(self.group)
        self.view = group = GroupView(self.group, self.settings, self.label)
        self.form, self.constants = read(self.host, group, self.label)
        self.numbers = self.constants.at(0)
        self.differentiable = self.graph and bool(group.get("differentiable"))
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
        if len(group) != self.size or any(key in group for key in self.absent):  # a key was added or taken out
            if self._keys() != self.keys:
                return False
            self.size = len(group)
        if self.fixed:
            try:  # by identity: equal numbers may differ (`np.float32(0.1) == 0.1`)
                if all(map(is_, self.getter(group), self.seen)):
                    return True
            except KeyError:
                return False
        before = self.form, self.differentiable
        if self._keys() != self.keys:
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
        self.fixed = all(r.fixed and not r.absent for r in readings)  # no key can be added that a step depends on

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
        lane: the path of its step; see `_lanes.py`.
        state: its entry in the optimizer's state, held for the step.
        group: index of its group in the engine.
        whole: the DTensor whose shard on this process the parameter is.
    """

    label: str
    parameter: torch.Tensor
    grad: torch.Tensor
    reading: Reading
    lane: str
    state: Held | LocalState
    group: int = 0
    whole: torch.Tensor | None = None

    @property
    def key(self) -> torch.Tensor:
        """What the optimizer knows it by."""
        return self.parameter if self.whole is None else self.whole

    @property
    def slots(self) -> list[str]:
        """State keys of the rule's slots, in its order."""
        return [self.reading.host.key(s.name) for s in self.reading.form.resolved.slots]

    @property
    def scalar_keys(self) -> list[str]:
        """State keys of its scalar slots."""
        return [self.reading.host.key(s.name) for s in self.reading.form.resolved.scalar_slots]
