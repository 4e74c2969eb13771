"""The family under test: every member in every form, with hyper-parameters away from their neutral values."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from adamas.rules import MEMBERS, ROLL, Rule

AWAY = {
    "lr": 0.0137, "beta1": 0.83, "beta2": 0.957, "beta3": 0.971, "eps": 3e-4, "momentum": 0.71, "weight_decay": 0.037,
    "lr_decay": 0.11, "initial_accumulator": 0.02, "alpha": 0.91, "rho": 0.87, "momentum_decay": 0.03, "warmup": 3.0,
}  # fmt: skip


def away(rule: Rule) -> dict[str, Any]:
    """Constructor arguments with every hyper-parameter away from its default and from neutral."""
    values = {h.name: AWAY[h.name] for h in rule.hyper}
    if rule.name == "AdEMAMix":
        values["alpha"] = 3.7
    return values | {"weight_decay": AWAY["weight_decay"]}


def forms(rule: Rule) -> list[dict[str, Any]]:
    """Every combination of a rule's options."""
    names = list(rule.options)
    return [dict(zip(names, c, strict=True)) for c in itertools.product(*(rule.options[n] for n in names))]


def cases() -> list[tuple[str, dict[str, Any]]]:
    """(class name, constructor arguments): every member, every form, every kind of decay, each at least once."""
    out: list[tuple[str, dict[str, Any]]] = []
    decays = itertools.cycle(("coupled", "decoupled", "independent"))
    for rule in MEMBERS:
        for form in forms(rule):
            out.append((rule.name, away(rule) | form | {"decay": next(decays)}))
            if rule.derived:
                out.append((rule.name, away(rule) | form | {"momentum": 0.0}))
        if rule.name + "W" in ROLL:
            out.append((rule.name + "W", away(rule)))
    return out


def same_bits(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    """Equal bit patterns, signed zeros and infinities included; any NaN equals any NaN.

    IEEE 754 leaves a NaN's sign and payload open, and processors differ.
    """
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    word = np.dtype(f"u{a.dtype.itemsize}")
    x, y = np.ascontiguousarray(a).view(word), np.ascontiguousarray(b).view(word)
    nan = np.isnan(a.astype(np.float64)) & np.isnan(b.astype(np.float64))
    return bool(np.all((x == y) | nan))


def hard_numbers(rng: np.random.Generator, n: int, dtype: Any) -> np.ndarray[Any, Any]:
    """Numbers from the smallest denormal to the largest, of both signs, with zeros, infinities and NaN."""
    info = np.finfo(dtype)
    low, high = np.log10(float(info.smallest_subnormal)), np.log10(float(info.max))
    with np.errstate(all="ignore"):
        out = (10.0 ** rng.uniform(low, high, n) * rng.choice([-1.0, 1.0], n)).astype(dtype)
    ordinary = rng.random(n) < 0.5
    out[ordinary] = rng.standard_normal(int(ordinary.sum())).astype(dtype)
    special = np.array(
        [0.0, -0.0, np.inf, -np.inf, np.nan, info.max, -info.max, info.tiny, info.smallest_subnormal], dtype
    )
    chosen = rng.random(n) < 0.02
    out[chosen] = rng.choice(special, int(chosen.sum()))
    return out
