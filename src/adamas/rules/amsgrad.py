"""AMSGrad."""

from typing import Any

from ._declare import Slot, rule
from ._terms import average, corrected, ratio
from ._vocabulary import maximum as larger
from ._vocabulary import sqrt
from .adam import SECOND_MOMENT


@rule(
    name="AMSGrad",
    source="Reddi, Kale & Kumar 2018, Algorithm 2",
    slots={"v": SECOND_MOMENT, "x": Slot("x", signed=False, meaning="largest second moment so far")},
    choices={"compat": ("paper", "folded"), "maximum": ("before", "after")},
    adaptive="yes",
    momentum="yes",
    bias_correction="yes",
)
def amsgrad(
    p: Any, g: Any, m: Any, v: Any, x: Any, t: Any, *,
    lr: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-8,
    maximum: str = "before", compat: str = "paper",
) -> Any:  # fmt: skip
    """Adam whose denominator never shrinks.

    maximum="before" bias correction, as torch, Keras and TensorFlow; "after", as optax. The paper corrects nothing.
    """
    m = average(beta1, m, g)
    v = average(beta2, v, g * g)
    if maximum == "before":
        x = larger(x, v)
        step_size, root_scale = corrected(t, lr, beta1, beta2, compat)
        return p - ratio(step_size, m, x, root_scale, eps), m, v, x
    x = larger(x, v / (1 - beta2**t))
    if compat == "folded":
        eps = eps / sqrt(1 - beta2**t)
    return p - ratio(lr / (1 - beta1**t), m, x, 1, eps), m, v, x
