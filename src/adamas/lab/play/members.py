"""What the page knows of each optimizer: its hyper-parameters, state, forms and printed step."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

from ...engine.step import Shape
from ...rules import WEIGHT_DECAY, Hyper, Rule
from .javascript import RuleFunction


def forms(rule: Rule) -> list[dict[str, object]]:
    """Every combination of a rule's options, the default first."""
    return [dict(zip(rule.options, chosen, strict=True)) for chosen in itertools.product(*rule.options.values())]


def form_key(form: Mapping[str, object]) -> str:
    """A form as text, as the page's address holds it: `compat=paper,maximum=before`."""
    return ",".join(f"{name}={value}" for name, value in form.items())


def rule_function(rule: Rule, form: Mapping[str, object]) -> RuleFunction:
    """One form of a rule with its own kind of weight decay.

    Options that follow from hyper-parameters are on: they save state where it would do nothing.
    """
    options = {**form, **dict.fromkeys(rule.derived, True)}
    return RuleFunction(rule.resolve(options), Shape(decay=rule.decay))


def member_source(rule: Rule) -> str:
    """A member as a JavaScript object."""
    facts = {
        "name": rule.name,
        "source": rule.source,
        "doc": rule.doc,
        "biasCorrection": rule.bias_correction,
        "hyper": [_hyper(h) for h in rule.hyper]
        + [_hyper(WEIGHT_DECAY) | {"default": rule.weight_decay, "decay": rule.decay}],
    }
    functions = []
    for form in forms(rule):
        printed = rule_function(rule, form)
        slots = [{"name": name, "start": start} for name, start in printed.slots]
        functions.append(f"{json.dumps(form_key(form))}: {{ slots: {json.dumps(slots)}, step: {printed.source} }}")
    return f"{{ ...{json.dumps(facts, ensure_ascii=False)}, forms: {{ {', '.join(functions)} }} }}"


def _hyper(hyper: Hyper) -> dict[str, Any]:
    bounded = {"low": hyper.low, "high": hyper.high}
    return {
        "name": hyper.name,
        "default": hyper.default,
        "lowOpen": hyper.low_open,
        "highOpen": hyper.high_open,
        "range": hyper.range,
        "meaning": hyper.meaning,
    } | {name: value for name, value in bounded.items() if abs(value) < float("inf")}
