"""Search for hyper-parameters: the same space, sampler and number of trials for everyone, then fresh paired seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import InputError
from .jobs import checked_jobs
from .race import default_folder
from .roster import DEFAULT_OPTIMIZERS, get_entrants
from .runfolder import RunFolder, write_json
from .sweep_runs import evaluate, search_all
from .sweep_search import hide_password, open_storage
from .sweep_settings import DEFAULT_TRIALS, Settings, command_line, settings_to_dict
from .sweep_space import DEFAULT_SPACE
from .sweep_table import summarise_sweep, write_trials_csv

DATABASE = "sweep.db"


@dataclass(frozen=True)
class Sweep:
    """A finished sweep.

    Attributes:
        folder: Holds manifest.json, records.jsonl (evaluation runs), trials.csv, summary.json, and sweep.db
            unless the trials are kept elsewhere.
        storage: URL of the database, password hidden.
        summary: The table and every trial.
    """

    folder: Path
    storage: str
    summary: dict[str, Any]


def sweep(
    problem: str,
    *,
    optimizers: Sequence[str] = DEFAULT_OPTIMIZERS,
    trials: int = DEFAULT_TRIALS,
    space: str = DEFAULT_SPACE,
    sampler: str = "random",
    steps: int | None = None,
    seeds: int = 10,
    seed: int = 0,
    reference: str | None = None,
    storage: str | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    jobs: int = 1,
    quiet: bool = False,
) -> Sweep:
    """Search the same space with the same trials for every optimizer, and evaluate the best of the first k.

    Trial 0 is the published default; trial k draws the same numbers for everybody ("random", "qmc"). A trial is
    judged by three tuning seeds; the columns tuned(1), tuned(8), tuned(32) are measured on other seeds, paired.

    Args:
        problem: One name.
        optimizers: Names of the family, FILE.py:RULE, or an optimizer of another library such as "torch:AdamW".
        trials: Number of trials of every optimizer.
        space: Axes, e.g. "lr=1e-4:1:log,beta2=0.9:0.9999:logit". An axis that an optimizer lacks is left out for
            it, and the table says so.
        sampler: "random" and "qmc": trial k follows from seed and k alone, so any number of workers gives the same
            table. "tpe" learns from the trials that have ended: repeatable with one worker and one job only.
        steps: Steps of every run; None takes the problem's own.
        seeds: Number of evaluation seeds, 5 or more.
        seed: The first of them, and the sampler's.
        reference: What the others are compared with; None: Adam, or the first.
        storage: URL of a database that several workers share, e.g. "sqlite:///sweep.db"; None keeps it in `out`.
        out: Folder to write; None makes runs/<problem>-<time>.
        overwrite: Write into a folder that holds files; its database is begun anew.
        resume: Continue a sweep that was killed.
        jobs: Number of processes.
        quiet: No progress on stderr.

    Raises:
        InputError: Wrong arguments; the text says which and what is allowed.
        LabError: An optimizer raised an error.
    """
    if resume and out is None:
        raise InputError("--resume needs the folder to continue: --out DIR")
    checked_jobs(jobs)
    settings = Settings(problem, tuple(optimizers), trials, space, sampler, steps, seeds, seed, reference)
    entrants = get_entrants(settings.optimizers)
    facts = settings_to_dict(settings, entrants)
    folder = Path(out) if out is not None else default_folder([settings.problem])
    shared = None if storage is None else open_storage(storage)  # a wrong URL is told before a folder is made
    with RunFolder(
        folder,
        command=command_line(settings, storage),
        kind="sweep",
        settings=facts,
        overwrite=overwrite,
        resume=resume,
    ) as opened:
        url = storage or f"sqlite:///{folder / DATABASE}"
        if storage is None and overwrite:
            (folder / DATABASE).unlink(missing_ok=True)
        found = search_all(settings, entrants, shared or open_storage(url), jobs=jobs, quiet=quiet)
        runs = evaluate(settings, entrants, found, opened, jobs=jobs, quiet=quiet)
        summary = summarise_sweep(facts, found, runs)
        write_json(folder / "summary.json", summary)
        write_trials_csv(folder / "trials.csv", summary)
    return Sweep(folder, hide_password(url), summary)
