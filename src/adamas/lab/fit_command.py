"""adamas fit"""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from .cells import number
from .fit_result import FitResult
from .options import (
    comma_list,
    exits,
    json_option,
    lr_option,
    note,
    optimizer_option,
    out_option,
    overwrite_option,
    print_json,
    quiet_option,
    seed_option,
)
from .progress import Progress
from .regression import fit
from .runfolder import RunFolder, write_csv, write_json
from .table import print_lines, print_table

EXAMPLES = """\b
Examples:
  adamas fit houses.csv --target price
  adamas fit houses.csv --target price --optimizer adam --lr 0.01 --batch-size 32 --tol 1e-8
  adamas fit flowers.csv --target kind --model logistic --json
"""


ORDER = (
    "model", "optimizer", "lr", "batch_size", "tol", "steps", "epochs", "drop", "skip_missing", "seed",
)  # fmt: skip


@click.command(name="fit", epilog=EXAMPLES)
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--target", required=True, metavar="COLUMN", help="Column to predict.")
@click.option(
    "--model",
    type=click.Choice(["auto", "linear", "logistic"]),
    default="auto",
    show_default=True,
    help="auto: logistic for text and for 0/1, else linear.",
)
@optimizer_option
@lr_option
@click.option("--batch-size", type=int, metavar="N", help="Rows per step.  [default: all]")
@click.option(
    "--tol",
    type=float,
    default=1e-8,
    show_default=True,
    metavar="NUMBER",
    help="Stop when the standardised loss changes by less, three times in a row; 0: never.",
)
@click.option("--steps", type=int, metavar="N", help="Most steps.  [default: 20000]")
@click.option("--epochs", type=int, metavar="N", help="Most passes over the data, instead of --steps.")
@click.option("--drop", multiple=True, metavar="LIST", help="Columns to leave out.")
@click.option("--skip-missing", is_flag=True, help="Leave out rows with missing values.")
@seed_option
@out_option
@overwrite_option
@json_option
@quiet_option
@exits
def fit_command(
    data: Path, target: str, out: Path | None, overwrite: bool, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Linear or logistic regression on the CSV file DATA, beside the closed-form solution.

    The first line of the file names the columns; all columns but the target are features.
    Writes the coefficients and the loss curve into DIR (default: runs/fit-<name>-<time>).

    Exit code: 0 done, 1 the loss diverged, 2 wrong usage or data.
    """
    options["drop"] = comma_list(options["drop"])
    budget = options["steps"] or 0
    with Progress(budget, "adamas fit", quiet=quiet) as progress:
        done = 0

        def on_epoch(steps: int) -> None:
            nonlocal done
            progress.advance(f"step {steps}", steps - done)
            done = steps

        result = fit(data, target, on_epoch=on_epoch, **options)
    folder = out if out is not None else Path("runs") / f"fit-{data.stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    files = write_fit(folder, result, command_line(data, target, options), overwrite=overwrite)
    if as_json:
        print_json({**result.to_dict(), "folder": folder, "files": files})
    else:
        print_fit(result)
    if not result.converged:
        note("not converged: give more --steps, another --lr, or a larger --tol")
    note(f"loss curve: {folder / 'figures' / 'loss.png'}")


def write_fit(folder: Path, result: FitResult, command: str, *, overwrite: bool = False) -> list[str]:
    """Write manifest, records, coefficients, losses and the loss curve; returns the names of the files."""
    from .fit_figure import loss_curve

    with RunFolder(folder, command=command, kind="fit", settings=result.settings, overwrite=overwrite) as run:
        run.event("end", status="ok", steps=result.steps, final_loss=result.loss)
        write_json(folder / "summary.json", result.to_dict())
        write_csv(folder / "coefficients.csv", *coefficient_table(result))
        write_csv(folder / "losses.csv", ("evaluation", "loss"), list(enumerate(result.losses)))
        loss_curve(result, run.figure("loss"))
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def coefficient_table(result: FitResult) -> tuple[list[str], list[list[Any]]]:
    """Header and rows: our coefficients, the closed form's, the difference; one row per class if many."""
    header = [
        "coefficient",
        *(["class"] if np.ndim(result.intercept) else []),
        "fitted",
        "closed form",
        "difference",
    ]
    rows: list[list[Any]] = []
    pairs = [
        ("(intercept)", result.intercept, result.closed_intercept),
        *zip(result.names, result.coefficients, result.closed_coefficients, strict=True),
    ]
    for name, ours, theirs in pairs:
        several = bool(np.ndim(ours))
        for i, (a, b) in enumerate(zip(np.atleast_1d(ours), np.atleast_1d(theirs), strict=True)):
            rows.append([name, *([result.classes[i]] if several else []), float(a), float(b), float(a - b)])
    return header, rows


def print_fit(result: FitResult) -> None:
    """Table and sentences on stdout."""
    settings = result.settings
    header, rows = coefficient_table(result)
    text = [
        [f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in row[:-1]] + [f"{row[-1]:.1e}"]
        for row in rows
    ]
    size = f"{settings['rows']} rows, {len(result.names)} features"
    title = f"{settings['target']}: {result.model} regression, {size}"
    print_table(title, header, text, left=(0, 1) if len(header) == 5 else (0,))
    name = "mean squared error" if result.model == "linear" else "mean cross-entropy"
    score = f"R² {result.score:.4f}" if result.model == "linear" else f"accuracy {100 * result.score:.1f} %"
    excess = result.loss - result.closed_loss
    closed = "least squares" if result.model == "linear" else "scikit-learn without penalty"
    print_lines(
        [
            "",
            f"{name} {result.loss:.8g}; {closed}: {result.closed_loss:.8g} (difference {excess:.1e}); {score}",
            f"{settings['optimizer']}, lr {_rate(settings['hyper']['lr'])}, batch {settings['batch_size']}: "
            f"{result.steps} steps, {result.epochs} epochs; stopped because {result.message}",
            *(f"note: {text}" for text in result.notes),
        ]
    )


def _rate(lr: Any) -> str:
    return number(lr) if isinstance(lr, float | int) else "by schedule"


def command_line(data: Path, target: str, options: dict[str, Any]) -> str:
    """The command that makes the same fit."""
    words = ["adamas", "fit", str(data), "--target", target]
    for name in ORDER:
        value = options[name]
        flag = "--" + name.replace("_", "-")
        if value is True:
            words.append(flag)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            words += [flag, ",".join(value)] if value else []
        elif value is not None and value is not False:
            words += [flag, f"{value:g}" if isinstance(value, float) and math.isfinite(value) else str(value)]
    return shlex.join(words)
