"""adamas rules"""

from __future__ import annotations

from typing import Any

import click

from .options import exits, json_option, print_json
from .roster import Facts, family
from .table import print_lines, print_table

HEADER = (
    "optimizer",
    "adaptive",
    "momentum",
    "bias correction",
    "hyper-parameters",
    "f32 state B/param",
    "defaults",
    "source",
)


@click.command(epilog="\b\nExamples:\n  adamas rules\n  adamas rules --json")
@json_option
@exits
def rules(as_json: bool) -> None:
    """The family's table, generated from the roll: what each optimizer is and costs.

    A name with W appended is the same rule with decoupled weight decay.

    Exit code: 0.
    """
    facts = family()
    if as_json:
        print_json([fact.to_dict() for fact in facts])
        return
    print_table("", HEADER, [row(fact) for fact in facts], left=(0, 6, 7))
    print_lines(["", "hyper-parameters counts pairs such as betas one by one."])


def row(fact: Facts) -> list[str]:
    """One line of the table."""
    defaults = ", ".join(f"{name} {_value(value)}" for name, value in fact.hyper.items())
    return [
        fact.name,
        fact.adaptive,
        fact.momentum,
        fact.bias_correction,
        str(fact.hyper_count),
        str(fact.state_bytes),
        defaults,
        fact.source,
    ]


def _value(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "(" + ", ".join(_value(item) for item in value) + ")"
    return f"{value:g}" if isinstance(value, float) else str(value)
