"""Options that several commands share, and how results and errors leave the program."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .errors import LabError
from .i18n import LANGUAGES
from .roster import DEFAULT_OPTIMIZERS
from .runfolder import finite

out_option = click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for records, figures and the report.",
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Write into DIR although it holds files.")
resume_option = click.option(
    "--resume", is_flag=True, help="Continue DIR after a kill: finished runs are kept, the numbers are the same."
)
jobs_option = click.option(
    "--jobs", type=int, default=1, show_default=True, metavar="N", help="Processes: same numbers, other times."
)
optimizer_option = click.option(
    "--optimizer",
    default="adam",
    show_default=True,
    metavar="NAME",
    help="A member of the family or FILE.py:RULE.",
)
lr_option = click.option("--lr", type=float, metavar="NUMBER", help="Learning rate.  [default: the optimizer's own]")
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as JSON, and only that, on stdout."
)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
seed_option = click.option(
    "--seed", type=int, default=0, show_default=True, help="First seed: same seed, same numbers."
)
language_option = click.option(
    "--lang",
    type=click.Choice(LANGUAGES),
    default="en",
    show_default=True,
    help="Language of tables, figures and report.",
)
_CONTEST = (
    click.option(
        "--optimizers",
        multiple=True,
        metavar="LIST",
        help="Names, FILE.py:RULE or LIBRARY:NAME (torch:AdamW), separated by commas or repeated.  [default: "
        + ",".join(DEFAULT_OPTIMIZERS)
        + "]",
    ),
    click.option("--steps", type=int, metavar="N", help="Steps of every run.  [default: the problem's own]"),
    click.option("--seeds", type=int, default=10, show_default=True, metavar="N", help="Seeds reported, 5 or more."),
    click.option(
        "--reference", metavar="NAME", help="What the others are compared with.  [default: Adam, else the first]"
    ),
    seed_option,
    out_option,
    overwrite_option,
    resume_option,
    jobs_option,
    json_option,
    quiet_option,
)


def contest_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options and exit codes of the commands that race optimizers.

    Those that are not about what is printed have the names of the arguments of `lab.compare` and `lab.sweep`.
    """
    command = exits(command)
    for option in reversed(_CONTEST):
        command = option(command)
    return command


def exits(command: Callable[..., None]) -> Callable[..., None]:
    """Turn our errors into one line on stderr and the exit codes 1 (run failed) and 2 (usage)."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except LabError as error:
            click.echo(f"adamas: {error}", err=True)
            sys.exit(error.exit_code)

    return wrapped


def print_json(value: Any) -> None:
    """JSON on stdout; numbers that are not finite as null."""
    click.echo(json.dumps(finite(value), indent=2, allow_nan=False, ensure_ascii=False))


def note(text: str, *, quiet: bool = False) -> None:
    """A line on stderr."""
    if not quiet:
        click.echo(text, err=True)


def comma_list(values: tuple[str, ...]) -> tuple[str, ...]:
    """Items of an option that may be repeated and may hold commas."""
    return tuple(item.strip() for value in values for item in value.split(",") if item.strip())
