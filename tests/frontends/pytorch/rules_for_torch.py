"""A user's rule in a module of its own, as pickle needs it."""

from __future__ import annotations

import adamas
from adamas import sign


@adamas.rule
def signed_average(p, g, m, *, lr=0.1, beta1=0.7, soft: bool = False):
    """Sign of an average."""
    m = beta1 * m + (1 - beta1) * g
    if soft:
        return p - lr * m, m
    return p - lr * sign(m), m
