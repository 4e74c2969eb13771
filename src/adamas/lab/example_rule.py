"""A rule that is no member of the roll, written as a user would: `adamas compare --optimizers adam,FILE:grams`."""

from typing import Any

import adamas
from adamas.rules import abs, average, corrected, ratio, sign


@adamas.rule(source="Cao et al. 2024, Grams", adaptive="yes", momentum="yes", bias_correction="yes")
def grams(
    p: Any, g: Any, m: Any, v: Any, t: Any, *, lr: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-8
) -> Any:
    """Adam decides how far, the present gradient in which direction."""
    m = average(beta1, m, g)
    v = average(beta2, v, g * g)
    step_size, root_scale = corrected(t, lr, beta1, beta2, "paper")
    return p - sign(g) * abs(ratio(step_size, m, v, root_scale, eps)), m, v
