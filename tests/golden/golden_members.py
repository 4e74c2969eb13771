"""Every member of the family as a scalar recurrence, written from its paper and from nothing in ``src``.

Each function takes one element ``p``, its gradient ``g``, the element's state ``s`` (slots not yet there
start at 0 unless the paper says otherwise), the hyper-parameters ``h`` of this step, and ``t``, 1 at the
first step. It gives the new element and changes ``s``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from golden_numbers import Num, absolute, exp, log, maximum, minimum, power, sign, sqrt

State = dict[str, Num]


class Hyper(dict[str, Num]):
    """The numbers of one step, and beside them the choices of form."""

    def __init__(self, numbers: dict[str, Num], choices: dict[str, Any]) -> None:
        super().__init__(numbers)
        self.choices = choices


Member = Callable[[Num, Num, State, Hyper, int], Num]


def sgd(p: Num, g: Num, s: State, h: Hyper, t: int) -> Num:
    """Robbins and Monro 1951."""
    return p - h["lr"] * g


def momentum(p: Num, g: Num, s: State, h: Hyper, t: int) -> Num:
    """Polyak 1964; averaged: the exponential mean of the gradients."""
    mu = h["momentum"]
    new = (1 - mu) * g if h.choices["averaged"] else g
    s["v"] = mu * s.get("v", Num(0)) + new
    return p - h["lr"] * s["v"]


def nesterov(p: Num, g: Num, s: State, h: Hyper, t: int) -> Num:
    """Nesterov 1983, in the form of Sutskever et al. 2013 with the look-ahead point as the parameter."""
    mu = h["momentum"]
    s["v"] = mu * s.get("v", Num(0)) + g
    return p - h["lr"] * (g + mu * s["v"])


def adagrad(p: Num, g: Num, s: State, h: Hyper, t: int) -> Num:
    """Duchi, Hazan and Singer 2011."""
    s["v"] = s.get("v", h["initial_accumulator"]) + g * g
    rate = h["lr"] / (1 + (t - 1) * h["lr_decay"])
    return p - rate * g / (sqrt(s["v"]) + h["eps"])


def rmsprop(p: Num, g: Num, s: State, h: Hyper, t: int) -> Num:
    """Tieleman and Hinton 2012; centred and with momentum: Graves 2013."""
    a = h["alpha"]
    s["v"] = a * s.get("v", Num(0)) + (1 - a) * (g * g)
    spread = s["v"]
    if h.choices["centered"]:
        s["a"] = a * s.get("a", Num(0)) + (1 - a) * g
        spread = s["v"] - s["a"] * s["a"]
    step = g / (sqrt(spread) + h["eps"])
    if h["momentum"].value != 0:
        s["b"] = h["momentum"] * s.get("b", Num(0)) + step
        step = s["b"]
    return p - h["lr"] * step


def adadelta(p: Num, g: Num, s: State, h: Hyper, t: int) -> Num:
    """Zeiler 2012, algorithm 1, with a learning rate before the step."""
    rho, eps = h["rho"], h["eps"]
    s["v"] = rho * s.get("v", Num(0)) + (1 - rho) * (g * g)
    u = s.get("u", Num(0))
    delta = sqrt(u + eps) / sqrt(s["v"] + eps) * g
    s["u"] = rho * u + (1 - rho) * (delta * delta)
    return p - h["lr"] * delta


def adam(p: Num, g: Num, s: State, h: Hyper, t: int) -> Num:
    """Kingma and Ba 2015, algorithm 1; folded: the "epsilon hat" order of their section 2."""
    b1, b2, lr, eps = h["b1"], h["b2"], h["lr"], h["eps"]
    s["m"] = b1 * s.get("m", Num(0)) + (1 - b1) * g
    s["v"] = b2 * s.get("v", Num(0)) + (1 - b2) * (g * g)
    c1, c2 = 1 - power(b1, t), 1 - power(b2, t)
    if h.choices["compat"] == "folded":
        return p - lr * sqrt(c2) / c1 * s["m"] / (sqrt(s["v"]) + eps)
    return p - lr * (s["m"] / c1) / (sqrt(s["v"] / c2) + eps)


def amsgrad(p: Num, g: Num, s: State, h: Hyper, t: int) -> Num:
    """Reddi, Kale and Kumar 2018, algorithm 2, with Adam's bias correction after or before the maximum."""
    b1, b2, lr, eps = h["b1"], h["b2"], h["lr"], h["eps"]
    s["m"] = b1 * s.get("m", Num(0)) + (1 - b1) * g
    s["v"] = b2 * s.get("v", Num(0)) + (1 - b2) * (g * g)
    c1, c2 = 1 - power(b1, t), 1 - power(b2, t)
    x = s.get("x", Num(0))
    if h.choices["maximum"] == "after":
        s["x"] = maximum(x, s["v"] / c2)
        return p - lr * (s["m"] / c1) / (sqrt(s["x"]) + eps)
    s["x"] = maximum(x, s["v"])
    if h.choices["compat"] == "folded":
        return p - lr * sqrt(c2) / c1 * s["m"] / (sqrt(s["x"]) + eps)
    return p - lr * (s["m"] / c1) / (sqrt(s["x"] / c2) + eps)


def adamax(p: Num, g: Num, s: State, h: Hyper, t: int) -> Num:
    """Kingma and Ba 2015, algorithm 2; eps guards the division as in torch."""
    b1, b2 = h["b1"], h["b2"]
    s["m"] = b1 * s.get("m", Num(0)) + (1 - b1) * g
    s["u"] = maximum(b2 * s.get("u", Num(0)), absolute(g) + h["eps"])
    return p - h["lr"] / (1 - power(b1, t)) * s["m"] / s["u"]


def nadam(p: Num, g: Num, s: State, h: Hyper, t: int) -> Num:
    """Dozat 2016: algorithm 2 with its momentum schedule (torch), or with a constant beta1 (dozat)."""
    b1, b2, lr, eps = h["b1"], h["b2"], h["lr"], h["eps"]
    s["m"] = b1 * s.get("m", Num(0)) + (1 - b1) * g
    s["v"] = b2 * s.get("v", Num(0)) + (1 - b2) * (g * g)
    c2 = 1 - power(b2, t)
    if h.choices["form"] == "dozat":
        m_hat = b1 * s["m"] / (1 - power(b1, t + 1)) + (1 - b1) * g / (1 - power(b1, t))
    else:
        psi = h["momentum_decay"]
        mu_t = b1 * (1 - Num(0.5) * power(Num(0.96), t * psi))
        mu_next = b1 * (1 - Num(0.5) * power(Num(0.96), (t + 1) * psi))
        s["mu_product"] = s.get("mu_product", Num(1)) * mu_t
        ahead = mu_next * s["m"] / (1 - s["mu_product"] * mu_next)
        m_hat = ahead + (1 - mu_t) * g / (1 - s["mu_product"])
    if h.choices["compat"] == "folded":
        return p - lr * sqrt(c2) * m_hat / (sqrt(s["v"]) + eps)
    return p - lr * m_hat / (sqrt(s["v"] / c2) + eps)


def radam(p: Num, g: Num, s: State, h: Hyper, t: int) -> Num:
    """Liu et al. 2020, algorithm 2; the adaptive branch opens where rho is above 5."""
    b1, b2, lr, eps = h["b1"], h["b2"], h["lr"], h["eps"]
    s["m"] = b1 * s.get("m", Num(0)) + (1 - b1) * g
    s["v"] = b2 * s.get("v", Num(0)) + (1 - b2) * (g * g)
    c1, c2 = 1 - power(b1, t), 1 - power(b2, t)
    limit = 2 / (1 - b2) - 1
    rho = limit - 2 * t * power(b2, t) / c2
    if not rho > 5:
        return p - lr * (s["m"] / c1)
    r = sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
    if h.choices["compat"] == "folded":
        return p - lr * r * (s["m"] / c1) * sqrt(c2) / (sqrt(s["v"]) + eps)
    return p - lr * r * (s["m"] / c1) / (sqrt(s["v"] / c2) + eps)


def adabelief(p: Num, g: Num, s: State, h: Hyper, t: int) -> Num:
    """Zhuang et al. 2020, algorithm 2: eps enters the state at every step, and the divisor."""
    b1, b2, lr, eps = h["b1"], h["b2"], h["lr"], h["eps"]
    s["m"] = b1 * s.get("m", Num(0)) + (1 - b1) * g
    surprise = g - s["m"]
    s["s"] = b2 * s.get("s", Num(0)) + (1 - b2) * (surprise * surprise) + eps
    c1, c2 = 1 - power(b1, t), 1 - power(b2, t)
    if h.choices["compat"] == "folded":
        return p - lr * sqrt(c2) / c1 * s["m"] / (sqrt(s["s"]) + eps)
    return p - lr * (s["m"] / c1) / (sqrt(s["s"] / c2) + eps)


def yogi(p: Num, g: Num, s: State, h: Hyper, t: int) -> Num:
    """Zaheer et al. 2018, algorithm 2."""
    b1, b2, lr, eps = h["b1"], h["b2"], h["lr"], h["eps"]
    s["m"] = b1 * s.get("m", Num(0)) + (1 - b1) * g
    v, g2 = s.get("v", h["initial_accumulator"]), g * g
    s["v"] = v - (1 - b2) * sign(v - g2) * g2
    if h.choices["bias_correction"]:
        c1, c2 = 1 - power(b1, t), 1 - power(b2, t)
        return p - lr * (s["m"] / c1) / (sqrt(s["v"] / c2) + eps)
    return p - lr * s["m"] / (sqrt(s["v"]) + eps)


def lion(p: Num, g: Num, s: State, h: Hyper, t: int) -> Num:
    """Chen et al. 2023, algorithm 2: the sign of one mean, the state of another."""
    b1, b2 = h["b1"], h["b2"]
    m = s.get("m", Num(0))
    s["m"] = b2 * m + (1 - b2) * g
    return p - h["lr"] * sign(b1 * m + (1 - b1) * g)


def adan(p: Num, g: Num, s: State, h: Hyper, t: int) -> Num:
    """Xie et al. 2022, algorithm 1, with the bias corrections and the complementary betas of their code."""
    b1, b2, b3 = h["b1"], h["b2"], h["b3"]
    d = g - s["g_prev"] if t > 1 else Num(0)
    s["m"] = b1 * s.get("m", Num(0)) + (1 - b1) * g
    s["v"] = b2 * s.get("v", Num(0)) + (1 - b2) * d
    ahead = g + b2 * d
    s["n"] = b3 * s.get("n", Num(0)) + (1 - b3) * (ahead * ahead)
    s["g_prev"] = g
    c1, c2, c3 = 1 - power(b1, t), 1 - power(b2, t), 1 - power(b3, t)
    return p - h["lr"] * (s["m"] / c1 + b2 * s["v"] / c2) / (sqrt(s["n"] / c3) + h["eps"])


def adopt(p: Num, g: Num, s: State, h: Hyper, t: int) -> Num:
    """Taniguchi et al. 2024, algorithm 2 with clipping: the state of the step before divides."""
    b1, b2 = h["b1"], h["b2"]
    m = s.setdefault("m", Num(0))
    if t == 1:
        s["v"] = g * g
        return p
    bound = power(Num(t - 1), Num(0.25))
    scaled = minimum(bound, maximum(-bound, g / maximum(sqrt(s["v"]), h["eps"])))
    s["m"] = b1 * m + (1 - b1) * scaled
    s["v"] = b2 * s["v"] + (1 - b2) * (g * g)
    return p - h["lr"] * s["m"]


def ademamix(p: Num, g: Num, s: State, h: Hyper, t: int) -> Num:
    """Pagliardini, Ablin and Grangier 2024, algorithm 1 with both warm-ups of their section 3."""
    b1, b2, b3, alpha, warmup = h["b1"], h["b2"], h["b3"], h["alpha"], h.choices["warmup"]
    if warmup:
        part = Num(t) / warmup
        alpha = minimum(alpha, t * alpha / warmup)
        b3 = minimum(b3, exp(log(b1) * log(b3) / ((1 - part) * log(b3) + part * log(b1))))
    s["m1"] = b1 * s.get("m1", Num(0)) + (1 - b1) * g
    s["m2"] = b3 * s.get("m2", Num(0)) + (1 - b3) * g
    s["v"] = b2 * s.get("v", Num(0)) + (1 - b2) * (g * g)
    c1, c2 = 1 - power(b1, t), 1 - power(b2, t)
    return p - h["lr"] * (s["m1"] / c1 + alpha * s["m2"]) / (sqrt(s["v"] / c2) + h["eps"])
