"""The search of one optimizer in an Optuna database that any number of workers may share.

Optuna's trial number is the only thing that workers agree on: it is handed out once by the database. What a trial
runs follows from the number, so it does not matter who runs it; a trial whose worker was killed is run by another.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError

from .errors import InputError
from .runfolder import finite
from .selection import judge
from .sweep_space import POINTS, Axis, draw
from .trial import Trial

SAMPLERS = (*POINTS, "tpe")
SECONDS_FOR_A_LOCK = 60
SECONDS_BETWEEN_OPENINGS = 0.3
OPENINGS = int(SECONDS_FOR_A_LOCK / SECONDS_BETWEEN_OPENINGS)


def open_storage(url: str) -> optuna.storages.RDBStorage:
    """A database by its URL, made if it is an SQLite file that does not exist.

    Raises:
        InputError: It cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # progress is told by us
    # workers write at the same moment: SQLite then waits for the other instead of failing
    connect = {"timeout": SECONDS_FOR_A_LOCK} if url.startswith("sqlite") else {}
    for left in reversed(range(OPENINGS)):
        try:
            return optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": connect})
        except Exception as error:
            if _made_by_another(error) and left:
                time.sleep(SECONDS_BETWEEN_OPENINGS)
                continue
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(
                f"--storage {hide_password(url)}: cannot be opened ({reason}); give a URL of SQLAlchemy, "
                "e.g. sqlite:///sweep.db"
            ) from error
    raise AssertionError("unreachable")


def _made_by_another(error: Exception) -> bool:
    """Whether the tables are just being made by another worker, which takes seconds on a busy machine."""
    known = ("already exists", "is locked")
    return isinstance(error, IntegrityError) or (isinstance(error, DBAPIError) and any(k in str(error) for k in known))


def hide_password(url: str) -> str:
    """The URL as it may be written down."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except Exception:
        return url.rpartition("@")[2]


class _Given(optuna.samplers.BaseSampler):
    """Hands out places that are known already."""

    def __init__(self, places: Mapping[str, float]) -> None:
        self.places = places

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> float:
        return self.places[param_name]


@dataclass(frozen=True)
class Claim:
    """A trial that this worker is to run.

    Attributes:
        number: 0 = published defaults.
        places: On the scales of the axes, as Optuna knows them.
        hyper: Hyper-parameters that differ from the published defaults.
        asked: Optuna's trial; None if it belongs to a worker that has not finished it.
    """

    number: int
    places: dict[str, float]
    hyper: dict[str, float]
    asked: optuna.Trial | None


@dataclass(frozen=True)
class Result:
    """A finished trial.

    Attributes:
        number: 0 = published defaults.
        hyper: Hyper-parameters that differ from the published defaults.
        valid_loss: Median final validation loss over the tuning seeds, see `selection.judge`.
        steps: Median steps to the hardest target.
        failed: Runs that diverged.
    """

    number: int
    hyper: dict[str, float]
    valid_loss: float
    steps: float
    failed: int

    @property
    def rank(self) -> tuple[float, float, int]:
        """The smaller, the better; ties go to the earlier trial."""
        return self.valid_loss, self.steps, self.number


class Search:
    """One study of Optuna: one optimizer on one problem.

    Args:
        storage: The database.
        title: Problem and optimizer.
        facts: Everything that shapes a trial; another value makes another study.
        axes: Those that the optimizer has, in the order of `space`.
        space: All axes, so that a trial has the same learning rate for every optimizer.
        defaults: The optimizer's published hyper-parameters.
        sampler: "random", "qmc" or "tpe".
        seed: Of the sampler.
        count: Number of trials.
        judged: Hardest target and floor of the problem.
    """

    def __init__(
        self,
        storage: optuna.storages.RDBStorage,
        title: str,
        facts: Mapping[str, Any],
        *,
        axes: Sequence[Axis],
        space: Sequence[Axis],
        defaults: Mapping[str, float],
        sampler: str,
        seed: int,
        count: int,
        judged: tuple[float, float],
    ) -> None:
        self.axes, self.space, self.defaults = axes, space, defaults
        self.sampler, self.seed, self.count = sampler, seed, count
        self.judged = judged
        self._distributions: dict[str, FloatDistribution] = {axis.name: FloatDistribution(*axis.ends) for axis in axes}
        text = json.dumps(finite(facts), sort_keys=True)
        name = f"adamas {title} {hashlib.sha256(text.encode()).hexdigest()[:12]}"
        self.study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True)
        self.study.set_user_attr("settings", finite(facts))
        self.study.set_user_attr("scales", {axis.name: axis.scale for axis in axes})

    def results(self) -> list[Result]:
        """Finished trials among the first `count`, by number, whoever ran them."""
        found: dict[int, Result] = {}
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            attributes = trial.user_attrs
            number = attributes["number"]
            if number < self.count and number not in found:
                found[number] = Result(
                    number=number,
                    hyper=attributes["hyper"],
                    valid_loss=trial.values[0],
                    steps=math.inf if attributes["steps"] is None else attributes["steps"],
                    failed=attributes["failed"],
                )
        return [found[number] for number in sorted(found)]

    def claim(self, wanted: int) -> list[Claim]:
        """Up to `wanted` trials to run: new ones; when none is left, those that others have not finished.

        An unfinished trial may still be running elsewhere. It is then run twice, with the same result:
        cheaper than to find out whether its worker is alive.
        """
        claims: list[Claim] = []
        begun = self.study.get_trials(deepcopy=False)
        for _ in range(min(wanted, self.count - len(begun))):
            asked = self.study.ask()
            if asked.number >= self.count:  # another worker was faster
                self.study.tell(asked, state=TrialState.FAIL)
                break
            claims.append(self._suggest(asked))
        if claims:
            return claims
        done = {result.number for result in self.results()}
        missing = [number for number in range(self.count) if number not in done]
        recorded = {trial.number: trial.params for trial in begun if trial.state == TrialState.RUNNING}
        return [self._again(number, recorded.get(number, {})) for number in missing[:wanted]]

    def _suggest(self, asked: optuna.Trial) -> Claim:
        """Give a new trial its places and let the database know them."""
        places = self._places(asked.number)
        if asked.number and self.sampler == "tpe":
            # seeded by the number: the trial follows from the trials that it sees, also after a resume
            (seed,) = np.random.SeedSequence([self.seed, asked.number]).generate_state(1)
            self.study.sampler = optuna.samplers.TPESampler(seed=int(seed))
        else:
            self.study.sampler = _Given(places)
        for name, distribution in self._distributions.items():
            if name in places:
                places[name] = asked.suggest_float(name, distribution.low, distribution.high)
        return Claim(asked.number, places, self._hyper(asked.number, places), asked)

    def _again(self, number: int, recorded: Mapping[str, float]) -> Claim:
        places = self._places(number) | dict(recorded)
        return Claim(number, places, self._hyper(number, places), None)

    def _places(self, number: int) -> dict[str, float]:
        """Where a trial lies: trial 0 at the defaults, as far as the axes hold them."""
        if number == 0:
            found = {axis.name: axis.place(self.defaults[axis.name]) for axis in self.axes}
            return {name: place for name, place in found.items() if place is not None}
        points = self.sampler if self.sampler in POINTS else "random"
        every = draw(points, self.space, self.seed, number)
        return {axis.name: every[axis.name] for axis in self.axes}

    def _hyper(self, number: int, places: Mapping[str, float]) -> dict[str, float]:
        return {} if number == 0 else {axis.name: axis.value(places[axis.name]) for axis in self.axes}

    def finish(self, claim: Claim, trials: Sequence[Trial]) -> None:
        """Record the runs of a claimed trial, one per tuning seed."""
        loss, steps = judge(trials, *self.judged)
        attributes = finite(
            {
                "number": claim.number,
                "hyper": claim.hyper,
                "steps": steps,
                "failed": sum(trial.status != "ok" for trial in trials),
            }
        )
        if claim.asked is not None:
            for name, value in attributes.items():
                claim.asked.set_user_attr(name, value)
            self.study.tell(claim.asked, loss)
            return
        known: dict[str, BaseDistribution] = {name: self._distributions[name] for name in claim.places}
        self.study.add_trial(
            optuna.trial.create_trial(
                params=claim.places, distributions=known, value=loss, user_attrs=attributes, state=TrialState.COMPLETE
            )
        )
