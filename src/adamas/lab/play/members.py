"""What the page knows of each optimizer: its hyper-parameters, state, forms, moments and printed step."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from ...rules import WEIGHT_DECAY, Hyper, Rule
from .javascript import object_source
from .rule_printer import RuleFunction


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
    return RuleFunction(rule.resolve({**form, **dict.fromkeys(rule.derived, True)}), rule.decay)


def members_source(rules: Iterable[Rule]) -> str:
    """A JavaScript expression: member name -> what the page knows of it. Members share declarations that are equal."""
    declared: dict[str, int] = {}
    members = {rule.name: _member_source(rule, declared) for rule in rules}
    return f"""(() => {{
const hyper = [{", ".join(declared)}];
return {object_source({}, members)};
}})()"""


def _member_source(rule: Rule, declared: dict[str, int]) -> str:
    """A member as a JavaScript object; new declarations of hyper-parameters join `declared`."""
    hyper = [*map(_hyper, rule.hyper), _hyper(WEIGHT_DECAY) | {"default": rule.weight_decay, "decay": rule.decay}]
    places = [declared.setdefault(object_source(h, {}), len(declared)) for h in hyper]
    functions = {form_key(form): _form_source(rule_function(rule, form)) for form in forms(rule)}
    facts = {"name": rule.name, "source": rule.source}
    parts = {"hyper": f"[{', '.join(f'hyper[{k}]' for k in places)}]", "forms": object_source({}, functions)}
    return object_source(facts, parts)


def _form_source(printed: RuleFunction) -> str:
    facts = {
        "slots": [{"name": name, "start": start} for name, start in printed.slots],
        "moments": [asdict(moment) for moment in printed.moments],
        "switchable": printed.switchable,
    }
    return object_source(facts, {"step": printed.source})


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
