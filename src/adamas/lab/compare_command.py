"""adamas compare"""

from __future__ import annotations

from typing import Any

import click

from adamas import members

from .cells import facts_table, measured_table
from .contest import compare as run_compare
from .errors import InputError
from .i18n import Texts
from .options import comma_list, contest_options, language_option, note, print_json
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
  adamas compare t0-bowl --lang zh
"""


@click.command(epilog=EXAMPLES)
@click.argument("problems", metavar="[PROBLEM]...", nargs=-1)
@contest_options
@click.option("--all-members", is_flag=True, help="The whole family, beside what --optimizers names.")
@click.option(
    "--lr-grid",
    metavar="LIST",
    help="Learning rates tried for every optimizer.  [default: " + ",".join(f"{rate:g}" for rate in DEFAULT_GRID) + "]",
)
@language_option
def compare(
    problems: tuple[str, ...],
    optimizers: tuple[str, ...],
    all_members: bool,
    lr_grid: str | None,
    lang: str,
    as_json: bool,
    **shared: Any,
) -> None:
    """Race optimizers: published defaults and tuned, paired seeds, intervals, one report.

    PROBLEM is one or more names that `adamas problems` lists, or a group of them: noise-free (gradients without
    noise), all. Without any, both digits problems run.

    Exit code: 0 done, 1 a run failed, 2 wrong usage.
    """
    race = run_compare(
        problems or DEFAULT_PROBLEMS,
        optimizers=(*(members() if all_members else ()), *comma_list(optimizers)) or DEFAULT_OPTIMIZERS,
        lr_grid=DEFAULT_GRID if lr_grid is None else parse_rates(lr_grid),
        lang=lang,
        **shared,
    )
    text = Texts(lang)
    if as_json:
        print_json({"folder": race.folder, "report": race.report, **race.summary})
    else:
        print_summary(race.summary, text)
    note(text("screen.report", path=race.report))


def print_summary(summary: dict[str, Any], text: Texts) -> None:
    """Tables and verdicts on stdout."""
    for name, problem in summary["problems"].items():
        for column in COLUMNS:
            heading = text.column(column)
            title = text("screen.problem", name=name, column=heading, steps=problem["steps"], seeds=problem["seeds"])
            print_table(title, *measured_table(summary, name, column, text))
            print_lines([""])
        print_lines([*problem["verdict"], ""])
    print_table(text("screen.facts"), *facts_table(summary, text))
    print_lines(["", *summary["search_space"]])


def parse_rates(text: str) -> tuple[float, ...]:
    """Numbers separated by commas."""
    try:
        return tuple(float(item) for item in text.split(",") if item.strip())
    except ValueError:
        raise InputError(f"--lr-grid {text!r}: give numbers separated by commas, e.g. 0.001,0.01,0.1") from None
