"""AdaGrad."""

from typing import Any

from ._declare import Hyper, Slot, rule
from ._vocabulary import sqrt


@rule(
    name="Adagrad",
    source="Duchi, Hazan & Singer 2011",
    slots={"v": Slot("v", start="initial_accumulator", signed=False, meaning="sum of squared gradients")},
    hyper={
        "lr_decay": Hyper("lr_decay", low=0, unit="per step", meaning="lr is divided by 1 + (t-1) lr_decay"),
        "initial_accumulator": Hyper(
            "initial_accumulator", low=0, unit="gradient units squared", meaning="v before step 1"
        ),
    },
    adaptive="yes",
)
def adagrad(
    p: Any, g: Any, v: Any, t: Any, *,
    lr: Any = 0.01, eps: Any = 1e-10, lr_decay: Any = 0.0, initial_accumulator: Any = 0.0,
) -> Any:  # fmt: skip
    """Rates that shrink with the sum of squared gradients. eps: torch 1e-10, Keras 1e-7 (and v starts at 0.1)."""
    v = v + g * g
    return p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(v) + eps), v
