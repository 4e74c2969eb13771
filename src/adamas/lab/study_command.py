"""adamas study"""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .errors import InputError, LabError
from .i18n import LANGUAGES
from .options import exits, json_option, note, out_option, overwrite_option, print_json, quiet_option
from .progress import Progress
from .runfolder import RunFolder
from .studies import get_study, names
from .studies._run import ERROR, VERDICTS, StudyResult, chosen, run_study, with_picture
from .study_page import write_page
from .table import print_lines, print_table

EXAMPLES = """\b
Examples:
  adamas study --list
  adamas study bias-correction amsgrad-counterexample
  adamas study all --out runs/studies
  adamas study all --out runs/studies-zh --lang zh
"""
COLOURS = dict(zip(VERDICTS, ("green", "yellow", "dim", "red"), strict=True))


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in ["all", *names()] if name.startswith(incomplete)]


@click.command(epilog=EXAMPLES)
@click.argument("wanted", metavar="NAME... | all", nargs=-1, shell_complete=_complete)
@click.option("--list", "as_list", is_flag=True, help="List the studies with their claims; run nothing.")
@out_option
@overwrite_option
@click.option("--lang", type=click.Choice(LANGUAGES), help="Language of the page in DIR.  [default: en]")
@json_option
@quiet_option
@exits
def study(
    wanted: tuple[str, ...],
    as_list: bool,
    out: Path | None,
    overwrite: bool,
    lang: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Put claims about Adam and its family to the test: PASS or FAIL, with numbers.

    A criterion is stated before the run. FAIL says that the claim does not hold here: a result, not an error.
    SKIPPED needs a module that is not installed; ERROR crashed.

    --out writes studies.html, studies.json and each study's figure (PNG and SVG) into DIR.

    Exit code: 0 done, 1 a study crashed, 2 wrong usage.
    """
    if as_list:
        if wanted or out or lang:
            raise InputError("--list runs nothing; leave out NAME, --out and --lang")
        _list(as_json)
        return
    if not wanted:
        raise InputError(f"name a study or several, or all; there are: {', '.join(names())}")
    if lang and out is None:
        raise InputError(f"--lang {lang} is the language of the page; name its folder by --out DIR")
    plan = chosen(wanted)
    results = _run(plan, None, quiet) if out is None else _run_into(plan, out, overwrite, lang or "en", quiet)
    if as_json:
        print_json([result.to_dict() for result in results])
    else:
        print_results(results)
    if out is not None:
        note(f"page: {out / 'studies.html'}", quiet=quiet)
    if crashed := [result.name for result in results if result.verdict == ERROR]:
        raise LabError(f"crashed: {', '.join(crashed)}")


def _run(plan: Sequence[str], folder: RunFolder | None, quiet: bool) -> list[StudyResult]:
    results = []
    with Progress(len(plan), "studies", quiet=quiet) as progress:
        for name in plan:
            progress.advance(name, 0)
            result = run_study(name)
            if folder is not None:
                result = with_picture(result, folder.figure(name))
                folder.event("study", **result.to_dict())
            results.append(result)
            progress.advance(name)
    return results


def _run_into(plan: Sequence[str], out: Path, overwrite: bool, lang: str, quiet: bool) -> list[StudyResult]:
    command = shlex.join(["adamas", "study", *plan])
    with RunFolder(out, command=command, kind="study", settings={"studies": plan}, overwrite=overwrite) as folder:
        results = _run(plan, folder, quiet)
        write_page(folder, results, lang)
    return results


def _list(as_json: bool) -> None:
    studies = [get_study(name) for name in names()]
    if as_json:
        keys = ("name", "claim", "source", "criterion", "needs")
        print_json([{key: getattr(one, key) for key in keys} for one in studies])
        return
    _print(("study", "claim", "source"), [[one.name, one.claim, one.source] for one in studies])


def print_results(results: Sequence[StudyResult]) -> None:
    """The table of verdicts and a line that counts them, on stdout."""
    rows = [[result.name, result.verdict, result.study.claim, result.finding] for result in results]
    _print(("study", "verdict", "claim", "finding"), rows)
    counts = Counter(result.verdict for result in results)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    seconds = sum(result.seconds for result in results)
    print_lines(["", f"{len(results)} {'study' if len(results) == 1 else 'studies'}: {said}; {seconds:.1f} s"])


def _print(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Sentences wrapped in their cells on a terminal; in a pipe one line per study."""
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        print_table("", header, rows, left=range(len(header)))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 1, 0))
    for name in header:
        table.add_column(Text(name), no_wrap=name == "verdict", overflow="fold")
    for row in rows:
        cells: list[Any] = [Text(cell, style=COLOURS.get(cell, "")) for cell in row]
        table.add_row(*cells)
    console.print(table)
