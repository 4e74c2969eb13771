"""A race: every optimizer at its published defaults and tuned, on the same problems, seeds and trials."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from .errors import InputError, LabError
from .problems import DEFAULT_PROBLEMS, Losses, Problem, get_problem
from .progress import Progress
from .records import Heading, write_end, write_start
from .roster import DEFAULT_OPTIMIZERS, Entrant, describe, get_entrants
from .runfolder import RunFolder
from .selection import judge
from .trial import Trial, run_trial

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


def run_race(settings: Settings, folder: RunFolder, *, quiet: bool = False) -> None:
    """Run everything and stream it into an open folder.

    Raises:
        LabError: An optimizer raised an error; the text names the run.
    """
    problems = [get_problem(name) for name in settings.problems]
    entrants = get_entrants(settings.optimizers)
    tuning = len(entrants) * len(settings.rates(entrants[0])) * len(settings.tuning_seeds)
    total = len(problems) * (tuning + 2 * len(entrants) * settings.seeds)
    # one BLAS thread: the matrices are small, and sums then do not depend on the number of cores
    with Progress(total, "adamas compare", quiet=quiet) as progress, threadpool_limits(1):
        for problem in problems:
            _warm_up(problem, entrants)
            _Heat(settings, folder, progress, problem, entrants).run()


class _Heat:
    """The runs of one problem."""

    def __init__(
        self,
        settings: Settings,
        folder: RunFolder,
        progress: Progress,
        problem: Problem,
        entrants: list[Entrant],
    ) -> None:
        self.settings = settings
        self.folder = folder
        self.progress = progress
        self.problem = problem
        self.entrants = entrants
        self.steps = settings.steps or problem.steps

    def run(self) -> None:
        """Tune, then evaluate the default and the chosen rate of every optimizer, seed by seed."""
        tuned = self._tune()
        for seed in self.settings.evaluation_seeds:
            for entrant in self.entrants:
                default = (0, entrant.default_rate)
                chosen = tuned[entrant.label]
                if chosen == default:
                    self._one(entrant, "evaluate", ("default", "tuned"), *default, seed)
                    self.progress.advance(self._label(entrant))
                else:
                    self._one(entrant, "evaluate", ("default",), *default, seed)
                    self._one(entrant, "evaluate", ("tuned",), *chosen, seed)

    def _tune(self) -> dict[str, tuple[int, float]]:
        """Trial and rate with the lowest median validation loss at the end, for every optimizer.

        Ties go to the one with fewer steps to the hardest target, then to the earlier trial.
        """
        found: dict[str, dict[tuple[int, float], list[Trial]]] = {e.label: {} for e in self.entrants}
        for seed in self.settings.tuning_seeds:
            for entrant in self.entrants:
                for number, rate in enumerate(self.settings.rates(entrant)):
                    trial = self._one(entrant, "tune", (), number, rate, seed)
                    found[entrant.label].setdefault((number, rate), []).append(trial)
        hardest, floor = self.problem.targets[-1], self.problem.floor
        return {
            label: min(trials, key=lambda key: (judge(trials[key], hardest, floor), key[0]))
            for label, trials in found.items()
        }

    def _one(self, entrant: Entrant, role: str, columns: tuple[str, ...], number: int, rate: float, seed: int) -> Trial:
        tuning = role == "tune"
        part = f"trial{number}" if tuning else "+".join(columns)
        heading = Heading(
            run_id=f"{self.problem.name}/{entrant.label}/{role}/{part}/seed{seed}",
            problem=self.problem.name,
            optimizer=entrant.label,
            role=role,
            columns=columns,
            trial=number,
            lr=rate,
            seed=seed,
            budget=self.steps,
        )
        write_start(self.folder, heading)

        def on_point(step: int, losses: Losses) -> None:
            self.folder.event("point", run_id=heading.run_id, step=step, train=losses.train, valid=losses.valid)

        try:
            trial = run_trial(
                self.problem,
                entrant.make() if number == 0 else entrant.make(lr=rate),
                seed,
                self.steps,
                # a tuning run is judged by its end; only surfaces, where it costs nothing, are watched
                evaluate_every=self.steps if tuning and self.problem.surface is None else None,
                on_point=on_point,
                keep_path=not tuning and seed == self.settings.seed,
            )
        except Exception as error:
            raise LabError(
                f"{entrant.label} on {self.problem.name} failed (lr {rate:g}, seed {seed}): "
                f"{type(error).__name__}: {error}; what was measured before is in {self.folder.path}"
            ) from error
        write_end(self.folder, heading, trial)
        self.progress.advance(self._label(entrant))
        return trial

    def _label(self, entrant: Entrant) -> str:
        return f"{self.problem.name} {entrant.label}"


def _warm_up(problem: Problem, entrants: Sequence[Entrant]) -> None:
    """Compile every kernel before the first clock runs; a rule that fails does so in its own run."""
    for entrant in entrants:
        try:
            run_trial(problem, entrant.make(), 0, 2)
        except Exception:
            continue


def _reference(wanted: str | None, labels: list[str]) -> str:
    if wanted is None:
        return "Adam" if "Adam" in labels else labels[0]
    for label in labels:
        if label.lower() == wanted.lower():
            return label
    raise InputError(f"--reference {wanted}: not among the optimizers; choose one of: {', '.join(labels)}")


def default_folder(problems: Sequence[str], parent: Path = Path("runs")) -> Path:
    """runs/<problem>-<timestamp>, with a number added if it exists."""
    name = problems[0] if len(problems) == 1 else _common(problems)
    base = parent / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    path, number = base, 2
    while path.exists():
        path, number = base.with_name(f"{base.name}-{number}"), number + 1
    return path


def _common(problems: Sequence[str]) -> str:
    families = {name.split("-")[0] for name in problems}
    return families.pop() if len(families) == 1 else "race"


def settings_to_dict(settings: Settings) -> dict[str, Any]:
    """For the manifest: the search space, all seeds, and the facts that tables need, spelled out."""
    entrants = get_entrants(settings.optimizers)
    problems = [get_problem(name) for name in settings.problems]
    return {
        **dataclasses.asdict(settings),
        "reference": _reference(settings.reference, [e.label for e in entrants]),
        "evaluation_seeds": list(settings.evaluation_seeds),
        "tuning_seeds": list(settings.tuning_seeds),
        "selection": "lowest median validation loss (surfaces: value of f) at the end over the tuning seeds",
        "trials_per_optimizer": 1 + len(set(settings.lr_grid)),
        "problem_facts": {
            p.name: {
                "floor": p.floor,
                "title": p.title,
                "loss_name": p.loss_name,
                "targets": p.targets,
                "surface": p.surface is not None,
            }
            for p in problems
        },
        "optimizer_facts": {e.label: describe(e.label, e.make).to_dict() for e in entrants},
        "rule_files": {e.spec: e.file_hash() for e in entrants if e.file is not None},
    }


__all__ = ["DEFAULT_GRID", "Settings", "default_folder", "run_race", "settings_to_dict"]
