"""AdaMax."""

from typing import Any

from ._declare import Slot, rule
from ._terms import average
from ._vocabulary import abs, maximum


@rule(
    name="Adamax",
    source="Kingma & Ba 2015, Algorithm 2",
    slots={"u": Slot("u", signed=False, meaning="decayed largest |gradient|")},
    adaptive="yes",
    momentum="yes",
    bias_correction="m only",
)
def adamax(
    p: Any, g: Any, m: Any, u: Any, t: Any, *,
    lr: Any = 2e-3, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-8,
) -> Any:  # fmt: skip
    """Adam with the infinity norm. eps is added to |g| within the maximum, as torch and optax; Keras adds it to u."""
    m = average(beta1, m, g)
    u = maximum(beta2 * u, abs(g) + eps)
    return p - lr / (1 - beta1**t) * m / u, m, u
