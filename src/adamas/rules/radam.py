"""RAdam."""

from typing import Any

from ._declare import Slot, rule
from ._terms import average, corrected
from ._vocabulary import maximum, sqrt, where
from .adam import SECOND_MOMENT


@rule(
    name="RAdam",
    source="Liu et al. 2020, Algorithm 2",
    slots={"m": Slot("m", meaning="mean of gradients"), "v": SECOND_MOMENT},
    choices={"compat": ("folded", "paper")},
    adaptive="yes",
    momentum="yes",
    bias_correction="yes",
)
def radam(
    p: Any, g: Any, m: Any, v: Any, t: Any, *,
    lr: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-8, compat: str = "folded",
) -> Any:  # fmt: skip
    """Adam with rectified variance: plain momentum until rho_t > 5, as torch (paper: 4; optax: >= 5).

    compat="folded" is the authors' code and torch; the paper has no eps.
    """
    m = average(beta1, m, g)
    v = average(beta2, v, g * g)
    power = beta2**t
    limit = 2 / (1 - beta2) - 1
    rho = limit - 2 * t * power / (1 - power)
    rectify = rho > 5
    above = maximum(rho, 5)
    bound = maximum(limit, 5)
    r = sqrt((above - 4) * (above - 2) * bound / ((bound - 4) * (bound - 2) * above))
    step_size, root_scale = corrected(t, lr, beta1, beta2, compat)
    step_size = where(rectify, r * step_size, lr / (1 - beta1**t))
    return p - step_size * m / where(rectify, sqrt(v) * root_scale + eps, 1), m, v
