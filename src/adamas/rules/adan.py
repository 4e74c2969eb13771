"""Adan."""

from typing import Any

from ._declare import Slot, rule
from ._terms import average, ratio
from ._vocabulary import sqrt, where


@rule(
    name="Adan",
    source="Xie et al. 2022, Algorithm 1",
    slots={
        "m": Slot("m", meaning="mean of gradients"),
        "v": Slot("v", meaning="mean of gradient differences"),
        "n": Slot("n", signed=False, meaning="mean of squared extrapolated gradients"),
        "g_prev": Slot("g_prev", meaning="gradient of the step before"),
    },
    decay="decoupled",
    adaptive="yes",
    momentum="Nesterov",
    bias_correction="yes",
)
def adan(
    p: Any, g: Any, m: Any, v: Any, n: Any, g_prev: Any, t: Any, *,
    lr: Any = 1e-3, beta1: Any = 0.98, beta2: Any = 0.92, beta3: Any = 0.99, eps: Any = 1e-8,
) -> Any:  # fmt: skip
    """Adaptive Nesterov momentum. Betas are decay rates, as in the authors' code (the paper's are one minus these).

    weight_decay multiplies by 1 - lr weight_decay; the paper's proximal form divides by 1 + lr weight_decay.
    """
    d = where(t == 1, 0, g - g_prev)
    m = average(beta1, m, g)
    v = average(beta2, v, d)
    ahead = g + beta2 * d
    n = average(beta3, n, ahead * ahead)
    step = 1 / (1 - beta1**t) * m + beta2 / (1 - beta2**t) * v
    return p - ratio(lr, step, n, 1 / sqrt(1 - beta3**t), eps), m, v, n, g
