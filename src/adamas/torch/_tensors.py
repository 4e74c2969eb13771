"""Torch tensors as the engine sees them: NumPy arrays over the same memory, with a storage format."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..engine.storage import FORMATS, Format, state_like

Array = NDArray[Any]

FORMAT_OF = {
    torch.float32: FORMATS["float32"],
    torch.float64: FORMATS["float64"],
    torch.float16: FORMATS["float16"],
    torch.bfloat16: FORMATS["bfloat16"],
}
REAL_OF = {torch.complex64: torch.float32, torch.complex128: torch.float64, torch.complex32: torch.float16}


def format_of(tensor: torch.Tensor) -> Format | None:
    """The storage format of a tensor's elements (of their parts, if complex), or None if the engine has none."""
    return FORMAT_OF.get(REAL_OF.get(tensor.dtype, tensor.dtype))


def is_native(tensor: torch.Tensor) -> bool:
    """Whether a tensor is ordinary memory of this processor's."""
    return tensor.layout is torch.strided and tensor.device.type == "cpu" and type(tensor) in PLAIN


def is_traced() -> bool:
    """Whether someone records or replaces torch's operations: then the step must be made of them."""
    return torch._C._len_torch_dispatch_stack() > 0


PLAIN = (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer)


def array_of(tensor: torch.Tensor) -> Array:
    """The tensor's memory as an array; complex numbers as pairs, bfloat16 as its bits.

    The array does not keep the memory alive. (`tensor.numpy()` would, and its storage could not be resized any more, as
    FSDP does.)
    """
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.detach())
    kind = FORMAT_OF[tensor.dtype]
    dtype = np.dtype(np.int16 if kind.name == "bfloat16" else kind.name)
    shape, size = tuple(tensor.shape), dtype.itemsize
    if 0 in shape:
        return np.empty(shape, dtype)
    strides = tuple(size * s for s in tensor.stride())
    extent = size + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    memory: Any = (ctypes.c_char * extent).from_address(tensor.data_ptr())
    return np.ndarray(shape, dtype, memory, 0, strides)


def lies_ready(grad: torch.Tensor, parameter: torch.Tensor) -> bool:
    """Whether a gradient can be read where it lies: nothing is still to be conjugated, negated or made complex."""
    return not grad.is_conj() and not grad.is_neg() and grad.is_complex() == parameter.is_complex()


def owning_array(tensor: torch.Tensor) -> Array:
    """As `array_of`, of a tensor of our own that lives as long as the array."""
    tensor = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    return (tensor.view(torch.int16) if tensor.dtype is torch.bfloat16 else tensor).numpy()


def gradient_array(grad: torch.Tensor, parameter: torch.Tensor) -> Array:
    """A gradient's memory as an array; a copy where conjugation or sign is still to be done, or kinds differ."""
    if lies_ready(grad, parameter):
        return array_of(grad)
    ready = grad.detach().resolve_conj().resolve_neg()
    return owning_array(ready.to(parameter.dtype) if parameter.is_complex() and not ready.is_complex() else ready)


def new_state(parameter: torch.Tensor, work_p: Array, kind: Format, place: int, start: float) -> torch.Tensor:
    """A state tensor of a parameter, in the memory order in which the step works.

    Args:
        parameter: whose state it is.
        work_p: the array that the kernel works on.
        kind: format of the slot.
        place: index of the slot.
        start: value of every element.
    """
    if parameter.is_complex() and not parameter.numel():  # NumPy's strides of empty arrays are no complex tensor's
        return torch.zeros_like(parameter.detach(), memory_format=torch.preserve_format)
    bits = kind.name == "bfloat16"  # which NumPy does not know
    tensor = torch.from_numpy(state_like(work_p, np.dtype(np.int16 if bits else kind.name), place))
    tensor = (tensor.view(torch.bfloat16) if bits else tensor).fill_(start)
    return torch.view_as_complex(tensor) if parameter.is_complex() else tensor


def fits(state: torch.Tensor, parameter: torch.Tensor, work_p: Array) -> bool:
    """Whether a state tensor lies in memory as the step works: equal elements in equal order."""
    if state.shape != parameter.shape or state.is_complex() != parameter.is_complex() or state.is_conj():
        return False
    array = array_of(state)
    a, b = array.itemsize, work_p.itemsize
    return all(x * b == y * a or n == 1 for x, y, n in zip(array.strides, work_p.strides, array.shape, strict=True))
