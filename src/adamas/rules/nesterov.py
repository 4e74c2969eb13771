"""Nesterov's accelerated gradient."""

from typing import Any

from ._declare import rule


@rule(name="Nesterov", source="Nesterov 1983; Sutskever et al. 2013", momentum="Nesterov")
def nesterov(p: Any, g: Any, v: Any, *, lr: Any = 0.01, momentum: Any = 0.9) -> Any:
    """Momentum that looks ahead, in the form of torch's SGD(nesterov=True)."""
    v = momentum * v + g
    return p - lr * (g + momentum * v), v
