"""DTensor parameters: this process's shard of each takes part in the step as a tensor of its own."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, MutableMapping
from typing import Any

import torch

from ._held import Held


def dtensor() -> Any:
    """The class DTensor of torch, or None while nobody has loaded it: then there are none."""
    return getattr(sys.modules.get("torch.distributed.tensor"), "DTensor", None)


def is_sharded_tensor(p: torch.Tensor) -> bool:
    """Whether a tensor is a DTensor."""
    kind = dtensor()
    return kind is not None and isinstance(p, kind)


def groups_of(p: Any) -> Iterator[tuple[str, Any, str, bool]]:
    """The process groups over which a DTensor is spread, with more than one member each.

    Yields:
        Name, group, type of device, and whether its elements are divided among the members (or else are the same).
    """
    mesh = p.device_mesh
    if mesh.get_coordinate() is None:  # this process has no part in it
        return
    for k, placement in enumerate(p.placements):
        if mesh.size(k) > 1:
            group = mesh.get_group(k)
            yield group.group_name, group, mesh.device_type, not placement.is_replicate()


def placed_gradient(p: Any, grad: Any, label: str) -> Any:
    """The gradient of a DTensor, brought to the parameter's placements.

    Raises:
        RuntimeError: placements or a gradient that do not admit a step of each shard by itself.
    """
    if any(placement.is_partial() for placement in p.placements):
        raise RuntimeError(
            f"{label} has placements {p.placements}; they must be Shard or Replicate, since parts of a sum cannot be "
            "updated one by one. Redistribute the parameter first."
        )
    if not is_sharded_tensor(grad) or grad.device_mesh != p.device_mesh:
        what = f"a DTensor on {grad.device_mesh}" if is_sharded_tensor(grad) else f"a {type(grad).__name__}"
        raise RuntimeError(
            f"{label} is a DTensor on {p.device_mesh}, its gradient {what}; both must be on one mesh. "
            "Use torch.distributed.tensor.distribute_tensor(grad, p.device_mesh, p.placements)."
        )
    return grad if grad.placements == p.placements else grad.redistribute(placements=p.placements)


def present_gradient(p: Any, part: torch.Tensor) -> torch.Tensor | None:
    """This process's part of the gradient that a DTensor has now.

    Args:
        p: the DTensor.
        part: its shard, as it was.

    Returns:
        None if it cannot be read where it lies, or the shard is another one.
    """
    grad = p.grad
    if grad is None or not is_sharded_tensor(grad) or p._local_tensor is not part:
        return None
    found, wanted = grad._spec, p._spec
    if found is not wanted and (found.placements != wanted.placements or found.mesh != wanted.mesh):
        return None
    return grad._local_tensor  # type: ignore[no-any-return]


def local(x: Any) -> torch.Tensor:
    """This process's part of a DTensor; any other tensor itself."""
    part: Any = x._local_tensor if is_sharded_tensor(x) else x
    done: torch.Tensor = part.wait() if hasattr(part, "wait") else part  # an exchange may be under way
    return done


class LocalState(MutableMapping[str, Any]):
    """The state of a DTensor as seen by the step of its shard; what is kept are DTensors, as checkpoints need them.

    Args:
        entry: of the optimizer's state, held for the step.
        whole: the parameter.
        slots: keys of tensors that are spread as the parameter is.
        label: for messages.
    """

    def __init__(self, entry: Held, whole: Any, slots: Collection[str], label: str):
        self.entry, self.whole, self.slots, self.label = entry, whole, slots, label

    def __getitem__(self, key: str) -> Any:
        value, whole = self.entry[key], self.whole
        if not is_sharded_tensor(value):
            if key in self.slots and isinstance(value, torch.Tensor):
                raise RuntimeError(
                    f"state[{key!r}] of {self.label} is a {type(value).__name__}; the state of a DTensor must be "
                    "DTensors. Use torch.distributed.tensor.distribute_tensor(value, p.device_mesh, p.placements)."
                )
            return value
        if value.placements != whole.placements or value.device_mesh != whole.device_mesh:
            with torch.no_grad():
                value = self.entry[key] = value.redistribute(whole.device_mesh, whole.placements)
        return local(value)

    def __setitem__(self, key: str, value: Any) -> None:
        if key in self.slots and isinstance(value, torch.Tensor):
            whole = self.whole
            with torch.no_grad():
                value = dtensor().from_local(
                    value, whole.device_mesh, whole.placements, run_check=False, shape=whole.shape,
                    stride=whole.stride(),
                )  # fmt: skip
        self.entry[key] = value

    def __delitem__(self, key: str) -> None:
        del self.entry[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entry)

    def __len__(self) -> int:
        return len(self.entry)

    def unchanged(self) -> bool:
        """See `Held`."""
        return self.entry.unchanged()
