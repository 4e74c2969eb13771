"""The element pass over whole tensors, or lists of them: the rule's own function, with torch's operations as words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch

from ..engine.engine import Form
from ..engine.reference import Words, bind
from ..engine.step import element_pass, settled
from ..rules import VOCABULARY
from ._lists import TensorList


def _sqrt(x: Any) -> Any:
    """Square root whose derivative at 0 is 0, not infinite."""
    if isinstance(x, TensorList):
        return x.sqrt()
    if not isinstance(x, torch.Tensor):
        return VOCABULARY["sqrt"](x)
    if not x.requires_grad:
        return torch.sqrt(x)
    zero = x == 0
    return torch.where(zero, 0.0, torch.sqrt(torch.where(zero, 1.0, x)))


@cache
def words(dtype: torch.dtype) -> Words:
    """The vocabulary on tensors, or lists of tensors, of one compute type."""

    def where(condition: Any, a: Any, b: Any) -> Any:
        if isinstance(condition, TensorList):
            return condition.each(where, a, b)
        if not isinstance(condition, torch.Tensor):
            return a if condition else b
        a, b = (
            x if isinstance(x, torch.Tensor) else torch.full((), x, dtype=dtype, device=condition.device)
            for x in (a, b)
        )
        return torch.where(condition, a, b)

    return Words(sqrt=_sqrt, abs=abs, where=where, exp=VOCABULARY["exp"], log=VOCABULARY["log"])


def run_pass(form: Form, x: Mapping[str, Any], differentiable: bool) -> dict[str, Any]:
    """One step of whole tensors.

    Args:
        form: of the group.
        x: as in `engine.reference.run_pass`.
        differentiable: whether derivatives must be right at lr = 0 too.
    """
    p = x["p"]
    vocabulary = words(p.tensors[0].dtype if isinstance(p, TensorList) else p.dtype)

    def call(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        if function is settled and differentiable:
            return arguments["p_new"]
        return bind(function, vocabulary)(**arguments)

    return element_pass(call, form.resolved, form.shape, x)
