"""Lists of tensors that rules take for single ones: an operation is one call of `torch._foreach_*` over all of them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch


class TensorList:
    """Tensors of one device and dtype; arithmetic goes element by element of the list, numbers meet every tensor."""

    __slots__ = ("tensors",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, tensors: Sequence[torch.Tensor]):
        self.tensors = list(tensors)

    def each(self, function: Callable[..., Any], *others: Any) -> TensorList:
        """What a function gives for each tensor, for operations that torch has not over lists."""
        columns = [o.tensors if isinstance(o, TensorList) else [o] * len(self.tensors) for o in others]
        return TensorList([function(*row) for row in zip(self.tensors, *columns, strict=True)])

    def __neg__(self) -> TensorList:
        return TensorList(torch._foreach_neg(self.tensors))

    def __abs__(self) -> TensorList:
        return TensorList(torch._foreach_abs(self.tensors))

    def sqrt(self) -> TensorList:
        """Square roots."""
        return TensorList(torch._foreach_sqrt(self.tensors))

    def __rsub__(self, other: Any) -> TensorList:
        return (-self).plus(other)  # the same bits: negation is exact

    def plus(self, other: Any) -> TensorList:
        """Sums."""
        return TensorList(torch._foreach_add(self.tensors, other.tensors if isinstance(other, TensorList) else other))

    def __rtruediv__(self, other: Any) -> TensorList:
        return self.each(lambda x: other / x)

    def __pow__(self, other: Any) -> TensorList:
        return self.each(operator.pow, other)

    def __rpow__(self, other: Any) -> TensorList:
        return self.each(lambda x: other**x)

    def isfinite(self) -> TensorList:
        """Where elements are finite."""
        return self.each(torch.isfinite)


def _over_lists(function: Callable[..., Any]) -> Callable[[TensorList, Any], TensorList]:
    def method(self: TensorList, other: Any) -> TensorList:
        return TensorList(function(self.tensors, other.tensors if isinstance(other, TensorList) else other))

    return method


def _one_by_one(function: Callable[..., Any]) -> Callable[[TensorList, Any], TensorList]:
    return lambda self, other: self.each(function, other)


for _name, _function in {
    "__add__": torch._foreach_add,
    "__radd__": torch._foreach_add,
    "__sub__": torch._foreach_sub,
    "__mul__": torch._foreach_mul,
    "__rmul__": torch._foreach_mul,
    "__truediv__": torch._foreach_div,
}.items():
    setattr(TensorList, _name, _over_lists(_function))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(TensorList, f"__{_name}__", _one_by_one(getattr(operator, _name)))
for _name in ("and", "or"):
    setattr(TensorList, f"__{_name}__", _one_by_one(getattr(operator, f"{_name}_")))
