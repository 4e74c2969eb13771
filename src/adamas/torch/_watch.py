"""What is watched between steps: parameters with their gradients and state, step counts, and what a look must do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from ..engine.engine import Group
from ._members import Member
from ._shards import present_gradient


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

    def hold(self) -> list[Any] | None:
        """Gradients that are to stay alive during the step, whoever drops them meanwhile."""
        ...

    def holds(self, held: list[Any] | None) -> bool:
        """Whether all is as it was; notes where gradients are.

        Args:
            held: from `hold`. False, too, if other gradients are there now.
        """
        ...

    def commit(self, groups: Sequence[Group]) -> None:
        """Note a step: write the groups' step counts and scalar slots into their tensors, and tell autograd that the
        parameters have changed.
        """
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
        """Take the groups' numbers, rounded as the tensors hold them: a resumed run continues from those."""
        self.values[: len(groups) * self.width : self.width] = [g.t for g in groups]
        if not self.scalar:
            return
        for k, group in enumerate(groups):
            for place, name in enumerate(group.scalar_state, 1):
                value = group.scalar_state[name]
                value = group.scalar_state[name] = float(np.float32(value)) if self.narrow[k] else value
                self.values[k * self.width + place] = value
