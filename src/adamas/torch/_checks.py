"""What a step demands of its tensors, asked before anything is changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.optim import optimizer as host_module

from ._members import Member
from ._tensors import has_version, is_native, memory_fault


def check_group(group: Any, extras: Mapping[str, Any], name: str) -> None:
    """Refuse a parameter group with a setting that holds for all groups, and would be without effect in one.

    Args:
        group: a parameter group.
        extras: what the constructor was given. A group may repeat that: ZeroRedundancyOptimizer makes such groups.
        name: of the class.

    Raises:
        ValueError: it has one.
    """
    for key, value in extras.items():
        if isinstance(group, Mapping) and group.get(key, value) != value:
            raise ValueError(
                f"{key}={group[key]!r} in a parameter group must be {value!r}, as it is for the optimizer: it holds "
                f"for all groups together. Pass it to the constructor, {name}(params, {key}={group[key]!r})."
            )


def check_parameter(p: torch.Tensor, label: str) -> None:
    """Refuse a parameter that no step can update.

    Raises:
        RuntimeError: whole numbers or booleans; a layout other than strided; memory that was freed; an inference
            tensor outside of inference mode.
    """
    if p.is_nested or p.layout is not torch.strided:
        raise RuntimeError(f"{label} is {_layout(p)}; a parameter must be a dense, strided tensor.")
    if not (p.is_floating_point() or p.is_complex()):
        raise RuntimeError(
            f"{label} has dtype {p.dtype}; a parameter must be of a floating point or complex dtype. "
            "Leave it out of the optimizer, or convert it, e.g. parameter.float()."
        )
    if not has_version(p) and not torch.is_inference_mode_enabled():
        raise RuntimeError(
            f"{label} is an inference tensor, which can be updated in inference mode only. "
            "Give the optimizer parameter.clone()."
        )
    _check_memory(p, "", label)


def check_gradient(p: torch.Tensor, grad: torch.Tensor, label: str) -> None:
    """Refuse a gradient that does not belong to its parameter.

    Raises:
        RuntimeError: another shape; whole numbers or booleans; memory that was freed.
    """
    if grad.is_nested:
        raise RuntimeError(f"{label}: its gradient is {_layout(grad)}; it must be a dense, strided tensor.")
    if grad.shape != p.shape:
        raise RuntimeError(f"{label} has shape {tuple(p.shape)}, its gradient {tuple(grad.shape)}; they must be equal.")
    if not (grad.is_floating_point() or grad.is_complex()):
        raise RuntimeError(f"{label}: its gradient has dtype {grad.dtype}; it must be floating point or complex.")
    if grad.is_complex() and not p.is_complex():
        raise RuntimeError(f"{label} has dtype {p.dtype}, its gradient {grad.dtype}; the gradient must be real, too.")
    for part in (grad._indices(), grad._values()) if grad.layout is torch.sparse_coo else (grad,):
        _check_memory(part, "gradient", label)


def refused_layout(grad: torch.Tensor, label: str, name: str) -> RuntimeError:
    """The error for a gradient whose layout a class does not take."""
    if grad.layout is torch.sparse_coo:
        better = ", please consider SparseAdam instead" if name in ("Adam", "AdamW", "Adamax") else ""
        return RuntimeError(f"{name} does not support sparse gradients{better}")
    return RuntimeError(
        f"{label}: its gradient is {_layout(grad)}, which {name} does not take; it must be strided. "
        "Convert it with gradient.to_dense()."
    )


def check_state(member: Member) -> None:
    """Refuse state that cannot be the parameter's.

    Raises:
        RuntimeError: no tensor of the parameter's shape; memory that was freed.
    """
    state, label = member.state, member.label
    for key in member.slots:
        held = state.get(key)
        if held is not None:
            _check_memory(check_shape(held, member, key), key, label)
    for key in ("step", *member.scalar_keys):
        held = state.get(key)
        if isinstance(held, torch.Tensor):
            _check_memory(held, key, label)
    step = state.get("step", 0.0)
    if member.reading.host.counts and not _is_whole(step):
        raise RuntimeError(f"state['step'] of {member.label} is {step!r}; it must be a whole number from 0 on.")


def check_devices(members: Iterable[Member], adam: bool) -> None:
    """What torch demands of `fused`, `capturable` and tensor learning rates; its own words.

    Args:
        members: parameters of the step.
        adam: whether the class is Adam or AdamW; the others take a tensor as learning rate with `foreach=True`.
    """
    for member in members:
        group = member.reading.view
        if group.get("fused") and not (member.parameter.is_complex() and member.parameter.device.type == "cpu"):
            host_module._device_dtype_check_for_fused(member.parameter)
        if group.get("capturable") and member.parameter.device.type in ("cpu", "meta"):
            raise AssertionError(
                "If capturable=True, params and state_steps must be on supported devices: "
                f"{host_module._get_capturable_supported_devices()}."
            )
        tensors = isinstance(group["lr"], torch.Tensor)
        if adam and tensors and group.get("foreach") and not group.get("capturable"):
            raise RuntimeError("lr as a Tensor is not supported for capturable=False and foreach=True")
        step = member.state.get("step")
        if group.get("differentiable") and isinstance(step, torch.Tensor) and step.requires_grad:
            raise RuntimeError("`requires_grad` is not supported for `step` in differentiable mode")


def _is_whole(step: Any) -> bool:
    try:
        number = float(step.detach() if isinstance(step, torch.Tensor) else step)
    except (TypeError, ValueError, RuntimeError):
        return False
    return number.is_integer() and number >= 0


def check_shape(held: Any, member: Member, key: str) -> torch.Tensor:
    """State that is there, if it can belong to the parameter.

    Raises:
        RuntimeError: it is no tensor of the parameter's shape.
    """
    if not isinstance(held, torch.Tensor) or held.shape != member.parameter.shape:
        what = tuple(held.shape) if isinstance(held, torch.Tensor) else repr(held)
        raise RuntimeError(
            f"state[{key!r}] of {member.label} is {what}, the parameter has shape {tuple(member.parameter.shape)}; "
            "they must be equal. Remove the entry to begin anew."
        )
    if held.layout is not torch.strided or not (held.is_floating_point() or held.is_complex()):
        raise RuntimeError(
            f"state[{key!r}] of {member.label} is {_layout(held)} and dtype {held.dtype}; it must be strided, and of a "
            "floating point or complex dtype. Remove the entry to begin anew."
        )
    if held.device.type == "meta" != member.parameter.device.type:
        raise RuntimeError(
            f"state[{key!r}] of {member.label} is on the meta device and has no values, the parameter is on "
            f"{member.parameter.device}; load its values, or remove the entry to begin anew."
        )
    return held


def _check_memory(tensor: torch.Tensor, what: str, label: str) -> None:
    """Refuse memory that was freed: of a parameter, its "gradient", or an entry of its state."""
    if is_native(tensor):
        fault = memory_fault(tensor)
        if fault:
            whose = {"": label, "gradient": f"{label}: its gradient"}.get(what, f"state[{what!r}] of {label}")
            raise RuntimeError(f"{whose} {fault}")


def _layout(tensor: torch.Tensor) -> str:
    return "a nested tensor" if tensor.is_nested else f"a tensor of layout {tensor.layout}"
