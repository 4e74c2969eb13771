"""Terms that several members share: each is stated here and nowhere else."""

from __future__ import annotations

from typing import Any

from ._term import term
from ._vocabulary import sqrt


@term
def average(beta: Any, old: Any, new: Any) -> Any:
    """Exponential moving average."""
    return beta * old + (1 - beta) * new


@term
def corrected(t: Any, lr: Any, beta1: Any, beta2: Any, compat: str) -> Any:
    """`(A, B)` of `A*m / (sqrt(v)*B + eps)` with bias correction (Kingma & Ba 2015).

    paper: eps beside sqrt(v_hat), Algorithm 1. folded: the form before section 2.1, where eps is epsilon-hat.
    """
    first, second = 1 - beta1**t, 1 - beta2**t
    if compat == "folded":
        return lr * sqrt(second) / first, 1
    return lr / first, 1 / sqrt(second)


@term
def ratio(step_size: Any, m: Any, v: Any, root_scale: Any, eps: Any) -> Any:
    """The adaptive step of Adam and its kin."""
    return step_size * m / (sqrt(v) * root_scale + eps)
