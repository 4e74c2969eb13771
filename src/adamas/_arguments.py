"""Constructor arguments of an optimizer: made from its rule, checked before anything is built."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from .engine.backends import BACKENDS
from .engine.engine import Around
from .engine.errors import shown
from .engine.hyper import checked, declared, plain_number, reject_unknown
from .engine.step import NONFINITE, Shape
from .rules import DECAYS, Hyper, Rule

LIMITS = {
    n: Hyper(n, low=0, low_open=True, meaning=m)
    for n, m in {
        "grad_scale": "gradients are multiplied by it before anything else",
        "clip_value": "gradient elements are limited to [-clip_value, clip_value]",
        "clip_tensor_norm": "each tensor's gradient is scaled down to this Euclidean norm",
        "clip_norm": "all gradients are scaled down to this global Euclidean norm",
    }.items()
}
AROUND: dict[str, object] = {
    "maximize": False,
    "grad_scale": 1.0,
    "clip_value": None,
    "clip_tensor_norm": None,
    "clip_norm": None,
    "cautious": False,
    "nonfinite": "propagate",
    "overrides": None,
    "backend": "auto",
}
CHOICES = {"decay": DECAYS, "nonfinite": NONFINITE, "backend": tuple(BACKENDS)}


def choice(name: str, value: object, allowed: tuple[object, ...]) -> object:
    """The value, if it is one of those allowed.

    Raises:
        ValueError: it is not.
    """
    if not any(value is a or (isinstance(value, str) and value == a) for a in allowed):
        raise ValueError(f"{name}={shown(value)} must be one of {', '.join(repr(a) for a in allowed)}.")
    return value


def limit(name: str, value: object) -> float | None:
    """One of `LIMITS` as a positive number, or None where it is not asked for.

    Raises:
        TypeError, ValueError: anything else.
    """
    return None if value is None else number(LIMITS[name], value)


def number(hyper: Hyper, value: object) -> float:
    """A setting that cannot be a schedule.

    Raises:
        TypeError, ValueError: no number, or outside the range.
    """
    what = "a positive number" if hyper.name in LIMITS else f"a number in {hyper.range}"
    if callable(value):
        raise TypeError(f"{hyper.name}={shown(value)} must be {what}; it takes no schedule.")
    return plain_number(hyper, value, f"a number in {hyper.range}")


def betas_of(rule: Rule) -> list[str]:
    """Names that the argument `betas` stands for, or none."""
    names = [h.name for h in rule.hyper if h.name in ("beta1", "beta2", "beta3")]
    return names if len(names) > 1 else []


def defaults(rule: Rule) -> dict[str, Any]:
    """Every argument and its default, hyper-parameters first."""
    betas = betas_of(rule)
    out: dict[str, Any] = {}
    for h in rule.hyper:
        if h.name not in betas:
            out[h.name] = h.default
        elif "betas" not in out:
            out["betas"] = tuple(x.default for x in rule.hyper if x.name in betas)
    out["weight_decay"] = rule.weight_decay
    out |= {name: values[0] for name, values in rule.options.items()}
    return out | {"decay": rule.decay} | AROUND


def accepted(rule: Rule) -> list[str]:
    """Every name that the constructor takes."""
    return [*defaults(rule), *betas_of(rule)]


def signature(rule: Rule) -> inspect.Signature:
    """The constructor's signature: hyper-parameters by position or name, the rest by name."""
    names = list(defaults(rule))
    last = names.index("weight_decay")
    kinds = [
        inspect.Parameter.POSITIONAL_OR_KEYWORD if k <= last else inspect.Parameter.KEYWORD_ONLY
        for k in range(len(names))
    ]
    values = defaults(rule)
    return inspect.Signature(
        [inspect.Parameter(n, kind, default=values[n]) for n, kind in zip(names, kinds, strict=True)]
    )


def _holds_parameters(first: object) -> bool:
    """Whether a first argument is what other libraries take there."""
    if callable(first):  # a schedule, or a model
        return callable(getattr(first, "parameters", None))
    dimensions = getattr(first, "ndim", None)
    return dimensions > 0 if isinstance(dimensions, int) else isinstance(first, Iterable) and not isinstance(first, str)


class Arguments:
    """Checked arguments.

    Attributes:
        hyper: settings by the formula's names.
        options: the rule's options, derived ones included.
        shape, around, overrides, backend: for the engine.
        given: as the user gave them; `values`: with defaults.
    """

    def __init__(self, rule: Rule, title: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]):
        self.rule = rule
        every = defaults(rule)
        names = list(every)
        positional = names[: names.index("weight_decay") + 1]
        if args and _holds_parameters(args[0]):
            raise TypeError(
                f"{title} takes settings only, the first is {positional[0]}; hand parameters and gradients to "
                f"each step: {title}().step(params, grads)."
            )
        if len(args) > len(positional):
            raise TypeError(f"{title} takes at most {len(positional)} positional arguments: {', '.join(positional)}.")
        separate = betas_of(rule)
        reject_unknown(kwargs, accepted(rule), title)
        double = [n for n in positional[: len(args)] if n in kwargs]
        if double:
            raise TypeError(f"{title}: {double[0]!r} was given twice, by position and by name.")
        self.given = dict(zip(positional, args, strict=False)) | dict(kwargs)
        if "betas" in self.given and any(n in self.given for n in separate):
            raise TypeError(f"{title}: give either betas or {', '.join(separate)}, not both.")
        self.values = every | {n: v for n, v in self.given.items() if n not in separate}
        named = {n: v for n, v in self.values.items() if n in ("betas", *declared(rule))}
        named = self.expand(named) | {n: v for n, v in self.given.items() if n in separate}
        self.hyper = {n: checked(declared(rule)[n], v) for n, v in named.items()}
        self.options: dict[str, object] = {n: choice(n, self.values[n], allowed) for n, allowed in rule.options.items()}
        self.derived = {n: bool(f(self.hyper)) for n, f in rule.derived.items()}
        self.options |= self.derived
        for name in ("maximize", "cautious"):
            choice(name, self.values[name], (False, True))
        for name, allowed in CHOICES.items():
            choice(name, self.values[name], allowed)
        limits = {n: limit(n, self.values[n]) for n in LIMITS}
        grad_scale = limits.pop("grad_scale")
        if grad_scale is None:
            raise TypeError("grad_scale=None must be a positive number.")
        self.around = Around(grad_scale, **limits, nonfinite=self.values["nonfinite"])
        self.shape = Shape(self.values["decay"], self.around.clips, self.values["cautious"])
        self.backend: str = self.values["backend"]
        self.overrides = self._overrides(self.values["overrides"])

    def expand(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """`betas` as `beta1`, `beta2`, ...; everything else as it is."""
        out = dict(values)
        if "betas" in out and betas_of(self.rule):
            names, betas = betas_of(self.rule), out.pop("betas")
            if not isinstance(betas, (tuple, list)) or len(betas) != len(names):
                raise TypeError(f"betas={shown(betas)} must be {len(names)} numbers in [0, 1): ({', '.join(names)}).")
            out |= dict(zip(names, betas, strict=True))
        return out

    def check_derived(self, hyper: Mapping[str, Any]) -> None:
        """Refuse a change of a hyper-parameter that would need other state."""
        for name, function in self.rule.derived.items():
            if bool(function(hyper)) != self.derived[name]:
                raise ValueError(
                    f"{self.rule.name}: this change would need another form of the rule "
                    f"({name}={not self.derived[name]}) with other state. Make a new optimizer with it."
                )

    def _overrides(self, overrides: object) -> dict[str, dict[str, Any]]:
        if overrides is None:
            return {}
        if not isinstance(overrides, Mapping):
            raise TypeError(f"overrides={shown(overrides)} must be a dict: pattern -> {{hyper-parameter: value}}.")
        out = {}
        known = declared(self.rule)
        for pattern, values in overrides.items():
            if not isinstance(pattern, str) or not isinstance(values, Mapping):
                raise TypeError(f"overrides: {shown(pattern)}: {shown(values)} must be a text pattern and a dict.")
            if "|" in pattern:
                raise ValueError(
                    f"overrides: the pattern {pattern!r} has a '|', which parts patterns in saved states; use '?'."
                )
            expanded = self.expand(values)
            reject_unknown(expanded, known, f"overrides[{pattern!r}]")
            out[pattern] = {n: checked(known[n], v) for n, v in expanded.items()}
            for name, function in self.rule.derived.items():
                if bool(function({**self.hyper, **out[pattern]})) != self.derived[name]:
                    raise ValueError(f"overrides[{pattern!r}] would need another form of the rule ({name}).")
        return out

    def changed(self) -> dict[str, Any]:
        """Arguments besides hyper-parameters that differ from their defaults."""
        every = defaults(self.rule)
        skip = {"betas", *declared(self.rule)}
        return {n: v for n, v in self.values.items() if n not in skip and v != every[n]}

    @staticmethod
    def describe(rule: Rule) -> str:
        """The arguments as a docstring section."""
        betas = betas_of(rule)
        lines = ["Args:"]
        for h in declared(rule).values():
            unit = f", {h.unit}" if h.unit else ""
            default = rule.weight_decay if h.name == "weight_decay" else h.default
            name = f"betas[{betas.index(h.name)}]" if h.name in betas else h.name
            lines.append(
                f"    {name}: {h.meaning or 'number'}; in {h.range}{unit}; default {default:g}. Number or schedule."
            )
        for name, allowed in rule.options.items():
            lines.append(f"    {name}: one of {', '.join(map(repr, allowed))}; default {allowed[0]!r}.")
        lines.append(f"    decay: how weight_decay acts: {', '.join(map(repr, DECAYS))}; default {rule.decay!r}.")
        lines.append("    maximize: ascend instead of descend; default False.")
        for name, h in LIMITS.items():
            lines.append(f"    {name}: {h.meaning}; in {h.range}; default {AROUND[name]}.")
        lines.append("    cautious: drop components of the step that point against the gradient (Liang et al. 2024).")
        lines.append(
            "    nonfinite: 'propagate', 'skip' the step, or 'raise', when a gradient is not finite, or so large that"
        )
        lines.append("        state would overflow.")
        lines.append("    overrides: {pattern of parameter paths: {hyper-parameter: value}}.")
        lines.append("    backend: 'auto', 'cpu' (compiled) or 'reference' (NumPy, slow, same bits).")
        return "\n".join(lines)
