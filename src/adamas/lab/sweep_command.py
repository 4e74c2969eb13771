"""adamas sweep"""

from __future__ import annotations

from typing import Any

import click

from .options import comma_list, contest_options, note, print_json
from .roster import DEFAULT_OPTIMIZERS
from .sweep_contest import sweep as run_sweep
from .sweep_search import SAMPLERS
from .sweep_settings import DEFAULT_TRIALS
from .sweep_space import DEFAULT_SPACE
from .sweep_table import sweep_lines, sweep_table
from .table import print_lines, print_table

EXAMPLES = """\b
Examples:
  adamas sweep t0-bowl --optimizers adam,momentum --trials 32
  adamas sweep digits-softmax --space lr=1e-4:1:log,beta2=0.9:0.9999:logit --jobs 2 --out runs/search
  adamas sweep digits-softmax --space lr=1e-4:1:log,beta2=0.9:0.9999:logit --out runs/search --resume
  adamas sweep t0-bowl --storage sqlite:///shared.db    # start it twice: two workers share the trials
"""


@click.command(epilog=EXAMPLES)
@click.argument("problem")
@contest_options
@click.option("--trials", type=int, default=DEFAULT_TRIALS, show_default=True, metavar="N", help="For each optimizer.")
@click.option(
    "--space",
    default=DEFAULT_SPACE,
    show_default=True,
    metavar="LIST",
    help="NAME=LOW:HIGH:SCALE, separated by commas; SCALE: linear, log or logit.",
)
@click.option("--sampler", default="random", show_default=True, metavar="NAME", help=f"One of {', '.join(SAMPLERS)}.")
@click.option(
    "--storage", metavar="URL", help="Database that workers share: sqlite:///FILE, postgresql://...  [default: in DIR]"
)
def sweep(problem: str, optimizers: tuple[str, ...], as_json: bool, quiet: bool, **shared: Any) -> None:
    """Search hyper-parameters: the same space and trials for everyone; the best of the first 1, 8 and 32.

    Trial 0 is the published default. With the samplers random and qmc, trial k follows from --seed and k alone:
    a sweep that was killed and goes on, or that several workers share through --storage, gives the same table.
    tpe learns from the trials that have ended; it repeats with one worker and --jobs 1 only.

    Exit code: 0 done, 1 a run failed, 2 wrong usage.
    """
    done = run_sweep(problem, optimizers=comma_list(optimizers) or DEFAULT_OPTIMIZERS, quiet=quiet, **shared)
    if as_json:
        print_json({"folder": done.folder, "storage": done.storage, **done.summary})
    else:
        title = f"{done.summary['problem']}: {done.summary['steps']} steps, median of {done.summary['seeds']} seeds"
        header, rows = sweep_table(done.summary)
        print_table(title, header, rows, left=(0, header.index("chosen")))
        print_lines(["", *sweep_lines(done.summary)])
    note(f"trials: {done.storage}; table: {done.folder / 'trials.csv'}", quiet=quiet)
