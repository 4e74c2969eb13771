"""A race: every optimizer at its published defaults and tuned, on the same problems, seeds and trials."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import InputError, LabError
from .filenames import file_stem
from .jobs import Task, run_tasks
from .problems import DEFAULT_PROBLEMS, Problem, get_problem
from .progress import Progress
from .records import Heading, read_runs, write_run
from .roster import DEFAULT_OPTIMIZERS, Entrant, describe, get_entrants
from .runfolder import RunFolder
from .selection import judge
from .trial import Trial

DEFAULT_GRID = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
MIN_SEEDS = 5
TUNING_SEEDS = 3
TUNING_SEED_OFFSET = 1_000_000


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that shapes the numbers of a race.

    Attributes:
        problems: Names of problems.
        optimizers: Names or FILE.py:RULE.
        steps: Budget of every run; None takes each problem's own.
        seeds: Number of evaluation seeds, 5 or more.
        seed: First evaluation seed, 0 to 999 999 together with the others.
        lr_grid: Learning rates tried for every optimizer, beside its published default.
        reference: Label of the optimizer that the others are compared with; None: Adam if it runs, else the first.
    """

    problems: tuple[str, ...] = DEFAULT_PROBLEMS
    optimizers: tuple[str, ...] = DEFAULT_OPTIMIZERS
    steps: int | None = None
    seeds: int = 10
    seed: int = 0
    lr_grid: tuple[float, ...] = DEFAULT_GRID
    reference: str | None = None

    def __post_init__(self) -> None:
        if not self.problems or not self.optimizers:
            raise InputError("a race needs at least one problem and one optimizer")
        if len(set(self.problems)) < len(self.problems):
            raise InputError(f"problems {', '.join(self.problems)}: name every problem once")
        if self.steps is not None and self.steps < 1:
            raise InputError(f"--steps {self.steps}: give 1 or more")
        if self.seeds < MIN_SEEDS:
            raise InputError(f"--seeds {self.seeds}: give {MIN_SEEDS} or more; fewer say nothing about chance")
        if self.seed < 0 or self.seed + self.seeds > TUNING_SEED_OFFSET:
            raise InputError(f"--seed {self.seed}: give 0 to {TUNING_SEED_OFFSET - self.seeds}")
        if not self.lr_grid or any(not (math.isfinite(lr) and lr > 0) for lr in self.lr_grid):
            raise InputError(
                f"--lr-grid {','.join(map(str, self.lr_grid))}: give positive numbers, e.g. 0.001,0.01,0.1"
            )

    @property
    def evaluation_seeds(self) -> range:
        """Seeds that are reported."""
        return range(self.seed, self.seed + self.seeds)

    @property
    def tuning_seeds(self) -> range:
        """Seeds that select learning rates; never one that is reported."""
        first = self.seed + TUNING_SEED_OFFSET
        return range(first, first + TUNING_SEEDS)

    def rates(self, entrant: Entrant) -> list[float]:
        """Learning rates of the tuning trials: the published default, then the grid, ascending."""
        return [entrant.default_rate, *sorted(set(self.lr_grid))]


def run_race(settings: Settings, folder: RunFolder, *, jobs: int = 1, quiet: bool = False) -> None:
    """Run everything and stream it into an open folder; what a resumed folder holds is not run again.

    Args:
        settings: What to run.
        folder: Receives every run when it has ended, in the same order whatever `jobs`.
        jobs: Number of processes.
        quiet: No progress on stderr.

    Raises:
        LabError: An optimizer raised an error; the text names the run.
    """
    entrants = get_entrants(settings.optimizers)
    done = {run.heading.run_id: run.trial for run in read_runs(folder.path)} if folder.resumed else {}
    tuning = len(entrants) * len(settings.rates(entrants[0])) * len(settings.tuning_seeds)
    total = len(settings.problems) * (tuning + 2 * len(entrants) * settings.seeds)
    with Progress(total, "adamas compare", quiet=quiet) as progress:
        for name in settings.problems:
            _Heat(settings, folder, progress, get_problem(name), entrants, jobs, done).run()


class _Heat:
    """The runs of one problem."""

    def __init__(
        self,
        settings: Settings,
        folder: RunFolder,
        progress: Progress,
        problem: Problem,
        entrants: list[Entrant],
        jobs: int,
        done: dict[str, Trial],
    ) -> None:
        self.settings = settings
        self.folder = folder
        self.progress = progress
        self.problem = problem
        self.entrants = entrants
        self.jobs = jobs
        self.done = done

    def run(self) -> None:
        """Tune, then evaluate the default and the chosen rate of every optimizer, seed by seed."""
        tuned = self._tune()
        headings = []
        for seed in self.settings.evaluation_seeds:
            for entrant in self.entrants:
                default, chosen = (0, entrant.default_rate), tuned[entrant.label]
                if chosen == default:
                    headings.append(self._heading(entrant, "evaluate", ("default", "tuned"), *default, seed))
                else:
                    headings.append(self._heading(entrant, "evaluate", ("default",), *default, seed))
                    headings.append(self._heading(entrant, "evaluate", ("tuned",), *chosen, seed))
        self._all(headings)

    def _tune(self) -> dict[str, tuple[int, float]]:
        """Trial and rate with the lowest median validation loss at the end, for every optimizer.

        Ties go to the one with fewer steps to the hardest target, then to the earlier trial.
        """
        headings = [
            self._heading(entrant, "tune", (), number, rate, seed)
            for seed in self.settings.tuning_seeds
            for entrant in self.entrants
            for number, rate in enumerate(self.settings.rates(entrant))
        ]
        found: dict[str, dict[tuple[int, float], list[Trial]]] = {e.label: {} for e in self.entrants}
        for heading, trial in zip(headings, self._all(headings), strict=True):
            found[heading.optimizer].setdefault((heading.trial, heading.lr), []).append(trial)
        hardest, floor = self.problem.targets[-1], self.problem.floor
        return {
            label: min(trials, key=lambda key: (judge(trials[key], hardest, floor), key[0]))
            for label, trials in found.items()
        }

    def _heading(
        self, entrant: Entrant, role: str, columns: tuple[str, ...], number: int, rate: float, seed: int
    ) -> Heading:
        part = f"trial{number}" if role == "tune" else "+".join(columns)
        return Heading(
            run_id=f"{self.problem.name}/{entrant.label}/{role}/{part}/seed{seed}",
            problem=self.problem.name,
            optimizer=entrant.label,
            role=role,
            columns=columns,
            trial=number,
            lr=rate,
            seed=seed,
            budget=self.settings.steps or self.problem.steps,
        )

    def _all(self, headings: Sequence[Heading]) -> list[Trial]:
        """Do those runs that are not recorded yet, record them in order, and return all."""
        missing = [heading for heading in headings if heading.run_id not in self.done]
        for heading in headings:
            if heading.run_id in self.done:
                self._advance(heading)
        try:
            for heading, trial in zip(missing, run_tasks(map(self._task, missing), self.jobs), strict=True):
                write_run(self.folder, heading, trial)
                self.done[heading.run_id] = trial
                self._advance(heading)
        except LabError as error:
            raise LabError(f"{error}; what was measured before is in {self.folder.path}") from error
        return [self.done[heading.run_id] for heading in headings]

    def _task(self, heading: Heading) -> Task:
        (entrant,) = (e for e in self.entrants if e.label == heading.optimizer)
        tuning = heading.role == "tune"
        return Task(
            problem=heading.problem,
            label=heading.optimizer,
            spec=entrant.spec,
            digest=entrant.file_hash(),
            seed=heading.seed,
            steps=heading.budget,
            hyper={} if heading.trial == 0 else {"lr": heading.lr},
            # a tuning run is judged by its end; only surfaces, where it costs nothing, are watched
            evaluate_every=heading.budget if tuning and self.problem.surface is None else None,
            keep_path=not tuning and heading.seed == self.settings.seed,
            probe=not tuning,
        )

    def _advance(self, heading: Heading) -> None:
        # a default that is also the tuned choice counts as two runs, as it was announced
        self.progress.advance(f"{heading.problem} {heading.optimizer}", max(1, len(heading.columns)))


def resolve_reference(wanted: str | None, labels: list[str]) -> str:
    """Label of the optimizer that the others are compared with: the one wanted, Adam, or the first.

    Raises:
        InputError: The one wanted does not run.
    """
    if wanted is None:
        return "Adam" if "Adam" in labels else labels[0]
    for label in labels:
        if label.lower() == wanted.lower():
            return label
    raise InputError(f"--reference {wanted}: not among the optimizers; choose one of: {', '.join(labels)}")


def default_folder(problems: Sequence[str], parent: Path = Path("runs")) -> Path:
    """runs/<problem>-<timestamp>, with a number added if it exists."""
    name = problems[0] if len(problems) == 1 else _common(problems)
    base = parent / f"{file_stem(name)}-{time.strftime('%Y%m%d-%H%M%S')}"
    path, number = base, 2
    while path.exists():
        path, number = base.with_name(f"{base.name}-{number}"), number + 1
    return path


def _common(problems: Sequence[str]) -> str:
    families = {name.split("-")[0] for name in problems}
    return families.pop() if len(families) == 1 else "race"


def problem_facts(problem: Problem) -> dict[str, Any]:
    """What tables need to know of a problem."""
    return {
        "floor": problem.floor,
        "title": problem.title,
        "loss_name": problem.loss_name,
        "targets": problem.targets,
        "surface": problem.surface is not None,
    }


def settings_to_dict(settings: Settings) -> dict[str, Any]:
    """For the manifest: the search space, all seeds, and the facts that tables need, spelled out."""
    entrants = get_entrants(settings.optimizers)
    problems = [get_problem(name) for name in settings.problems]
    return {
        **dataclasses.asdict(settings),
        "reference": resolve_reference(settings.reference, [e.label for e in entrants]),
        "evaluation_seeds": list(settings.evaluation_seeds),
        "tuning_seeds": list(settings.tuning_seeds),
        "selection": "final_valid_loss",
        "trials_per_optimizer": 1 + len(set(settings.lr_grid)),
        "problem_facts": {problem.name: problem_facts(problem) for problem in problems},
        "optimizer_facts": {e.label: describe(e.label, e.make).to_dict() for e in entrants},
        "rule_files": {e.spec: e.file_hash() for e in entrants if e.file is not None},
    }
