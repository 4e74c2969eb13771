"""adamas minimize"""

from __future__ import annotations

import math
import shlex
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

import adamas
from adamas._result import OUT_OF_STEPS

from .errors import InputError, LabError
from .options import (
    exits,
    json_option,
    lr_option,
    note,
    optimizer_option,
    out_option,
    overwrite_option,
    print_json,
)
from .roster import get_entrant
from .runfolder import RunFolder, write_csv, write_json
from .surfaces import Surface, get_surface
from .table import print_lines, print_table

EXAMPLES = """\b
Examples:
  adamas minimize rosenbrock --optimizer adam --lr 0.05
  adamas minimize t0-bowl --optimizer momentum --lr 0.1 --steps 30 --start=-7,2
"""


@click.command(epilog=EXAMPLES)
@click.argument("surface", metavar="SURFACE")
@optimizer_option
@lr_option
@click.option("--steps", type=int, metavar="N", help="Steps.  [default: the surface's own]")
@click.option("--start", metavar="X,Y", help="Where to start, e.g. --start=-7,2.  [default: the surface's own]")
@out_option
@overwrite_option
@json_option
@exits
def minimize(
    surface: str,
    optimizer: str,
    lr: float | None,
    steps: int | None,
    start: str | None,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Minimise SURFACE and draw the path over its contours.

    \b
    rosenbrock  (1 - x)^2 + 100 (y - x^2)^2   start -1.2,1
    t0-bowl     x^2/20 + y^2                  start -7,2
    quadratic   (x^2 + 100 y^2)/2             start -4,1

    Writes path.png, path.svg and path.csv into DIR (default: runs/minimize-<surface>-<time>).
    Exit code: 0 done, 1 the run ended early (a number was not finite), 2 wrong usage.
    """  # noqa: D301 (click's mark for text that stays as it is)
    place = get_surface(surface)
    budget = place.steps if steps is None else steps
    if budget < 1:
        raise InputError(f"--steps {budget}: give 1 or more")
    if lr is not None and not 0 < lr < math.inf:
        raise InputError(f"--lr {lr}: give a positive number, e.g. 0.05")
    begin = place.start if start is None else parse_start(start)
    entrant = get_entrant(optimizer)
    stepper = entrant.make() if lr is None else entrant.make(lr=lr)
    rate = float(stepper.hyper["lr"])
    with np.errstate(all="ignore"):  # a diverging run is reported below, once
        found = adamas.minimize(place.value, begin, jac=place.gradient, optimizer=stepper, steps=budget, record=True)
    folder = out if out is not None else Path("runs") / f"minimize-{place.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    words = [
        "adamas",
        "minimize",
        place.name,
        "--optimizer",
        entrant.spec,
        "--lr",
        f"{rate:g}",
        "--steps",
        str(budget),
    ]
    command = shlex.join([*words, f"--start={begin[0]:g},{begin[1]:g}"])
    result = describe(place, entrant.label, rate, begin, found)
    _write(folder, place, result, found, command, overwrite=overwrite)
    if as_json:
        print_json({**result, "folder": folder, "figure": folder / "figures" / "path.png"})
    else:
        _print(result)
    note(f"path: {folder / 'figures' / 'path.png'}")
    if found.status != OUT_OF_STEPS:
        lower = found.nit and not math.isfinite(result["last_f"])
        raise LabError(
            f"{entrant.label} with lr {rate:g} diverged after {found.nit} steps; give a smaller --lr"
            if lower
            else f"{entrant.label} with lr {rate:g}, from {begin[0]:g},{begin[1]:g}: {found.message}"
        )


def describe(place: Surface, label: str, rate: float, start: tuple[float, float], found: Any) -> dict[str, Any]:
    """The outcome in plain numbers."""
    last = [float(v) for v in found.x_last]
    return {
        "surface": place.name,
        "formula": place.formula,
        "optimizer": label,
        "lr": rate,
        "start": list(start),
        "start_f": float(found.losses[0]),
        "last": last,
        "last_f": float(found.fun_last),
        "best": [float(v) for v in found.x],
        "best_f": float(found.fun),
        "optimum": list(place.optimum),
        "distance": math.dist(last, place.optimum),
        "steps": int(found.nit),
        "message": str(found.message),
    }


def parse_start(text: str) -> tuple[float, float]:
    """Two finite numbers separated by a comma."""
    try:
        x, y = (float(item) for item in text.split(","))
    except ValueError:
        raise InputError(f"--start {text!r}: give two numbers, e.g. --start=-7,2") from None
    if not (math.isfinite(x) and math.isfinite(y)):
        raise InputError(f"--start {text!r}: the numbers must be finite")
    return x, y


def _write(folder: Path, place: Surface, result: dict[str, Any], found: Any, command: str, *, overwrite: bool) -> None:
    from .paths import path_figure
    from .style import save

    settings = {k: result[k] for k in ("surface", "optimizer", "lr", "start", "steps")}
    with RunFolder(folder, command=command, kind="minimize", settings=settings, overwrite=overwrite) as run:
        run.event("end", status="ok" if found.status == OUT_OF_STEPS else "nonfinite", **result)
        write_json(folder / "summary.json", result)
        rows = [(i, *point, loss) for i, (point, loss) in enumerate(zip(found.trajectory, found.losses, strict=True))]
        write_csv(folder / "path.csv", ("step", "x", "y", "f"), rows)
        title = f"{result['optimizer']}, lr {result['lr']:g}, {result['steps']} steps on {place.formula}"
        figure = path_figure(place, found.trajectory, title)
        save(figure, run.figure("path"))


def _print(result: dict[str, Any]) -> None:
    title = f"{result['optimizer']}, lr {result['lr']:g}, on {result['surface']}: {result['formula']}"
    rows = [
        ["start", *(f"{v:.10g}" for v in result["start"]), f"{result['start_f']:.6g}"],
        [f"after {result['steps']} steps", *(f"{v:.10g}" for v in result["last"]), f"{result['last_f']:.6g}"],
        ["best on the way", *(f"{v:.10g}" for v in result["best"]), f"{result['best_f']:.6g}"],
        ["optimum", *(f"{v:.10g}" for v in result["optimum"]), "0"],
    ]
    print_table(title, ["", "x", "y", "f"], rows)
    print_lines(["", f"distance to the optimum: {result['distance']:.3g}"])
