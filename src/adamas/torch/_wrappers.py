"""Torch's own wrappers that hand an optimizer a part of the parameters: which one, and what it does not admit."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ..engine.engine import Around


@dataclass(frozen=True)
class Zero:
    """The ZeroRedundancyOptimizer that an optimizer is a part of.

    Attributes:
        name: of its process group; the group itself could be neither copied nor pickled.
        device: type of the device on which it communicates.
    """

    name: str
    device: str

    def group(self, needed: bool) -> Any:
        """Its process group; None if it is not in this process, as after pickling.

        Args:
            needed: whether the step is wrong without it.

        Raises:
            RuntimeError: it is needed and not there.
        """
        groups: Any = torch.distributed.distributed_c10d
        try:
            return groups._resolve_process_group(self.name)
        except Exception as error:
            if not needed:
                return None
            raise RuntimeError(
                f"this optimizer is a part of a ZeroRedundancyOptimizer whose process group {self.name!r} does not "
                "exist here; build a ZeroRedundancyOptimizer and load its state_dict."
            ) from error


def zero_around() -> Zero | None:
    """The ZeroRedundancyOptimizer that is making its local optimizer right now, found among the callers.

    Raises:
        ValueError: it overlaps with DDP, for which it needs an optimizer that takes gradients as arguments.
    """
    module = sys.modules.get("torch.distributed.optim.zero_redundancy_optimizer")
    if module is None:
        return None
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_filename == module.__file__ and code.co_name in MAKERS:
            zero = frame.f_locals.get("self")
            if isinstance(zero, module.ZeroRedundancyOptimizer):
                return _described(zero)
        frame = frame.f_back  # type: ignore[assignment]
    return None


MAKERS = ("__init__", "_init_local_optimizer", "_init_zero_for_overlap")


def _described(zero: Any) -> Zero:
    if getattr(zero, "_overlap_with_ddp", False):
        raise ValueError(
            "overlap_with_ddp=True must be False for classes of adamas.torch: ZeroRedundancyOptimizer would hand over "
            "gradients in pieces, in the middle of the backward pass."
        )
    return Zero(zero.process_group.group_name, zero._default_device.type)


REMEDIES = {
    "clip_norm": "call model.clip_grad_norm_(max_norm) of FullyShardedDataParallel before step",
    "nonfinite": "use torch.distributed.fsdp.sharded_grad_scaler.ShardedGradScaler, or look at the norm that "
    "model.clip_grad_norm_ returns",
    "cautious": "leave it out",
}


def check_fsdp1(groups: Iterable[Mapping[str, Any]], around: Around) -> None:
    """Refuse numbers over whole tensors where FullyShardedDataParallel (FSDP1) shows us one process's flat shards.

    Raises:
        ValueError: such a parameter meets `clip_norm`, `nonfinite` or `cautious`.
    """
    if "torch.distributed.fsdp" not in sys.modules:
        return
    for k, group in enumerate(groups):
        asked = {"clip_norm": around.clip_norm, "nonfinite": around.nonfinite, "cautious": group.get("cautious")}
        plain = (None, False, "propagate")
        names = [name for name, value in asked.items() if value not in plain]
        if names and any(getattr(p, "_fsdp_flattened", False) for p in group["params"]):
            name = names[0]
            raise ValueError(
                f"{name}={asked[name]!r} must be left out for param_groups[{k}]: its parameters are shards of "
                "FullyShardedDataParallel (FSDP1), and each process would reckon with its own only. "
                f"Instead {REMEDIES[name]}; or use torch.distributed.fsdp.fully_shard, whose shards can be reduced."
            )
