"""Lion."""

from typing import Any

from ._declare import Hyper, rule
from ._terms import average
from ._vocabulary import sign


@rule(
    name="Lion",
    source="Chen et al. 2023, Algorithm 2",
    hyper={
        "beta1": Hyper("beta1", low=0, high=1, high_open=True, meaning="weight of the mean within the sign"),
        "beta2": Hyper("beta2", low=0, high=1, high_open=True, meaning="decay rate of the mean"),
    },
    decay="decoupled",
    adaptive="sign",
    momentum="yes",
)
def lion(p: Any, g: Any, m: Any, *, lr: Any = 1e-4, beta1: Any = 0.9, beta2: Any = 0.99) -> Any:
    """The sign of an interpolated momentum. weight_decay is decoupled, never inside the sign."""
    step = sign(average(beta1, m, g))
    return p - lr * step, average(beta2, m, g)
