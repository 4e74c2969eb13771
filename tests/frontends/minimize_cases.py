"""Random problems for `adamas.minimize`, and the claims of a success checked by code that shares nothing with it.

Every problem knows its exact loss and gradient, without noise. A claim is checked with these, on a ladder of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adamas import schedules

FAMILIES = ("quadratic", "valley", "noisy", "flat", "kink")
RISING = 1e-9
"""A check may exceed the tolerance by this part of it: sums round in another order."""


@dataclass
class Case:
    """One problem and the call."""

    family: str
    loss: Any
    grad: Any
    start: np.ndarray
    convex: bool
    optimum: np.ndarray | None = None  # of a quadratic without bounds
    noise: float = 0.0
    noisy_gradient: bool = False
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    call: dict[str, Any] = field(default_factory=dict)

    def functions(self, rng: np.random.Generator) -> dict[str, Any]:
        """`fun` and `jac` as the user gives them."""
        if not self.noise:
            return {"fun": self.loss, "jac": self.grad}
        shaky = self.noise if self.noisy_gradient else 0.0
        return {
            "fun": lambda x: self.loss(x) + self.noise * rng.normal(),
            "jac": lambda x: self.grad(x) + shaky * rng.normal(size=x.size),
        }


def case(seed: int) -> Case:
    """The problem of a seed: its family goes round, the rest is drawn."""
    rng = np.random.default_rng([9, seed])
    family = FAMILIES[seed % len(FAMILIES)]
    scale = 10.0 ** rng.uniform(-200, 200) if rng.random() < 0.4 else 1.0
    made = {"quadratic": quadratic, "valley": valley, "noisy": quadratic, "flat": flat, "kink": kink}[family](rng)
    loss, grad, start, convex, optimum = made
    one = Case(family, lambda x: scale * loss(x), lambda x: scale * grad(x), start, convex, optimum)
    if family == "noisy":
        one.noise, one.noisy_gradient = scale * 10.0 ** rng.uniform(-6, 0), bool(rng.random() < 0.5)
    if rng.random() < 0.3:
        one.low, one.high = start - rng.uniform(0, 2, start.size), start + rng.uniform(0, 2, start.size)
        one.optimum = None
    one.call = settings(rng, scale)
    if one.low is not None:
        one.call["bounds"] = list(zip(one.low.tolist(), one.high.tolist(), strict=True))
    return one


def quadratic(rng):
    n = int(rng.choice([1, 2, 3, 5, 8]))
    turn = np.linalg.qr(rng.normal(size=(n, n)))[0]
    matrix = turn @ np.diag(10.0 ** rng.uniform(-rng.choice([0, 2, 4]), 1, n)) @ turn.T
    matrix = (matrix + matrix.T) / 2
    best, floor = rng.normal(size=n), float(rng.choice([0.0, 1.0, -100.0]))

    def loss(x):
        return float(0.5 * (x - best) @ matrix @ (x - best)) + floor

    return loss, lambda x: matrix @ (x - best), best + rng.normal(size=n) * 10.0 ** rng.uniform(-1, 1), True, best


def valley(rng):
    n, wall = int(rng.choice([2, 4])), 10.0 ** rng.uniform(0, 2)

    def loss(x):
        return float(np.sum(wall * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2))

    def grad(x):
        out, floor = np.zeros_like(x), x[1:] - x[:-1] ** 2
        out[:-1] = -4.0 * wall * x[:-1] * floor - 2.0 * (1.0 - x[:-1])
        out[1:] += 2.0 * wall * floor
        return out

    return loss, grad, rng.uniform(-1.5, 1.5, n), False, None


def flat(rng):
    """A quartic, a hinge with a plateau in it, or a loss that falls for ever ever more slowly."""
    n, best = int(rng.choice([1, 3])), rng.normal()
    kind = rng.choice(["quartic", "hinge", "tail"])
    if kind == "quartic":
        return (
            lambda x: float(np.sum((x - best) ** 4)), lambda x: 4.0 * (x - best) ** 3, rng.normal(size=n), True, None
        )  # fmt: skip
    if kind == "hinge":
        return (
            lambda x: float(np.sum(np.maximum(x, 0.0) ** 2)), lambda x: 2.0 * np.maximum(x, 0.0),
            rng.uniform(-1, 3, n), True, None,
        )  # fmt: skip
    return (
        lambda x: float(np.sum(np.logaddexp(0.0, -x))), lambda x: -1.0 / (1.0 + np.exp(np.minimum(x, 700.0))),
        rng.uniform(-1, 8, n), True, None,
    )  # fmt: skip


def kink(rng):
    n, best = int(rng.choice([1, 2])), rng.normal()
    return lambda x: float(np.sum(np.abs(x - best))), lambda x: np.sign(x - best), rng.normal(size=n), True, None


def settings(rng, scale):
    steps = int(rng.choice([100, 300, 900]))
    lr: Any = 10.0 ** rng.uniform(-4, 0)
    optimizer = str(rng.choice(["adam", "adam", "adamw", "nadam", "amsgrad", "rmsprop", "lion", "momentum", "sgd"]))
    if optimizer in ("momentum", "sgd"):
        lr = 10.0 ** rng.uniform(-2, -0.5) / scale
    if rng.random() < 0.5:
        lr = schedules.cosine(lr, steps)
    names = rng.choice(["tol", "ftol", "xtol", "gtol", "two"])
    chosen = list(rng.choice(["ftol", "xtol", "gtol"], 2, replace=False)) if names == "two" else [names]
    call = {str(name): 10.0 ** rng.uniform(-8, -1) for name in chosen}
    if "gtol" in call and rng.random() < 0.7:
        call["gtol"] *= scale
    return {"optimizer": optimizer, "lr": lr, "steps": steps, "window": int(rng.integers(1, 20)), **call}


def tolerances(call: dict[str, Any]) -> dict[str, float]:
    """What was claimed, by name."""
    given = {name: call.get(name, call.get("tol")) for name in ("ftol", "xtol", "gtol")}
    return {name: value for name, value in given.items() if value is not None}


def faults(one: Case, result: Any) -> list[str]:
    """Which claims of a success do not hold."""
    claims, x = tolerances(one.call), result.x
    low = np.full(x.size, -math.inf) if one.low is None else one.low
    high = np.full(x.size, math.inf) if one.high is None else one.high
    grad = one.grad(x)
    way = [
        0.0 if (g > 0.0 and a <= lo) or (g < 0.0 and a >= hi) else -g
        for a, g, lo, hi in zip(x, grad, low, high, strict=True)
    ]
    found = []
    if not ((low <= x) & (x <= high)).all():
        found.append("outside the bounds")
    if "gtol" in claims:
        inside = [
            min(g, a - lo) if g > 0.0 else max(g, a - hi) for a, g, lo, hi in zip(x, grad, low, high, strict=True)
        ]
        if max(map(abs, inside)) > claims["gtol"]:
            found.append("gtol")
    largest = max(map(abs, way))
    if largest == 0.0:
        return found
    unit = np.array([w / largest for w in way])
    if "xtol" in claims:
        x1 = np.minimum(np.maximum(x + claims["xtol"] * unit, low), high)
        held = (x1 == low) & (unit < 0.0) | (x1 == high) & (unit > 0.0)
        slope = math.fsum(g / largest * u for g, u, h in zip(one.grad(x1), unit, held, strict=True) if not h)
        if slope < -RISING:
            found.append("xtol")
    if "ftol" in claims:
        drop = claims["ftol"] * max(1.0, abs(result.fun))
        slope = math.fsum(-g / largest * u for g, u in zip(grad, unit, strict=True)) * largest
        here = one.loss(x)
        margin = drop * (1.0 + RISING) + 2.0 * one.noise * 1e-3
        for sense in (1.0, -1.0):
            for loss in ladder(one, x, sense * unit, drop / slope, low, high, here + drop):
                if here - loss > margin:
                    found.append("ftol")
    return found


def ladder(one, x, way, first, low, high, barrier):
    """The losses that the claim is about: doubled distances; all distances for a convex loss without bounds."""
    whole = one.convex and one.low is None
    for k in range(-100, 400) if whole else range(0, 100, 4):
        length = first * 2.0 ** (k / 4)
        if not length < 1e150:
            return
        with np.errstate(over="ignore"):
            loss = one.loss(np.minimum(np.maximum(x + length * way, low), high))
        yield loss
        if not loss <= barrier:
            return
