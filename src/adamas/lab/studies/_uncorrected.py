"""Adam without its bias correction, for the studies that ask what the correction does."""

from __future__ import annotations

from typing import Any

import adamas
from adamas import sqrt


@adamas.rule
def uncorrected(
    p: Any, g: Any, m: Any, v: Any, *, lr: Any = 1e-3, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-8
) -> Any:
    """Adam's averages used as they are."""
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    return p - lr * m / (sqrt(v) + eps), m, v


Uncorrected = adamas.optimizer(uncorrected)
