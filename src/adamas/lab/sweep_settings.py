"""What a sweep is: its settings, the facts that its folder and its database hold, its command."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass
from typing import Any

from .errors import InputError
from .problems import get_problem
from .race import Settings as RaceSettings
from .race import problem_facts, resolve_reference
from .roster import DEFAULT_OPTIMIZERS, Entrant, describe
from .sweep_search import SAMPLERS, hide_password
from .sweep_space import DEFAULT_SPACE, Axis, parse_space

BUDGETS = (1, 8, 32)
DEFAULT_TRIALS = 32


@dataclass(frozen=True)
class Settings:
    """Everything that shapes the numbers of a sweep.

    Attributes:
        problem: Name of the problem.
        optimizers: Names, FILE.py:RULE or LIBRARY:NAME.
        trials: Number of trials of every optimizer, the published defaults (trial 0) among them.
        space: Axes as text, see `sweep_space.parse_space`.
        sampler: "random", "qmc" (Sobol) or "tpe".
        steps: Budget of every run; None takes the problem's own.
        seeds: Number of evaluation seeds, 5 or more.
        seed: First evaluation seed, and seed of the sampler.
        reference: Label of the optimizer that the others are compared with; None: Adam if it runs, else the first.
    """

    problem: str
    optimizers: tuple[str, ...] = DEFAULT_OPTIMIZERS
    trials: int = DEFAULT_TRIALS
    space: str = DEFAULT_SPACE
    sampler: str = "random"
    steps: int | None = None
    seeds: int = 10
    seed: int = 0
    reference: str | None = None

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise InputError(f"--trials {self.trials}: give 1 or more")
        if self.sampler not in SAMPLERS:
            raise InputError(f"--sampler {self.sampler}: choose one of: {', '.join(SAMPLERS)}")
        _ = self.race, self.axes  # refuse what a race and a space refuse

    @property
    def race(self) -> RaceSettings:
        """Seeds and budget as those of a race."""
        return RaceSettings((self.problem,), self.optimizers, self.steps, self.seeds, self.seed)

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The search space."""
        return parse_space(self.space)

    @property
    def budgets(self) -> tuple[int, ...]:
        """The k of the columns tuned(k): 1, 8, 32 as far as the trials go, and the number of trials."""
        return (*(k for k in BUDGETS if k < self.trials), self.trials)


def axes_of(entrant: Entrant, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
    """The axes that an optimizer has.

    Raises:
        InputError: None of them.
    """
    known = entrant.make().hyper
    own = tuple(axis for axis in axes if axis.name in known)
    if not own:
        raise InputError(
            f"--space: {entrant.label} has none of {', '.join(axis.name for axis in axes)}; it has {', '.join(known)}"
        )
    return own


def settings_to_dict(settings: Settings, entrants: list[Entrant]) -> dict[str, Any]:
    """For the manifest.

    Raises:
        InputError: An axis that no optimizer has, or an optimizer that has no axis.
    """
    problem = get_problem(settings.problem)
    own = {entrant.label: [axis.name for axis in axes_of(entrant, settings.axes)] for entrant in entrants}
    for axis in settings.axes:
        if not any(axis.name in names for names in own.values()):
            raise InputError(f"--space {axis}: no optimizer of this sweep has {axis.name}")
    return {
        **dataclasses.asdict(settings),
        "reference": resolve_reference(settings.reference, [entrant.label for entrant in entrants]),
        "space": [str(axis) for axis in settings.axes],
        "axes": own,
        "budgets": list(settings.budgets),
        "evaluation_seeds": list(settings.race.evaluation_seeds),
        "tuning_seeds": list(settings.race.tuning_seeds),
        "problem_facts": {problem.name: problem_facts(problem)},
        "optimizer_facts": {entrant.label: describe(entrant.label, entrant.make).to_dict() for entrant in entrants},
        "rule_files": {entrant.spec: entrant.file_hash() for entrant in entrants if entrant.file is not None},
    }


def trial_facts(settings: Settings, entrant: Entrant) -> dict[str, Any]:
    """What shapes the trials of one optimizer: not how many there are, nor whom it is compared with."""
    problem = get_problem(settings.problem)
    return {
        "problem": problem.name,
        "problem_facts": problem_facts(problem),
        "steps": settings.steps or problem.steps,
        "optimizer": entrant.spec if entrant.file is None else entrant.file_hash(),
        "defaults": dict(entrant.make().hyper),
        "space": [str(axis) for axis in settings.axes],
        "sampler": settings.sampler,
        "seed": settings.seed,
        "tuning_seeds": list(settings.race.tuning_seeds),
    }


def command_line(settings: Settings, storage: str | None) -> str:
    """The command that runs the same sweep, every setting spelled out."""
    words = ["adamas", "sweep", settings.problem, "--optimizers", ",".join(settings.optimizers)]
    words += ["--trials", str(settings.trials), "--space", ",".join(map(str, settings.axes))]
    words += ["--sampler", settings.sampler, "--seeds", str(settings.seeds), "--seed", str(settings.seed)]
    words += [] if settings.steps is None else ["--steps", str(settings.steps)]
    words += [] if settings.reference is None else ["--reference", settings.reference]
    words += [] if storage is None else ["--storage", hide_password(storage)]
    return shlex.join(words)
