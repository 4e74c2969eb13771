"""A race from settings to report in one call, for Python and for the command line."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import InputError
from .groups import expand_groups
from .i18n import Texts
from .jobs import checked_jobs
from .problems import DEFAULT_PROBLEMS
from .race import DEFAULT_GRID, Settings, default_folder, run_race, settings_to_dict
from .report import build
from .roster import DEFAULT_OPTIMIZERS
from .runfolder import RunFolder


@dataclass(frozen=True)
class Race:
    """A finished race.

    Attributes:
        folder: Holds manifest.json, records.jsonl, runs.csv, summary.json, summary.csv and figures/.
        report: The page.
        summary: The numbers of its tables, with a `verdict` for every problem.
    """

    folder: Path
    report: Path
    summary: dict[str, Any]


def compare(
    problems: str | Sequence[str] = DEFAULT_PROBLEMS,
    *,
    optimizers: Sequence[str] = DEFAULT_OPTIMIZERS,
    steps: int | None = None,
    seeds: int = 10,
    seed: int = 0,
    lr_grid: Sequence[float] = DEFAULT_GRID,
    reference: str | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    jobs: int = 1,
    quiet: bool = False,
    lang: str = "en",
) -> Race:
    """Race optimizers at published defaults and tuned, on paired seeds, and write the report.

    Args:
        problems: Names of problems, or of groups: "noise-free" (gradients without noise), "all".
        optimizers: Names of the family, FILE.py:RULE, or an optimizer of another library such as "torch:AdamW".
        steps: Steps of every run; None takes each problem's own.
        seeds: Number of seeds reported, 5 or more.
        seed: The first of them, 0 or more.
        lr_grid: Learning rates tried for every optimizer beside its published default, positive.
        reference: What the others are compared with, one of the optimizers; None: Adam, or the first.
        out: Folder to write; None makes runs/<problem>-<time>.
        overwrite: Write into a folder that holds files.
        resume: Continue a race that was killed: finished runs of `out` are read, not run again. The settings
            must be the same; the numbers are those of a race that was never killed.
        jobs: Number of processes. Losses do not depend on it; measured times do.
        quiet: No progress on stderr.
        lang: Language of verdicts, figures and page, "en" or "zh"; the records know none.

    Raises:
        InputError: Wrong arguments; the text says which and what is allowed.
        LabError: An optimizer raised an error during the race.
    """
    if resume and out is None:
        raise InputError("--resume needs the folder to continue: --out DIR")
    checked_jobs(jobs)
    Texts(lang)  # another language is told before the race, not after it
    names = expand_groups((problems,) if isinstance(problems, str) else tuple(problems))
    settings = Settings(names, tuple(optimizers), steps, seeds, seed, tuple(lr_grid), reference)
    folder = Path(out) if out is not None else default_folder(names)
    facts = settings_to_dict(settings)
    command = command_line(settings)
    with RunFolder(
        folder, command=command, kind="compare", settings=facts, overwrite=overwrite, resume=resume
    ) as open_folder:
        run_race(settings, open_folder, jobs=jobs, quiet=quiet)
    return Race(folder, folder / "report.html", build(folder, lang))


def command_line(settings: Settings) -> str:
    """The command that runs the same race, every setting spelled out."""
    words = ["adamas", "compare", *settings.problems, "--optimizers", ",".join(settings.optimizers)]
    if settings.steps is not None:
        words += ["--steps", str(settings.steps)]
    words += ["--seeds", str(settings.seeds), "--seed", str(settings.seed)]
    words += ["--lr-grid", ",".join(f"{rate:g}" for rate in settings.lr_grid)]
    words += [] if settings.reference is None else ["--reference", settings.reference]
    return shlex.join(words)
