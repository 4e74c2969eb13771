"""PyTorch front end: torch.optim's Adam family, and every other rule, at memory speed.

`from adamas.torch import AdamW` in place of `from torch.optim import AdamW`; nothing else changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._classes import make_classes, optimizer
from ._helpers import decay_groups, patch
from ._lanes import paths_taken
from ._optimizer import FusedOptimizer
from ._records import layout_known as looks_fast

CLASSES: dict[str, type[FusedOptimizer]] = make_classes()
globals().update(CLASSES)

__all__ = ["CLASSES", "FusedOptimizer", "decay_groups", "looks_fast", "optimizer", "patch", "paths_taken", *CLASSES]

if TYPE_CHECKING:

    def __getattr__(name: str) -> type[FusedOptimizer]: ...
