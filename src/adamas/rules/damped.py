"""Momentum with dampening."""

from typing import Any

from ._declare import Hyper, rule
from ._vocabulary import where


@rule(
    name="DampedMomentum",
    source="Sutskever et al. 2013; dampening as in torch's SGD",
    hyper={"dampening": Hyper("dampening", meaning="part of the gradient that is held back after the first step")},
    momentum="yes",
)
def damped_momentum(
    p: Any, g: Any, v: Any, t: Any, *, lr: Any = 0.01, momentum: Any = 0.9, dampening: Any = 0.0
) -> Any:  # fmt: skip
    """Momentum whose velocity begins with the whole gradient and later takes `1 - dampening` of it."""
    v = where(t == 1, g, momentum * v + (1 - dampening) * g)
    return p - lr * v, v
