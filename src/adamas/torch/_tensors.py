"""Torch tensors as the engine sees them: NumPy arrays over the same memory, with a storage format."""

from __future__ import annotations

import ctypes
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..engine.storage import FORMATS, PAGE, Format, advise_huge_pages, shift

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
    return (
        type(tensor) in PLAIN
        and tensor.is_cpu
        and tensor.layout is torch.strided
        and not tensor.is_nested
        and not tensor._is_zerotensor()
        and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    )


def is_as_read(tensor: torch.Tensor) -> bool:
    """Whether a tensor's values are those in its memory: nothing is still to be conjugated or negated."""
    return not tensor.is_conj() and not tensor.is_neg()


is_recorded = torch._C._len_torch_dispatch_stack
"""How many modes record or replace torch's operations now."""


def has_version(tensor: torch.Tensor) -> bool:
    """Whether autograd counts a tensor's changes: not those of a tensor that was made in inference mode."""
    if not tensor.is_inference():
        return True
    try:
        return tensor._version >= 0
    except RuntimeError:
        return False


def is_traced() -> bool:
    """Whether someone records, replaces or transforms torch's operations: then the step must be made of them.

    A plan in use need not ask for transforms: the tensors that they wrap are found to be others.
    """
    return is_recorded() > 0 or torch._C._functorch.peek_interpreter_stack() is not None


def no_autocast(tensor: torch.Tensor) -> AbstractContextManager[Any]:
    """Keep autocast from changing dtypes on a tensor's device."""
    kind = tensor.device.type
    if not torch.amp.is_autocast_available(kind) or not torch.is_autocast_enabled(kind):
        return nullcontext()
    return torch.autocast(kind, enabled=False)


def memory_fault(tensor: torch.Tensor) -> str:
    """What is wrong with the memory of a native tensor, as the end of a sentence; empty if all of it is there.

    Views may reach beyond a storage that was resized, and storages may be freed while tensors refer to them.
    """
    storage = tensor.untyped_storage()
    held, needed = storage.nbytes(), tensor.storage_offset() * tensor.element_size() + _extent(tensor)
    if tensor.numel() == 0 or (held >= needed and storage.data_ptr() != 0):
        return ""
    return f"needs {needed} bytes of its storage, which holds {held}; the storage was freed or made smaller."


def _extent(tensor: torch.Tensor) -> int:
    """Bytes from the first to the last element of a tensor that has elements."""
    if tensor.is_contiguous():
        return tensor.nbytes
    return tensor.element_size() * (1 + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True)))


PLAIN = (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer)


def array_of(tensor: torch.Tensor) -> Array:
    """The tensor's memory as an array; complex numbers as pairs, bfloat16 as its bits.

    The array does not keep the memory alive. (`tensor.numpy()` would, and its storage could not be resized any more, as
    FSDP does.)

    Raises:
        RuntimeError: memory of the tensor was freed.
    """
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.detach())
    kind = FORMAT_OF[tensor.dtype]
    dtype = np.dtype(np.int16 if kind.name == "bfloat16" else kind.name)
    shape, size = tuple(tensor.shape), dtype.itemsize
    if 0 in shape:
        return np.empty(shape, dtype)
    strides = tuple(size * s for s in tensor.stride())
    fault = memory_fault(tensor)
    if fault:
        raise RuntimeError(f"a tensor of shape {shape} {fault}")
    memory: Any = (ctypes.c_char * _extent(tensor)).from_address(tensor.data_ptr())
    return np.ndarray(shape, dtype, memory, 0, strides)


def lies_ready(grad: torch.Tensor, parameter: torch.Tensor) -> bool:
    """Whether a gradient can be read where it lies, and need not be made complex first."""
    return is_as_read(grad) and grad.is_complex() == parameter.is_complex()


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

    torch owns its memory, so that it can be resized and freed. Where it must begin elsewhere in its page than torch
    would have it (see `engine.storage.state_like`), its storage is a page larger.

    Args:
        parameter: whose state it is.
        work_p: the array that the kernel works on.
        kind: format of the slot.
        place: index of the slot.
        start: value of every element.
    """
    with torch.inference_mode(False):  # a tensor of inference mode could not be written outside of it
        if parameter.is_complex() and not parameter.numel():  # NumPy's strides of empty arrays are no complex tensor's
            return torch.zeros_like(parameter.detach(), memory_format=torch.preserve_format)
        dtype = next(d for d, f in FORMAT_OF.items() if f is kind)
        bits = np.dtype(np.int16 if kind.name == "bfloat16" else kind.name)  # NumPy has no bfloat16
        strides = [s // work_p.itemsize for s in work_p.strides]
        tensor = torch.empty_strided(work_p.shape, strides, dtype=dtype, device="cpu")
        if shift(work_p, bits, place, tensor.data_ptr()):  # torch would begin it elsewhere in its page
            memory = torch.empty(work_p.size * bits.itemsize + PAGE, dtype=torch.uint8, device="cpu").untyped_storage()
            first = shift(work_p, bits, place, memory.data_ptr()) // bits.itemsize
            tensor = torch.empty(0, dtype=dtype, device="cpu").set_(memory, first, work_p.shape, strides)
        advise_huge_pages(tensor.data_ptr(), work_p.size * bits.itemsize)
        tensor.fill_(start)
        return torch.view_as_complex(tensor) if parameter.is_complex() else tensor


def fits(state: torch.Tensor, parameter: torch.Tensor, work_p: Array) -> bool:
    """Whether a state tensor lies in memory as the step works: equal elements in equal order."""
    if state.shape != parameter.shape or state.is_complex() != parameter.is_complex():
        return False
    if state.is_contiguous() and work_p.flags.c_contiguous:
        return True
    array = array_of(state)
    a, b = array.itemsize, work_p.itemsize
    return all(x * b == y * a or n == 1 for x, y, n in zip(array.strides, work_p.strides, array.shape, strict=True))
