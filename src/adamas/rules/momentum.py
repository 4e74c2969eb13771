"""Momentum, the heavy ball."""

from typing import Any

from ._declare import rule
from ._terms import average


@rule(name="Momentum", source="Polyak 1964", momentum="yes")
def heavy_ball(p: Any, g: Any, v: Any, *, lr: Any = 0.01, momentum: Any = 0.9, averaged: bool = False) -> Any:
    """Gradient descent with a velocity.

    `averaged=False`: `v = mu v + g`, as torch's SGD(momentum=mu) with lr outside. `averaged=True`: the velocity is
    a mean, `v = mu v + (1 - mu) g`; the same path at `lr / (1 - mu)`. Keras puts lr inside: `v = mu v - lr g`.
    """
    if averaged:
        v = average(momentum, v, g)
    else:
        v = momentum * v + g
    return p - lr * v, v
