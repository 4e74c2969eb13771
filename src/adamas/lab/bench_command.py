"""adamas bench"""

from __future__ import annotations

import importlib
import math
import sys
from typing import Any

import click

import adamas

from .options import exits, json_option, print_json, quiet_option
from .table import print_lines, print_table


@click.command(epilog="\b\nExamples:\n  adamas bench\n  adamas bench --only cache --only two\n"
               "  adamas bench --only user-rule --rule my_rules.py:my_rule --json\n"
               "  adamas bench torch --only train-30k --repeats 5")  # fmt: skip
@click.argument("suite", type=click.Choice(("engine", "torch")), default="engine")
@click.option("--only", "--case", multiple=True, metavar="RACE", help="Run this race only; may be repeated.")
@click.option("--repeats", type=click.IntRange(1), metavar="NUMBER", help="Turns of each contestant in a race.")
@click.option("--rule", "rule_path", metavar="FILE:NAME", help="A rule of yours for the race `user-rule`.")
@click.option("--quick", is_flag=True, help="Small arrays and few turns: shows that it runs, not how fast.")
@click.option("--fail-under", is_flag=True, help="Exit with 1 if a bar is missed.")
@json_option
@quiet_option
@exits
def bench(
    suite: str, only: tuple[str, ...], repeats: int | None, rule_path: str | None, quick: bool, fail_under: bool,
    as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Measure the engine, or the PyTorch front end, beside their peers, as ratios within one run.

    engine, the default: kernels and the NumPy front end; torch takes part if it is installed.

    torch: whole training iterations and steps of adamas.torch beside torch.optim.

    Contestants take turns; times are medians. Ratio = peer's time / ours.

    Exit code: 0; 1 if a contestant did not step, or with --fail-under if a bar is missed; 2 for wrong usage.
    """
    from . import benchmark
    from .bench_process import Job
    from .errors import InputError, LabError

    if rule_path and suite != "engine":
        raise InputError("--rule is for the race `user-rule` of `adamas bench`; leave out `torch`.")

    def tell(text: str) -> None:
        if not quiet:
            print(text, file=sys.stderr, flush=True)

    rows = benchmark.run(Job(suite, "", rule_path or "", quick, repeats), only, tell)
    if as_json:
        if suite == "torch":
            importlib.import_module("adamas.torch")  # so that it is said whether its fast look works here
        machine = {k: v for k, v in adamas.info().items() if k != "cache_folder"}  # a path of this machine
        print_json({"machine": machine, "suite": suite, "quick": quick, "repeats": repeats, "rows": rows})
    else:
        print_table("", ("race", "elements", "ours", "us", "peer", "us", "ratio", "quartiles", "bar", "met"),
                    [_cells(row) for row in rows], left=(0, 2, 4))  # fmt: skip
        print_lines(_notes(quick))
    missed = [row for row in rows if row["met"] is False]
    if fail_under and missed:
        raise LabError(f"{len(missed)} bar(s) missed: {', '.join(row['case'] for row in missed)}.")


def _cells(row: dict[str, Any]) -> list[str]:
    def number(value: float | None, digits: int = 2) -> str:
        return "" if value is None or math.isnan(value) else f"{value:,.{digits}f}"

    quartiles = "" if math.isnan(row["ratio"]) else f"{row['ratio_low']:.2f}-{row['ratio_high']:.2f}"
    met = {True: "yes", False: "NO", None: ""}[row["met"]]
    limits = {"two": "<= 10 us", "first-use": "<= 1 s"}
    bar = limits[row["case"]] if row["case"] in limits else "" if row["bar"] is None else f">= {row['bar']:g}"
    return [row["case"], f"{row['elements']:,}", row["ours"], number(row["ours_us"], 1), row["peer"],
            number(row["peer_us"], 1), number(row["ratio"]), quartiles, bar, met]  # fmt: skip


def _notes(quick: bool) -> list[str]:
    facts = adamas.info()
    versions = ", ".join(f"{n} {v}" for n, v in facts["versions"].items() if n in ("adamas", "numpy", "numba", "torch"))
    lines = [f"{facts['cpu']}, {facts['vector_instructions']}, {facts['threads']} threads; {versions}"]
    if "torch" not in facts["versions"]:
        lines.append("torch is not installed: its races were left out (pip install torch).")
    if quick:
        lines.append("quick: small arrays and few turns; the bars are for the full sizes.")
    return lines
