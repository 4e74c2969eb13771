"""The step around a rule, once for every member.

Order: scale (with the sign of `maximize`), clip by value, clip by tensor norm, clip by global norm, coupled decay
or decoupled decay, the rule, cautious mask, and nothing at all when lr is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..rules import Resolved, clip, term, where

NONFINITE = ("propagate", "skip", "raise")

STEP_SCALARS = ("lr", "weight_decay", "grad_scale", "clip_value")
ROW_SCALARS = ("coefficient", "keep_scale")


@dataclass(frozen=True)
class Shape:
    """What is compiled in: the structure of the step, never a number.

    Attributes:
        decay: "coupled", "decoupled" or "independent".
        clips: clip each gradient element to [-clip_value, clip_value].
        cautious: mask components of the step that point against the gradient (Liang et al. 2024).
        scales, limits: multiply gradients by grad_scale, by the coefficient of a clipped norm. Left out where both are
            1: it would change no bit, but processors take some hundred cycles for each product with a denormal.
    """

    decay: str = "coupled"
    clips: bool = False
    cautious: bool = False
    scales: bool = True
    limits: bool = True


@term
def prepared(g: Any, grad_scale: Any, clip_value: Any, clips: bool, scales: bool) -> Any:
    """The gradient as norms see it."""
    if scales:
        g = g * grad_scale
    if clips:
        g = clip(g, -clip_value, clip_value)
    return g


@term
def entering(p: Any, g: Any, coefficient: Any, weight_decay: Any, decay: str, limits: bool) -> Any:
    """The gradient as it enters the rule; a decay of 0 is neutral even beside an infinite p."""
    if limits:
        g = g * coefficient
    if decay == "coupled":
        g = where(weight_decay == 0, g, g + weight_decay * p)
    return g


@term
def decayed(p: Any, lr: Any, weight_decay: Any, decay: str) -> Any:
    """The parameter after decoupled decay (Loshchilov & Hutter 2019), times lr or independent of it."""
    if decay == "decoupled":
        return p * (1 - lr * weight_decay)
    if decay == "independent":
        return p * (1 - weight_decay)
    return p


@term
def cautious(p: Any, p_new: Any, g: Any, keep_scale: Any) -> Any:
    """Keep the components of the step that agree with the gradient, enlarged by n / number kept."""
    step = p - p_new
    return p - where(step * g > 0, step * keep_scale, 0)


@term
def agreement(p: Any, p_new: Any, g: Any) -> Any:
    """1 where the cautious mask keeps the step, else 0."""
    return where((p - p_new) * g > 0, 1, 0)


@term
def settled(lr: Any, p: Any, p_new: Any) -> Any:
    """Lr = 0 leaves p untouched to the bit, whatever the step was."""
    return where(lr == 0, p, p_new)


def enlargement(size: int, kept: int) -> float:
    """What a cautious mask multiplies the kept components with: n / number kept, per tensor."""
    return size / max(1, kept)


def scalar_inputs(resolved: Resolved) -> list[str]:
    """Names of all that the scalar part takes, in order."""
    hyper = [h.name for h in resolved.rule.hyper]
    around = [name for name in STEP_SCALARS if name not in hyper]
    return ["t", *hyper, *around, *(s.name for s in resolved.scalar_slots)]


Call = Callable[[Callable[..., Any], Mapping[str, Any]], Any]


def element_pass(call: Call, resolved: Resolved, shape: Shape, x: Mapping[str, Any]) -> dict[str, Any]:
    """One step of one element, for any back end.

    Args:
        call: runs or records a term or rule with the given arguments.
        resolved: the rule.
        shape: structure of the step.
        x: `p`, `g`, slots, scalars and row scalars by name.

    Returns:
        New values by name: `p` and every slot; with a cautious mask also `agreement`.
    """
    switches = {"clips": shape.clips, "scales": shape.scales}
    g = call(prepared, {"g": x["g"], "grad_scale": x["grad_scale"], "clip_value": x["clip_value"]} | switches)
    decay = {"weight_decay": x["weight_decay"], "decay": shape.decay}
    g = call(entering, {"p": x["p"], "g": g, "coefficient": x["coefficient"], "limits": shape.limits} | decay)
    p = call(decayed, {"p": x["p"], "lr": x["lr"]} | decay)
    names = [s.name for s in resolved.rule.slots] + [h.name for h in resolved.rule.hyper] + ["t"]
    arguments = {name: x.get(name) for name in names if name != "t" or _takes_t(resolved)}
    out = call(resolved.rule.function, {"p": p, "g": g} | arguments | dict(resolved.options))
    new = dict(zip(["p", *(s.name for s in resolved.rule.slots)], _many(out), strict=True))
    if shape.cautious:
        new["agreement"] = call(agreement, {"p": p, "p_new": new["p"], "g": g})
        new["p"] = call(cautious, {"p": p, "p_new": new["p"], "g": g, "keep_scale": x["keep_scale"]})
    new["p"] = call(settled, {"lr": x["lr"], "p": x["p"], "p_new": new["p"]})
    return new


def _takes_t(resolved: Resolved) -> bool:
    return "t" in resolved.rule.function.__code__.co_varnames[: resolved.rule.function.__code__.co_argcount]


def _many(out: Any) -> tuple[Any, ...]:
    return tuple(out) if isinstance(out, (tuple, list)) else (out,)
