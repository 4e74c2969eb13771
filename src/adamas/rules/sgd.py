"""Gradient descent."""

from typing import Any

from ._declare import rule


@rule(name="SGD", source="Robbins & Monro 1951")
def sgd(p: Any, g: Any, *, lr: Any = 0.01) -> Any:
    """Stochastic gradient descent. For momentum see `Momentum` and `Nesterov`; torch has all three in one class."""
    return p - lr * g
