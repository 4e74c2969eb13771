"""Yogi."""

from typing import Any

from ._declare import Hyper, Slot, rule
from ._terms import average, corrected, ratio
from ._vocabulary import sign


@rule(
    name="Yogi",
    source="Zaheer et al. 2018, Algorithm 2",
    slots={"v": Slot("v", start="initial_accumulator", signed=False, meaning="mean of squared gradients")},
    hyper={
        "initial_accumulator": Hyper(
            "initial_accumulator", low=0, unit="gradient units squared", meaning="v before step 1"
        ),
    },
    adaptive="yes",
    momentum="yes",
    bias_correction="optional",
)
def yogi(
    p: Any, g: Any, m: Any, v: Any, t: Any, *,
    lr: Any = 1e-2, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-3, initial_accumulator: Any = 1e-6,
    bias_correction: bool = False,
) -> Any:  # fmt: skip
    """Adam whose second moment moves by at most (1 - beta2) g^2. The paper corrects no bias; optax does."""
    m = average(beta1, m, g)
    square = g * g
    v = v - (1 - beta2) * sign(v - square) * square
    if bias_correction:
        step_size, root_scale = corrected(t, lr, beta1, beta2, "paper")
    else:
        step_size, root_scale = lr, 1
    return p - ratio(step_size, m, v, root_scale, eps), m, v
