"""adamas compare"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from adamas import members

from .cells import HEADINGS, facts_table, measured_table
from .contest import compare as run_compare
from .errors import InputError
from .options import (
    comma_list,
    exits,
    jobs_option,
    json_option,
    note,
    out_option,
    overwrite_option,
    print_json,
    quiet_option,
    resume_option,
    seed_option,
)
from .problems import DEFAULT_PROBLEMS
from .race import DEFAULT_GRID
from .roster import DEFAULT_OPTIMIZERS
from .summary import COLUMNS
from .table import print_lines, print_table

EXAMPLES = """\b
Examples:
  adamas compare
  adamas compare rosenbrock --optimizers adam,nadam,my_rule.py:myrule
  adamas compare digits-mlp --steps 200 --seeds 10 --json > result.json
  adamas compare noise-free --all-members --jobs 2 --out runs/family
  adamas compare noise-free --all-members --out runs/family --resume   # after a kill
  adamas compare t0-bowl --optimizers adam,torch:Adam,optax:adam
"""


@click.command(epilog=EXAMPLES)
@click.argument("problems", metavar="[PROBLEM]...", nargs=-1)
@click.option(
    "--optimizers",
    multiple=True,
    metavar="LIST",
    help="Names, FILE.py:RULE or LIBRARY:NAME (torch:AdamW), separated by commas or repeated.  [default: "
    + ",".join(DEFAULT_OPTIMIZERS)
    + "]",
)
@click.option("--all-members", is_flag=True, help="The whole family, beside what --optimizers names.")
@click.option("--steps", type=int, metavar="N", help="Steps of every run.  [default: the problem's own]")
@click.option("--seeds", type=int, default=10, show_default=True, metavar="N", help="Seeds reported, 5 or more.")
@click.option(
    "--lr-grid",
    metavar="LIST",
    help="Learning rates tried for every optimizer.  [default: " + ",".join(f"{rate:g}" for rate in DEFAULT_GRID) + "]",
)
@click.option("--reference", metavar="NAME", help="What the others are compared with.  [default: Adam, else the first]")
@seed_option
@out_option
@overwrite_option
@resume_option
@jobs_option
@json_option
@quiet_option
@exits
def compare(
    problems: tuple[str, ...],
    optimizers: tuple[str, ...],
    all_members: bool,
    steps: int | None,
    seeds: int,
    lr_grid: str | None,
    reference: str | None,
    seed: int,
    out: Path | None,
    overwrite: bool,
    resume: bool,
    jobs: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Race optimizers: published defaults and tuned, paired seeds, intervals, one report.

    PROBLEM is one or more names that `adamas problems` lists, or a group of them: noise-free (gradients without
    noise), all. Without any, both digits problems run.

    Exit code: 0 done, 1 a run failed, 2 wrong usage.
    """
    race = run_compare(
        problems or DEFAULT_PROBLEMS,
        optimizers=(*(members() if all_members else ()), *comma_list(optimizers)) or DEFAULT_OPTIMIZERS,
        steps=steps,
        seeds=seeds,
        seed=seed,
        lr_grid=DEFAULT_GRID if lr_grid is None else parse_rates(lr_grid),
        reference=reference,
        out=out,
        overwrite=overwrite,
        resume=resume,
        jobs=jobs,
        quiet=quiet,
    )
    if as_json:
        print_json({"folder": race.folder, "report": race.report, **race.summary})
    else:
        print_summary(race.summary)
    note(f"report: {race.report}")


def print_summary(summary: dict[str, Any]) -> None:
    """Tables and verdicts on stdout."""
    for name, problem in summary["problems"].items():
        for column in COLUMNS:
            title = f"{name}, {HEADINGS[column]}: {problem['steps']} steps, median of {problem['seeds']} seeds"
            print_table(title, *measured_table(summary, name, column))
            print_lines([""])
        print_lines([*problem["verdict"], ""])
    print_table("What they are and what they cost", *facts_table(summary))
    print_lines(["", *summary["search_space"]])


def parse_rates(text: str) -> tuple[float, ...]:
    """Numbers separated by commas."""
    try:
        return tuple(float(item) for item in text.split(",") if item.strip())
    except ValueError:
        raise InputError(f"--lr-grid {text!r}: give numbers separated by commas, e.g. 0.001,0.01,0.1") from None
