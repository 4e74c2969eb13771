"""What a member declares beside its formula, and `rule`, which makes a member of a function."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, overload

from ._program import Program, RuleError, Value, build
from ._vocabulary import VOCABULARY

DECAYS = ("coupled", "decoupled", "independent")


@dataclass(frozen=True)
class Hyper:
    """A hyper-parameter: a float64 number or a schedule, changeable between steps.

    Attributes:
        name: as in the formula.
        default: published value.
        low, high: the range; an end is excluded if `low_open` / `high_open`.
        unit: what the number counts.
        meaning: one line.
    """

    name: str
    default: float = 0.0
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    unit: str = ""
    meaning: str = ""

    @property
    def range(self) -> str:
        """The range in mathematical notation, for messages and tables."""
        left = "(" if self.low_open or math.isinf(self.low) else "["
        right = ")" if self.high_open or math.isinf(self.high) else "]"
        return f"{left}{self.low:g}, {self.high:g}{right}"

    def admits(self, value: float) -> bool:
        """Whether the value lies in the range (NaN and infinities never do)."""
        if not math.isfinite(value):
            return False
        above = value > self.low if self.low_open else value >= self.low
        return above and (value < self.high if self.high_open else value <= self.high)


@dataclass(frozen=True)
class Slot:
    """A state array of the parameter's shape.

    Attributes:
        name: as in the formula.
        start: value before the first step: a number, or the name of a hyper-parameter that gives it.
        signed: whether values may be negative (low-precision formats need to know).
        meaning: one line.
        scalar: the slot is one float64 number per group of parameters, not an array.
    """

    name: str
    start: float | str = 0.0
    signed: bool = True
    meaning: str = ""
    scalar: bool = False


GLOSSARY = {
    h.name: h
    for h in (
        Hyper("lr", 1e-3, 0, unit="parameter units per step", meaning="learning rate (alpha in Adam's paper)"),
        Hyper("beta1", 0.9, 0, 1, high_open=True, meaning="decay rate of the first moment"),
        Hyper("beta2", 0.999, 0, 1, high_open=True, meaning="decay rate of the second moment"),
        Hyper("beta3", 0.9999, 0, 1, high_open=True, meaning="decay rate of the third moment"),
        Hyper("eps", 1e-8, 0, unit="gradient units", meaning="added to the denominator"),
        Hyper("momentum", 0.9, 0, meaning="decay rate of the velocity (mu)"),
        Hyper("weight_decay", 0.0, 0, unit="per step", meaning="pull of parameters towards 0"),
    )
}
WEIGHT_DECAY = GLOSSARY["weight_decay"]
_WORDS = (
    "betas decay maximize grad_scale clip_value clip_tensor_norm clip_norm cautious nonfinite overrides backend "
    "rule step hyper counters last_norm state_dict load_state_dict reset "  # attributes of every optimizer
    "i seen lost tally int32 int64 range coefficient keep_scale agreement"  # words of kernels
)
RESERVED = frozenset(_WORDS.split())
"""Names that parameters of a rule cannot have; nor can they begin as `RESERVED_STARTS`."""
RESERVED_STARTS = ("_", "at_", "load_", "store_")


@dataclass(frozen=True)
class Rule:
    """A member of the family: a formula for one element and what must be known beside it.

    Attributes:
        name: class name of the optimizer made from it.
        function: `function(p, g, slot..., [t], *, hyper..., option...)` returning `p` and every slot, in order.
        slots: state, in the order of the function's arguments.
        hyper: hyper-parameters with defaults and ranges.
        options: names, defaults and allowed values of options, which choose between forms of the formula.
        derived: options computed from hyper-parameters (`name -> function(hyper) -> bool`).
        decay: how `weight_decay` acts by default.
        weight_decay: its default.
        source: the paper.
        adaptive, momentum, bias_correction: facts for the comparison table.
    """

    name: str
    function: Callable[..., Any]
    slots: tuple[Slot, ...]
    hyper: tuple[Hyper, ...]
    options: Mapping[str, tuple[object, ...]]
    derived: Mapping[str, Callable[[Mapping[str, Any]], bool]] = field(default_factory=dict)
    decay: str = "coupled"
    weight_decay: float = 0.0
    source: str = ""
    adaptive: str = "no"
    momentum: str = "no"
    bias_correction: str = "no"

    @property
    def doc(self) -> str:
        """The docstring of the rule's function."""
        return inspect.getdoc(self.function) or ""

    def __hash__(self) -> int:
        return hash((self.name, self.function, self.decay))

    def resolve(self, options: Mapping[str, object]) -> Resolved:
        """The formula for one choice of options.

        Raises:
            RuleError: the function uses a construct outside the vocabulary.
        """
        return _resolve(self, tuple(sorted(options.items())))

    def decoupled(self) -> Rule:
        """The twin with decoupled weight decay (Loshchilov & Hutter 2019), named with a final W."""
        return replace(self, name=self.name + "W", decay="decoupled", weight_decay=0.01)


@dataclass(frozen=True, eq=False)
class Resolved:
    """A rule with its options chosen: its program, and the state it really keeps.

    Attributes:
        slots: array slots that the chosen form uses; `dropped` are the unused ones.
        scalar_slots: scalar slots in use.
    """

    rule: Rule
    options: Mapping[str, object]
    program: Program
    slots: tuple[Slot, ...]
    scalar_slots: tuple[Slot, ...]
    outputs: Mapping[str, Value]


def _label(function: Callable[..., Any], name: str) -> str:
    code = function.__code__
    return f"{code.co_filename}, line {code.co_firstlineno}, rule {name!r}"


@cache
def _resolve(rule: Rule, options: tuple[tuple[str, object], ...]) -> Resolved:
    arrays = [s for s in rule.slots if not s.scalar]
    scalars = [s for s in rule.slots if s.scalar]
    scalar_names = ["t", *(h.name for h in rule.hyper), *(s.name for s in scalars)]
    program = build(rule.function, ["p", "g", *(s.name for s in arrays)], scalar_names, dict(options))
    expected = 1 + len(rule.slots)
    if len(program.outputs) != expected:
        raise RuleError(
            f"{_label(rule.function, rule.name)} returns {len(program.outputs)} value(s); "
            f"it must return p and every slot in order: {', '.join(['p', *(s.name for s in rule.slots)])}"
        )
    outputs = dict(zip(["p", *(s.name for s in rule.slots)], program.outputs, strict=True))
    for name, value in outputs.items():
        scalar = any(s.name == name for s in scalars)
        if value.kind == "scalar" and not scalar and name != "p":
            raise RuleError(
                f"{_label(rule.function, rule.name)}: what it returns for {name!r} is one number for all elements; "
                f"declare slots={{{name!r}: Slot({name!r}, scalar=True)}}"
            )
        if value.kind == "static" or value.boolean or (scalar and value.kind != "scalar"):
            raise RuleError(
                f"{_label(rule.function, rule.name)}: what it returns for {name!r} is no "
                f"{'scalar' if scalar else 'number'}"
            )

    def used(slot: Slot) -> bool:
        unchanged = getattr(outputs[slot.name].node, "id", None) == slot.name
        elsewhere = any(getattr(v.node, "id", None) == slot.name for n, v in outputs.items() if n != slot.name)
        return not unchanged or elsewhere or program.reads(slot.name)

    kept = tuple(s for s in arrays if used(s))
    return Resolved(rule, dict(options), program, kept, tuple(scalars), outputs)


@overload
def rule(function: Callable[..., Any]) -> Rule: ...
@overload
def rule(
    *,
    name: str | None = None,
    slots: Mapping[str, Slot] | None = None,
    hyper: Mapping[str, Hyper] | None = None,
    choices: Mapping[str, tuple[str, ...]] | None = None,
    derived: Mapping[str, Callable[[Mapping[str, Any]], bool]] | None = None,
    decay: str = "coupled",
    weight_decay: float = 0.0,
    source: str = "",
    adaptive: str = "no",
    momentum: str = "no",
    bias_correction: str = "no",
) -> Callable[[Callable[..., Any]], Rule]: ...
def rule(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    slots: Mapping[str, Slot] | None = None,
    hyper: Mapping[str, Hyper] | None = None,
    choices: Mapping[str, tuple[str, ...]] | None = None,
    derived: Mapping[str, Callable[[Mapping[str, Any]], bool]] | None = None,
    decay: str = "coupled",
    weight_decay: float = 0.0,
    source: str = "",
    adaptive: str = "no",
    momentum: str = "no",
    bias_correction: str = "no",
) -> Rule | Callable[[Callable[..., Any]], Rule]:
    """Make a member of the family of a function of one element.

    Parameters without default are `p`, `g`, optionally `t` (1 at the first step), and the state slots; they start
    at 0. Parameters with a number as default are hyper-parameters (`lr` must be among them); with a bool or a
    text, options. The function returns the new `p`, then every slot in order::

        @adamas.rule
        def heavy_ball(p, g, v, *, lr=0.01, momentum=0.9):
            v = momentum * v + g
            return p - lr * v, v

    Args:
        function: the formula, in the vocabulary of `adamas.rules`.
        name: class name; by default the function's.
        slots: declarations for slots that do not start at 0 or never are negative.
        hyper: ranges and meanings; names of the glossary (`beta1`, `eps`, ...) have them already.
        choices: allowed values of text options.
        derived: options that follow from hyper-parameters.
        decay: "coupled", "decoupled" or "independent": how `weight_decay` acts by default.
        weight_decay: its default, in [0, inf).
        source: paper and equation.
        adaptive, momentum, bias_correction: facts for the comparison table.

    Returns:
        A `Rule`; `adamas.optimizer(rule)` makes its class.

    Raises:
        RuleError: a construct outside the vocabulary, a missing `lr`, a wrong return value.
    """

    def make(f: Callable[..., Any]) -> Rule:
        facts = {"source": source, "adaptive": adaptive, "momentum": momentum, "bias_correction": bias_correction}
        return _declare(f, name, slots or {}, hyper or {}, choices or {}, derived or {}, decay, weight_decay, facts)

    return make if function is None else make(function)


def _declare(
    function: Callable[..., Any],
    name: str | None,
    slots: Mapping[str, Slot],
    hyper: Mapping[str, Hyper],
    choices: Mapping[str, tuple[str, ...]],
    derived: Mapping[str, Callable[[Mapping[str, Any]], bool]],
    decay: str,
    weight_decay: float,
    facts: Mapping[str, str],
) -> Rule:
    """See `rule`."""
    if not inspect.isfunction(function) or function.__name__ == "<lambda>":
        raise RuleError(f"a rule must be a plain `def` function, not {function!r}")
    title = name or function.__name__
    label = _label(function, title)
    if not title.isidentifier():
        raise RuleError(f"{label}: name={title!r} must be an identifier; it names the class and its kernel's file")
    state: list[Slot] = []
    numbers: list[Hyper] = []
    options: dict[str, tuple[object, ...]] = {}
    parameters = list(inspect.signature(function).parameters.values())
    if [q.name for q in parameters[:2]] != ["p", "g"]:
        raise RuleError(f"{label}: the first two parameters must be p and g")
    for q in parameters[2:]:
        if q.kind in (q.VAR_POSITIONAL, q.VAR_KEYWORD):
            raise RuleError(f"{label}: *{q.name} is not allowed; name every slot and hyper-parameter")
        if q.name == WEIGHT_DECAY.name:
            raise RuleError(f"{label}: weight_decay belongs to the step around every rule; leave it out")
        word = q.name in VOCABULARY and not isinstance(q.default, (bool, str))
        if word or q.name in RESERVED or q.name.startswith(RESERVED_STARTS):
            raise RuleError(f"{label}: the name {q.name!r} has a meaning of its own here; choose another")
        if q.name == "t" and q.default is not q.empty:
            raise RuleError(f"{label}: t is the step count (1 at the first step) and takes no default")
        if q.default is q.empty:
            if q.name != "t":
                state.append(replace(slots.get(q.name, Slot(q.name)), name=q.name))
        elif isinstance(q.default, (bool, str)):
            if q.name not in derived:
                if isinstance(q.default, str) and q.name not in choices:
                    raise RuleError(f"{label}: the text option {q.name!r} needs choices={{{q.name!r}: (...)}}")
                allowed: tuple[object, ...] = (False, True) if isinstance(q.default, bool) else choices[q.name]
                options[q.name] = (q.default, *(a for a in allowed if a != q.default))
        elif isinstance(q.default, (int, float)):
            known = hyper.get(q.name, GLOSSARY.get(q.name, Hyper(q.name)))
            numbers.append(replace(known, name=q.name, default=float(q.default)))
        else:
            raise RuleError(f"{label}: the default of {q.name!r} must be a number, a bool or a text")
    if "lr" not in [h.name for h in numbers]:
        raise RuleError(f"{label} needs a hyper-parameter lr (a parameter with a default: `lr=1e-3`)")
    texts, switches = ({q.name for q in parameters if isinstance(q.default, kind)} for kind in (str, bool))
    unknown = (set(slots) - {s.name for s in state}) | (set(hyper) - {h.name for h in numbers})
    unknown |= (set(choices) - texts) | (set(derived) - switches)
    if unknown:
        raise RuleError(f"{label}: {sorted(unknown)} are declared but are not parameters of the function")
    if decay not in DECAYS:
        raise RuleError(f"{label}: {decay=} must be one of {DECAYS}")
    made = Rule(title, function, tuple(state), tuple(numbers), options, derived, decay, weight_decay, **facts)
    for h in (*numbers, replace(WEIGHT_DECAY, default=weight_decay)):
        if not h.admits(h.default):
            raise RuleError(f"{label}: the default {h.name}={h.default!r} lies outside {h.range}")
    every = {**options, **dict.fromkeys(derived, (False, True))}
    for chosen in itertools.product(*every.values()):
        made.resolve(dict(zip(every, chosen, strict=True)))  # raises at definition, whatever form has the fault
    return made
