"""Parameter groups as most people want them, and torch.optim's classes swapped in code that one cannot edit."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import torch

from .._arguments import number
from ..rules import WEIGHT_DECAY


def decay_groups(model: torch.nn.Module, weight_decay: float = 0.01) -> list[dict[str, Any]]:
    """The usual two groups: weight decay for matrices and filters, none for biases, norms and other vectors.

    Args:
        model: whose trainable parameters are grouped, by name; shared ones once.
        weight_decay: of the first group; in [0, inf).

    Returns:
        Groups for any optimizer: those decayed, then those not; an empty one is left out.

    Raises:
        TypeError, ValueError: a weight decay outside the range; a model without trainable parameters.
    """
    decay = number(WEIGHT_DECAY, weight_decay)
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if not named:
        raise ValueError("the model has no trainable parameter; set requires_grad=True where it should learn.")
    groups = [
        {"params": [(n, p) for n, p in named if p.dim() >= 2], "weight_decay": decay},
        {"params": [(n, p) for n, p in named if p.dim() < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


class patch:
    """Put our classes in the place of torch.optim's of the same names, until `undo()` or the end of a `with` block.

    Code that looks classes up as `torch.optim.Adam` gets ours; names imported before the patch stay as they are.

    Raises:
        RuntimeError: it is in force already.
    """

    _current: patch | None = None

    def __init__(self) -> None:
        from . import CLASSES

        if patch._current is not None:
            raise RuntimeError("torch.optim is patched already; undo() that patch first.")
        self._before = {name: getattr(torch.optim, name) for name in CLASSES if hasattr(torch.optim, name)}
        for name in self._before:
            setattr(torch.optim, name, CLASSES[name])
        patch._current = self

    def undo(self) -> None:
        """Put torch's classes back; a second call does nothing."""
        if patch._current is self:
            for name, theirs in self._before.items():
                setattr(torch.optim, name, theirs)
            patch._current = None

    def __enter__(self) -> patch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()
