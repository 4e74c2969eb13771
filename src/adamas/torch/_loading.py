"""Loading state dicts: dtypes are kept, nothing is shared with the source, and parameters may be matched by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from ._lanes import within_reach


def unscale(groups: Iterable[Mapping[str, Any]], scale: Any, ready: Iterable[torch.Tensor] = ()) -> None:
    """Divide every gradient by a loss scale, each tensor once: GradScaler's protocol has the optimizer do it.

    Args:
        groups: with the parameters.
        scale: the loss scale.
        ready: gradients that are divided already.
    """
    done = set(map(id, ready))
    with torch.no_grad():
        for p in (p for group in groups for p in group["params"] if p.grad is not None):
            if id(p.grad) in done:
                continue
            grad = p.grad._values() if p.grad.layout is torch.sparse_coo else p.grad
            divisor = scale.to(grad.device) if isinstance(scale, torch.Tensor) else scale
            if 0 in grad.stride() and grad.numel() > 1:  # expanded: its elements are one
                p.grad = grad / divisor
            else:
                grad.div_(divisor)
            done.add(id(p.grad))


class Kept:
    """A state tensor that torch's loading must leave as it is."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: torch.Tensor):
        self.tensor = tensor


def _boxed(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return Kept(value)
    if isinstance(value, Mapping):
        return {key: _boxed(one) for key, one in value.items()}
    return [_boxed(one) for one in value] if type(value) in (list, tuple) else value


def _unboxed(value: Any, parameter: Any, key: Any, copy: bool, delegates: bool) -> Any:
    if isinstance(value, Kept):
        tensor = value.tensor.detach()
        own = isinstance(parameter, torch.Tensor) and key != "step" and tensor.dim() > 0
        device = parameter.device if own else torch.device("cpu")
        moved = tensor.to(device)
        if own and delegates and not within_reach(parameter) and parameter.is_floating_point():
            moved = moved.to(parameter.dtype)  # as torch's own loading has it, for torch's own step
        return (
            moved.clone(memory_format=torch.preserve_format)
            if copy and moved.data_ptr() == tensor.data_ptr()
            else moved
        )
    if isinstance(value, dict):
        return {k: _unboxed(one, parameter, k, copy, delegates) for k, one in value.items()}
    return [_unboxed(one, parameter, key, copy, delegates) for one in value] if isinstance(value, list) else value


@contextmanager
def loading(optimizer: Any, copy: bool) -> Iterator[None]:
    """Let torch's `load_state_dict` run, with its hooks, but pass state tensors by it.

    Args:
        optimizer: whose `__setstate__` calls `_unboxing` on the new state.
        copy: whether tensors are cloned.
    """

    def box(_: Any, state_dict: dict[str, Any]) -> dict[str, Any]:
        return {**state_dict, "state": {k: _boxed(v) for k, v in state_dict["state"].items()}}

    def unbox(state: Mapping[Any, Any]) -> dict[Any, Any]:
        new: dict[Any, Any] = defaultdict(dict)
        new.update({p: _unboxed(entry, p, None, copy, optimizer.delegates) for p, entry in state.items()})
        return new

    handle = optimizer.register_load_state_dict_pre_hook(box)
    optimizer.__dict__["_unboxing"] = unbox
    try:
        yield
    finally:
        handle.remove()
        del optimizer.__dict__["_unboxing"]


def match_names(own: Mapping[str, Any], saved: Mapping[str, Any], strict: bool) -> dict[str, Any]:
    """A saved state dict in the order of another, parameters matched by `param_names`.

    Args:
        own: state dict of the optimizer that loads.
        saved: what it loads; grouped and ordered in any way.
        strict: whether every name must be on both sides; otherwise parameters without a partner begin anew.

    Raises:
        ValueError: no names, or names without a partner.
    """
    here, there = _places(own, "this optimizer"), _places(saved, "the saved state")
    missing, extra = sorted(here.keys() - there.keys()), sorted(there.keys() - here.keys())
    if strict and (missing or extra):
        raise ValueError(
            f"parameters do not match by name: missing in the saved state {missing}, not in this optimizer {extra}. "
            "strict=False loads those that match."
        )
    groups = []
    state = {}
    for group in own["param_groups"]:
        partners = [there[name] for name in group["param_names"] if name in there]
        options = saved["param_groups"][partners[0][0]] if partners else group
        groups.append({**options, "params": group["params"], "param_names": group["param_names"]})
        for name, place in zip(group["param_names"], group["params"], strict=True):
            if name in there and there[name][1] in saved["state"]:
                state[place] = saved["state"][there[name][1]]
    return {**saved, "state": state, "param_groups": groups}


def _places(state_dict: Mapping[str, Any], what: str) -> dict[str, tuple[int, Any]]:
    """Group and id of every named parameter."""
    places = {}
    for k, group in enumerate(state_dict["param_groups"]):
        if "param_names" not in group:
            raise ValueError(
                f"{what} has no param_names; build optimizers from model.named_parameters() to match names."
            )
        for name, place in zip(group["param_names"], group["params"], strict=True):
            places[name] = (k, place)
    return places
