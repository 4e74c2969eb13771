"""Adadelta."""

from typing import Any

from ._declare import Hyper, Slot, rule
from ._terms import average
from ._vocabulary import sqrt


@rule(
    name="Adadelta",
    source="Zeiler 2012, Algorithm 1",
    slots={
        "v": Slot("v", signed=False, meaning="mean of squared gradients"),
        "u": Slot("u", signed=False, meaning="mean of squared steps"),
    },
    hyper={"rho": Hyper("rho", low=0, high=1, high_open=True, meaning="decay rate of the means")},
    adaptive="yes",
)
def adadelta(p: Any, g: Any, v: Any, u: Any, *, lr: Any = 1.0, rho: Any = 0.95, eps: Any = 1e-6) -> Any:
    """Steps in the parameter's own unit. rho: paper .95, torch .9; lr = 1 by design (Keras: .001)."""
    v = average(rho, v, g * g)
    delta = sqrt(u + eps) / sqrt(v + eps) * g
    u = average(rho, u, delta * delta)
    return p - lr * delta, v, u
