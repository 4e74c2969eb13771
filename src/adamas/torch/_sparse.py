"""Sparse gradients: only the rows that a gradient has are stepped, with their state (lazy, as torch's SparseAdam)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from ..engine.engine import Array
from ..engine.plan import Row
from ..engine.storage import FORMATS
from ._members import Member
from ._tensors import format_of, owning_array


@dataclass
class TouchedRows(Row):
    """A row of the engine that is made of those rows of a parameter that have a gradient.

    Attributes:
        member: the parameter.
        index: of the rows, one tensor for each sparse dimension.
        blocks: pairs of whole tensors (parameter and state) and the rows taken from them.
    """

    member: Member | None = None
    index: tuple[torch.Tensor, ...] = ()
    blocks: list[tuple[torch.Tensor, torch.Tensor]] = field(default_factory=list)

    def take(self, whole: torch.Tensor) -> Array:
        """The rows of a tensor as an array; `scatter` puts them back."""
        whole = whole.detach()
        one = len(self.index) == 1
        block = whole.index_select(0, self.index[0]) if one else whole[self.index].contiguous()
        self.blocks.append((whole, block))
        return owning_array(block)

    def gather(self) -> None:
        """The rows are taken already."""

    def scatter(self) -> None:
        """Put parameter and state back."""
        for whole, block in self.blocks:
            if len(self.index) == 1:
                whole.index_copy_(0, self.index[0], block)
            else:
                whole[self.index] = block


def touched_rows(member: Member) -> TouchedRows:
    """The engine's row of a member with a sparse gradient; equal indices are added up."""
    grad = member.grad.detach().coalesce()
    values = owning_array(grad.values().contiguous().resolve_conj().resolve_neg())
    kind, g_kind = format_of(member.parameter), format_of(grad)
    assert kind is not None
    row: Any = TouchedRows(
        member.label, values, values, kind, False, False, values, values, g_kind or FORMATS["float32"],
        member, tuple(grad.indices()),
    )  # fmt: skip
    row.p = row.work_p = row.take(member.parameter)
    return row  # type: ignore[no-any-return]
