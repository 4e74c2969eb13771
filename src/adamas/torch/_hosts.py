"""What torch calls things: which rule a parameter group means, and the names of its state and settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from .._arguments import betas_of
from ..engine.engine import Form
from ..engine.hyper import declared
from ..engine.step import Shape
from ..rules import ROLL, Rule, damped_momentum

Settings = Mapping[str, Any]
Choice = tuple[Rule, dict[str, object], str]


@dataclass(frozen=True)
class Host:
    """One class of the host.

    Attributes:
        choose: the rule, its options and the kind of decay that a parameter group asks for.
        keys: state key of each slot; others keep the name of the formula.
        settings: group key of each hyper-parameter that is named otherwise.
        counts: whether state holds `step`.
        integer: whether `step` is a Python int.
        rows: whether gradients must be sparse.
        sparse: what becomes of sparse gradients: "" (an error), "rows" (only the rows that they have are stepped), or
            "plain": rows without momentum and decay, else they are made dense.
        order: slots in the order of their state keys, where it is not the rule's.
    """

    choose: Callable[[Settings], Choice]
    keys: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    counts: bool = True
    integer: bool = False
    rows: bool = False
    sparse: str = ""
    order: tuple[str, ...] = ()

    def key(self, slot: str) -> str:
        """The state key of a slot."""
        return self.keys.get(slot, slot)


class GroupView(dict[str, Any]):
    """What a class reads of a parameter group; other keys, which torch ignores, are ignored here too.

    Args:
        group: one of `param_groups`.
        settings: keys that the class reads.
        label: for messages.
    """

    def __init__(self, group: Settings, settings: Collection[str], label: str):
        super().__init__({key: value for key, value in group.items() if key in settings})
        self.label = label

    def __missing__(self, key: str) -> Any:
        raise ValueError(f"{self.label} has no {key!r}, which every group must have; set {self.label}[{key!r}].")


@dataclass(frozen=True)
class Constants:
    """Numbers of one group at one step, by the formula's names."""

    values: Mapping[str, float]

    def at(self, step: int) -> tuple[float, ...]:
        """All values in the order of declaration."""
        return tuple(self.values.values())


def read(host: Host, group: Settings, label: str) -> tuple[Form, Constants]:
    """What a parameter group asks for now.

    Raises:
        TypeError, ValueError: a setting is missing, or no finite number.
    """
    rule, options, decay = host.choose(group)
    betas = betas_of(rule)
    values: dict[str, float] = {}
    for name in declared(rule):
        if name in betas:
            values[name] = _number(_betas(group, len(betas), label)[betas.index(name)], "betas", label)
        else:
            key = host.settings.get(name, name)
            values[name] = _number(group.get(key, 0.0) if name == "weight_decay" else group[key], key, label)
    options = {n: allowed[0] for n, allowed in rule.options.items()} | options
    options |= {n: bool(f(values)) for n, f in rule.derived.items()}
    cautious = bool(group.get("cautious", False))
    return Form(rule.resolve(options), Shape(decay, cautious=cautious), bool(group.get("maximize"))), Constants(values)


def _betas(group: Settings, count: int, label: str) -> Any:
    betas = group["betas"]
    if not isinstance(betas, (tuple, list)) or len(betas) != count:
        raise ValueError(f"{label}['betas']={betas!r} must be {count} numbers.")
    return betas


def _number(value: Any, key: str, label: str) -> float:
    """A setting as a float; tensors of one element give theirs."""
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError("a text")
        number = float(value.item() if isinstance(value, torch.Tensor) else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{label}[{key!r}]={value!r} must be a number or a tensor of one element.") from error
    if not math.isfinite(number):
        raise ValueError(f"{label}[{key!r}]={value!r} must be finite.")
    return number


def _decay(group: Settings) -> str:
    """How the weight decay of Adam, AdamW, NAdam and RAdam acts; torch's other classes have no such setting."""
    return "decoupled" if group.get("decoupled_weight_decay") else "coupled"


def _adam(group: Settings) -> Choice:
    return ROLL["AMSGrad" if group.get("amsgrad") else "Adam"], {}, _decay(group)


def _plain(name: str) -> Callable[[Settings], Choice]:
    return lambda group: (ROLL[name], {}, _decay(group))


def _sgd(group: Settings) -> Choice:
    if not group["momentum"]:
        return ROLL["SGD"], {}, "coupled"
    if group["dampening"]:
        return damped_momentum, {}, "coupled"
    return ROLL["Nesterov" if group["nesterov"] else "Momentum"], {}, "coupled"


def _rmsprop(group: Settings) -> Choice:
    return ROLL["RMSprop"], {"centered": bool(group["centered"])}, "coupled"


def _sparse_adam(group: Settings) -> Choice:
    return ROLL["Adam"], {"compat": "folded"}, "decoupled"


MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq", "x": "max_exp_avg_sq"}

HOSTS: dict[str, Host] = {
    "Adam": Host(_adam, MOMENTS),
    "AdamW": Host(_adam, MOMENTS),
    "NAdam": Host(_plain("NAdam"), MOMENTS),
    "RAdam": Host(_plain("RAdam"), MOMENTS),
    "Adamax": Host(_plain("Adamax"), {"m": "exp_avg", "u": "exp_inf"}),
    "SGD": Host(_sgd, {"v": "momentum_buffer"}, counts=False, sparse="plain"),
    "Adagrad": Host(
        _plain("Adagrad"), {"v": "sum"}, {"initial_accumulator": "initial_accumulator_value"}, sparse="rows"
    ),
    "RMSprop": Host(_rmsprop, {"v": "square_avg", "a": "grad_avg", "b": "momentum_buffer"}, order=("v", "b", "a")),
    "Adadelta": Host(_plain("Adadelta"), {"v": "square_avg", "u": "acc_delta"}),
    "SparseAdam": Host(_sparse_adam, MOMENTS, integer=True, rows=True, sparse="rows"),
    "SparseAdamW": Host(_sparse_adam, MOMENTS, integer=True, rows=True, sparse="rows"),
}
"""Classes that torch.optim has too, and SparseAdamW, which it lacks."""

FURTHER: dict[str, Mapping[str, str]] = {
    "Momentum": {"v": "momentum_buffer"},
    "Nesterov": {"v": "momentum_buffer"},
    "AMSGrad": MOMENTS,
    "AdaBelief": {"m": "exp_avg", "s": "exp_avg_var"},
    "Yogi": MOMENTS,
    "Lion": {"m": "exp_avg"},
    "Adan": {"m": "exp_avg", "v": "exp_avg_diff", "n": "exp_avg_sq", "g_prev": "previous_grad"},
    "ADOPT": MOMENTS,
    "AdEMAMix": {"m": "exp_avg", "s": "exp_avg_slow", "v": "exp_avg_sq"},
}
"""State keys of members that torch has not, as their authors' torch code names them."""


def of_rule(rule: Rule) -> Host:
    """The host of a member that torch has not, or of a user's rule: options and decay stand in the group."""

    def choose(group: Settings) -> Choice:
        return rule, {n: group[n] for n in rule.options}, group["decay"]

    member = ROLL.get(rule.name)
    if member is None or member.function is not rule.function:
        return Host(choose)
    base = rule.name.removesuffix("W")
    return Host(choose, HOSTS[base].keys if base in HOSTS else FURTHER[base])
