"""Adam."""

from typing import Any

from ._declare import Slot, rule
from ._terms import average, corrected, ratio

SECOND_MOMENT = Slot("v", signed=False, meaning="mean of squared gradients")


@rule(
    name="Adam",
    source="Kingma & Ba 2015, Algorithm 1",
    slots={"m": Slot("m", meaning="mean of gradients"), "v": SECOND_MOMENT},
    choices={"compat": ("paper", "folded")},
    adaptive="yes",
    momentum="yes",
    bias_correction="yes",
)
def adam(
    p: Any, g: Any, m: Any, v: Any, t: Any, *,
    lr: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-8, compat: str = "paper",
) -> Any:  # fmt: skip
    """Adaptive moments.

    compat="paper": eps beside sqrt(v_hat), as torch and optax. compat="folded": epsilon-hat, as Keras (eps 1e-7),
    TensorFlow and scikit-learn.
    """
    m = average(beta1, m, g)
    v = average(beta2, v, g * g)
    step_size, root_scale = corrected(t, lr, beta1, beta2, compat)
    return p - ratio(step_size, m, v, root_scale, eps), m, v
