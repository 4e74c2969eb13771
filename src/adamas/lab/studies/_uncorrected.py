"""Adam without its bias correction, for the studies that ask what the correction does."""

from __future__ import annotations

from typing import Any

import adamas
from adamas.rules import average, ratio


@adamas.rule
def uncorrected(
    p: Any, g: Any, m: Any, v: Any, *, lr: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-8
) -> Any:
    """Adam's averages, started at zero, used as they are."""
    m = average(beta1, m, g)
    v = average(beta2, v, g * g)
    return p - ratio(lr, m, v, 1, eps), m, v


Uncorrected = adamas.optimizer(uncorrected)
