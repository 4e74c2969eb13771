"""ADOPT."""

from typing import Any

from ._declare import rule
from ._terms import average
from ._vocabulary import clip, maximum, sqrt, where
from .adam import SECOND_MOMENT


@rule(
    name="ADOPT",
    source="Taniguchi et al. 2024, Algorithm 2",
    slots={"v": SECOND_MOMENT},
    decay="decoupled",
    adaptive="yes",
    momentum="yes",
    bias_correction="not needed",
)
def adopt(
    p: Any, g: Any, m: Any, v: Any, t: Any, *,
    lr: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.9999, eps: Any = 1e-6,
) -> Any:  # fmt: skip
    """Adam that divides by the second moment before this gradient. Step 1 only measures."""
    first = t == 1
    bound = (t - 1) ** 0.25
    direction = clip(g / maximum(sqrt(v), eps), -bound, bound)
    m = where(first, m, average(beta1, m, direction))
    v = where(first, g * g, average(beta2, v, g * g))
    return where(first, p, p - lr * m), m, v
