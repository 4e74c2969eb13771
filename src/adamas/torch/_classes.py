"""The classes: torch's own names with torch's own constructors, and one for every other rule."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterable
from functools import cache
from typing import Any

import torch

from .._arguments import betas_of, choice, number
from ..engine.hyper import declared
from ..rules import DECAYS, ROLL, Rule
from ._hosts import HOSTS, of_rule
from ._optimizer import FusedOptimizer
from ._signatures import EXTRAS, PARAMS, bound, give
from ._signatures import of_host as host_signature
from ._signatures import of_rule as rule_signature

EXTRA_TEXT = """

In addition to torch's arguments:
    clip_norm: all gradients are scaled down to this global Euclidean norm, in the same pass; positive; default None.
    nonfinite: 'propagate' (torch's way), 'skip' the step, or 'raise', when a gradient is not finite, or so large that
        state would overflow.
    Both look at all processes that hold parts of the parameters (DTensor, ZeroRedundancyOptimizer).
"""
FLAGS: dict[str, Any] = {
    "foreach": None, "maximize": False, "capturable": False, "differentiable": False, "fused": None
}  # fmt: skip


def of_host(name: str, base: type[torch.optim.Optimizer], parent: type = FusedOptimizer) -> type[FusedOptimizer]:
    """Our class of one of torch's names: its constructor and defaults, our step.

    Args:
        name: of the class.
        base: torch's class.
        parent: ours that it derives from first.
    """

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        given = bound(signature, name, self, *args, **kwargs).arguments
        del given["self"]
        _take_betas(given)
        FusedOptimizer.__init__(self, given.pop("params"), **given)

    signature = host_signature(base)
    give(__init__, signature, name)
    doc = f"torch.optim.{name}, fused over all tensors and groups; the same arguments, state and messages.{EXTRA_TEXT}"
    members = {
        "host": HOSTS[name],
        "theirs": base if base.__module__.startswith("torch.optim") else None,
        "settings": _settings(base),
        "__doc__": doc,
        "__module__": "adamas.torch",
        "__init__": __init__,
    }
    return type(name, (parent, base), members)


def _settings(base: type) -> frozenset[str]:
    """The keys of a parameter group that one of torch's classes reads: the arguments of all its constructors."""
    inits = [vars(c)["__init__"] for c in base.__mro__ if "__init__" in vars(c)]
    names = {name for init in inits for name in inspect.signature(init).parameters}
    return frozenset(names - {"self", "params", "defaults", "args", "kwargs"})


def _take_betas(given: dict[str, Any]) -> None:
    """Any sequence of betas as a tuple, such as the lists of configuration files."""
    if "betas" in given and isinstance(given["betas"], Iterable):
        given["betas"] = tuple(map(_real, given["betas"]))


def _real(value: Any) -> Any:
    """Any real number as a float, which is all that torch takes beside tensors."""
    return float(value) if hasattr(value, "__float__") and not isinstance(value, torch.Tensor) else value


class SparseDecay(torch.optim.SparseAdam):
    """SparseAdam with a weight decay: what SparseAdamW derives from."""

    def __init__(
        self, params: PARAMS, lr: float | torch.Tensor = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2, maximize: bool = False,
    ):  # fmt: skip
        if not weight_decay >= 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        self._weight_decay = weight_decay
        super().__init__(params, lr, betas, eps, maximize)
        self.defaults["weight_decay"] = weight_decay
        for group in self.param_groups:
            group.setdefault("weight_decay", weight_decay)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("weight_decay", 0.0)


def rebuild(module: str, name: str) -> FusedOptimizer:
    """An empty optimizer of a user's rule, found where the rule was defined; for pickle."""
    made = optimizer(getattr(importlib.import_module(module), name))
    return made.__new__(made)


class _Portable(FusedOptimizer):
    """An optimizer of a user's rule: pickle finds the rule by its module and name, since the class has none."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        assert self.rule is not None
        function = self.rule.function
        found = getattr(sys.modules.get(function.__module__), function.__name__, None)
        if found is not self.rule:  # a rule within a function: only this process can copy it
            return super().__reduce_ex__(protocol)
        return rebuild, (function.__module__, function.__name__), self.__getstate__()


@cache
def optimizer(rule: Rule) -> type[FusedOptimizer]:
    """The torch optimizer class of a rule.

    Args:
        rule: a member of the roll that torch has not, or what `@adamas.rule` made of your function.

    Raises:
        TypeError: not a Rule.
    """
    if not isinstance(rule, Rule):
        raise TypeError(f"optimizer({rule!r}): a Rule is needed; decorate the function with @adamas.rule.")
    defaults = _defaults(rule)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        found = bound(signature, rule.name, self, *args, **kwargs)
        found.apply_defaults()
        given = dict(found.arguments)
        extras = {name: given.pop(name) for name in EXTRAS}
        del given["self"]
        params = given.pop("params")
        _take_betas(given)
        _check(rule, given)
        FusedOptimizer.__init__(self, params, given, **extras)

    signature = rule_signature(defaults, {**rule.options, "decay": DECAYS})
    give(__init__, signature, rule.name)
    members = {
        "host": of_rule(rule),
        "settings": frozenset(defaults),
        "rule": rule,
        "__doc__": f"{rule.doc}\n\nSource: {rule.source or 'user'}.{_describe(rule)}{EXTRA_TEXT}",
        "__module__": "adamas.torch",
        "__init__": __init__,
    }
    base = FusedOptimizer if ROLL.get(rule.name) is rule else _Portable
    return type(rule.name, (base,), members)


def _defaults(rule: Rule) -> dict[str, Any]:
    """Group keys and their defaults."""
    betas = betas_of(rule)
    out: dict[str, Any] = {}
    for h in rule.hyper:
        if h.name not in betas:
            out[h.name] = h.default
        else:
            out.setdefault("betas", tuple(x.default for x in rule.hyper if x.name in betas))
    out |= {"weight_decay": rule.weight_decay} | {name: allowed[0] for name, allowed in rule.options.items()}
    return out | {"decay": rule.decay, "cautious": False} | FLAGS


def _check(rule: Rule, given: dict[str, Any]) -> None:
    betas = betas_of(rule)
    if betas:
        if not isinstance(given["betas"], (tuple, list)) or len(given["betas"]) != len(betas):
            raise ValueError(f"betas={given['betas']!r} must be {len(betas)} numbers in [0, 1).")
        given["betas"] = tuple(given["betas"])
    for h in declared(rule).values():
        value = given["betas"][betas.index(h.name)] if h.name in betas else given[h.name]
        number(h, value.item() if isinstance(value, torch.Tensor) and value.numel() == 1 else value)
    for name, allowed in rule.options.items():
        choice(name, given[name], allowed)
    choice("decay", given["decay"], DECAYS)
    for name in ("cautious", "maximize", "capturable", "differentiable"):
        choice(name, given[name], (False, True))


def _describe(rule: Rule) -> str:
    lines = ["\n\nArgs:", "    params: as for any torch optimizer."]
    for h in declared(rule).values():
        default = rule.weight_decay if h.name == "weight_decay" else h.default
        unit = f", {h.unit}" if h.unit else ""
        lines.append(f"    {h.name}: {h.meaning or 'number'}; in {h.range}{unit}; default {default:g}.")
    for name, allowed in rule.options.items():
        lines.append(f"    {name}: one of {', '.join(map(repr, allowed))}; default {allowed[0]!r}.")
    lines.append(f"    decay: how weight_decay acts: {', '.join(map(repr, DECAYS))}; default {rule.decay!r}.")
    lines.append("    cautious: drop components of the step that point against the gradient (Liang et al. 2024).")
    lines.append("    foreach, maximize, capturable, differentiable, fused: as in torch.")
    return "\n".join(lines)


def make_classes() -> dict[str, type[FusedOptimizer]]:
    """Every class of this module, by name."""
    classes: dict[str, type[FusedOptimizer]] = {}
    for name in HOSTS:
        if name == "AdamW":
            classes[name] = of_host(name, torch.optim.AdamW, classes["Adam"])
        elif name == "SparseAdamW":
            classes[name] = of_host(name, SparseDecay)
        else:
            classes[name] = of_host(name, getattr(torch.optim, name))
    return classes | {name: optimizer(rule) for name, rule in ROLL.items() if name not in classes}
