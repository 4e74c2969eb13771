"""RMSProp."""

from typing import Any

from ._declare import Hyper, Slot, rule
from ._terms import average
from ._vocabulary import sqrt


@rule(
    name="RMSprop",
    source="Tieleman & Hinton 2012, lecture 6.5; centred: Graves 2013, eq. 38-45",
    slots={
        "v": Slot("v", signed=False, meaning="mean of squared gradients"),
        "a": Slot("a", meaning="mean of gradients (centred form)"),
        "b": Slot("b", meaning="velocity (with momentum)"),
    },
    hyper={"alpha": Hyper("alpha", low=0, high=1, high_open=True, meaning="decay rate of the means")},
    derived={"buffered": lambda hyper: callable(hyper["momentum"]) or hyper["momentum"] != 0},
    adaptive="yes",
    momentum="optional",
)
def rmsprop(
    p: Any, g: Any, v: Any, a: Any, b: Any, *,
    lr: Any = 0.01, alpha: Any = 0.99, eps: Any = 1e-8, momentum: Any = 0.0,
    centered: bool = False, buffered: bool = False,
) -> Any:  # fmt: skip
    """Gradient over its running root mean square; eps outside the root, as in torch (Keras: inside)."""
    v = average(alpha, v, g * g)
    if centered:
        a = average(alpha, a, g)
        step = g / (sqrt(v - a * a) + eps)
    else:
        step = g / (sqrt(v) + eps)
    if buffered:
        b = momentum * b + step
        step = b
    return p - lr * step, v, a, b
