"""Which path each parameter's step takes.

- "native": our kernel, over ordinary memory of this processor's.
- "rows": our kernel over the rows that a sparse gradient has.
- "torch": torch's own step of the class of the same name, for tensors that no kernel of ours can reach (another device,
  a tensor subclass), as long as nothing is asked for that torch has not. It is what the class replaces, and as fast.
- "operations": the rule on torch's operations, for the rest: our extras and our rules on such tensors, differentiable
  steps, steps that are recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from ._checks import check_gradient, check_parameter, refused_layout
from ._held import Held
from ._members import Member, Reading
from ._shards import LocalState, is_sharded_tensor, local, placed_gradient
from ._tensors import PLAIN, format_of, is_native

LANES = ("native", "rows", "torch", "operations")
KERNEL_DEVICES = {"cpu"}  # where our kernels reach; the tests of the other lanes empty it

_seen: dict[str, set[str]] = {lane: set() for lane in LANES}


def paths_taken() -> dict[str, list[str]]:
    """Which lanes steps of this process have taken so far, each with the kinds of device of their parameters."""
    return {lane: sorted(devices) for lane, devices in _seen.items() if devices}


def take_note(lane: str, device: str) -> None:
    """Have `paths_taken` show a lane."""
    _seen[lane].add(device)


def within_reach(p: torch.Tensor) -> bool:
    """Whether a tensor is of a kind that a kernel of ours may reach."""
    return p.device.type in KERNEL_DEVICES and type(p) in PLAIN


def members_of(readings: Sequence[Reading], state: Mapping[Any, Any], name: str, delegates: bool) -> Iterator[Member]:
    """All parameters that have a gradient.

    Args:
        readings: of the groups.
        state: the optimizer's.
        name: the class's, for messages.
        delegates: whether torch's own step may serve.

    Raises:
        RuntimeError: a parameter or gradient that the class does not take.
    """
    entries: dict[int, Held] = {}  # a parameter may be there twice
    for k, reading in enumerate(readings):
        names = reading.group.get("param_names")
        for j, p in enumerate(reading.parameters):
            given = p.grad  # read once, should another thread change it
            if given is None:
                continue
            label = names[j] if names else f"param_groups[{k}]['params'][{j}]"
            check_parameter(p, label)
            check_gradient(p, given, label)
            if id(p) not in entries:
                entries[id(p)] = Held(state, p)
            held = entries[id(p)]
            if delegates and _takes_torchs(reading, local(p)):
                yield Member(label, p, given, reading, "torch", held)
            elif is_sharded_tensor(p):
                yield _shard(reading, p, given, label, name, held)
            else:
                grad, lane = _lane(reading, p, given, label, name)
                yield Member(label, p, grad, reading, lane, held)


def _takes_torchs(reading: Reading, p: torch.Tensor) -> bool:
    """Whether torch's own step serves; not its fused one over subclasses on the CPU, which does not look at strides."""
    if reading.differentiable or within_reach(p):
        return False
    return not (p.device.type in KERNEL_DEVICES and reading.view.get("fused"))


def _shard(reading: Reading, p: torch.Tensor, given: torch.Tensor, label: str, name: str, held: Held) -> Member:
    """This process's part of a DTensor."""
    grad = placed_gradient(p, given, label)
    if reading.differentiable:  # on whole tensors, as autograd sees them
        return Member(label, p, grad, reading, "operations", held)
    part, lane = _lane(reading, local(p), local(grad), label, name)
    slots = [reading.host.key(s.name) for s in reading.form.resolved.slots]
    return Member(label, local(p), part, reading, lane, LocalState(held, p, slots, label), whole=p)


def _lane(reading: Reading, p: torch.Tensor, grad: torch.Tensor, label: str, name: str) -> tuple[torch.Tensor, str]:
    host, group = reading.host, reading.view
    native = within_reach(p) and is_native(p) and format_of(p) is not None
    if grad.layout is not torch.strided:
        if grad.layout is not torch.sparse_coo or not host.sparse:
            raise refused_layout(grad, label, name)
        if host.sparse == "rows" or (host.sparse == "plain" and not group["momentum"] and not group["weight_decay"]):
            if not host.rows and group["weight_decay"]:
                raise RuntimeError("weight_decay option is not compatible with sparse gradients")
            return grad, "rows" if native else "operations"
        grad = grad.to_dense()
    elif host.rows:
        raise RuntimeError(f"{name} does not support dense gradients, please consider Adam instead")
    if reading.differentiable or p.is_conj() or p.is_neg() or not (native and is_native(grad)):
        return grad, "operations"
    return grad, "operations" if format_of(grad) is None else "native"
