"""AdaBelief."""

from typing import Any

from ._declare import Slot, rule
from ._terms import average, corrected, ratio


@rule(
    name="AdaBelief",
    source="Zhuang et al. 2020, Algorithm 2",
    slots={"m": Slot("m", meaning="mean of gradients"), "s": Slot("s", signed=False, meaning="mean squared surprise")},
    choices={"compat": ("paper", "folded")},
    adaptive="yes",
    momentum="yes",
    bias_correction="yes",
)
def adabelief(
    p: Any, g: Any, m: Any, s: Any, t: Any, *,
    lr: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-16, compat: str = "paper",
) -> Any:  # fmt: skip
    """Adam that divides by the spread of gradients about their mean. eps: the authors' code and optax 1e-16."""
    m = average(beta1, m, g)
    surprise = g - m
    s = average(beta2, s, surprise * surprise) + eps
    step_size, root_scale = corrected(t, lr, beta1, beta2, compat)
    return p - ratio(step_size, m, s, root_scale, eps), m, s
