"""adamas report"""

from __future__ import annotations

from pathlib import Path

import click

from .options import comma_list, exits, json_option, language_option, note, print_json
from .report import FIGURES, FORMATS, build
from .table import print_lines


@click.command(
    epilog="\b\nExamples:\n  adamas report runs/digits-20260101-120000\n"
    "  adamas report my-run --lang zh --out report-zh\n  adamas report my-run --format tex,csv"
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@language_option
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="LIST",
    help=f"Some of {', '.join(FORMATS)}, separated by commas.  [default: all that can be written]",
)
@click.option(
    "--figures",
    type=click.Choice(FIGURES),
    default="auto",
    show_default=True,
    help="all, or auto: of a race of more than 12 problems those of the whole race only.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder to write.  [default: DIR itself]")
@json_option
@exits
def report(folder: Path, lang: str, formats: tuple[str, ...], figures: str, out: Path | None, as_json: bool) -> None:
    """Write the report of a run folder again: page, tables, figures.

    DIR holds manifest.json and records.jsonl, written by adamas or by any other program (docs/run-folder.md).
    summary.json and figures/ are always written.

    Exit code: 0 done, 1 there is nothing to report, 2 wrong usage.
    """
    summary = build(folder, lang, formats=comma_list(formats) or None, figures=figures, out=out)
    target = folder if out is None else out
    if as_json:
        print_json({"folder": target, **summary})
    else:
        print_lines([*summary["verdict"], *(line for p in summary["problems"].values() for line in p["verdict"])])
    note(f"written: {target}")
