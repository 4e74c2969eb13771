"""adamas info"""

from __future__ import annotations

import click

import adamas

from .options import exits, json_option, print_json
from .table import print_table


@click.command(epilog="\b\nExamples:\n  adamas info\n  adamas info --json")
@json_option
@exits
def info(as_json: bool) -> None:
    """Versions, processor, threads and where compiled kernels are kept.

    Exit code: 0.
    """
    facts = adamas.info()
    if as_json:
        print_json(facts)
        return
    rows = []
    for name, value in facts.items():
        if isinstance(value, dict):
            rows += [[f"{name}.{inner}", str(item)] for inner, item in value.items()]
        else:
            rows.append([str(name), str(value)])
    print_table("", ("what", "value"), rows, left=(0, 1))
