"""The runs of a sweep: the trials of every optimizer, then the best of the first k on fresh seeds."""

from __future__ import annotations

from collections.abc import Mapping

import optuna

from .jobs import Task, run_tasks
from .problems import get_problem
from .progress import Progress
from .records import Heading, Run, read_runs, write_run
from .roster import Entrant
from .runfolder import RunFolder
from .sweep_search import Claim, Result, Search
from .sweep_settings import Settings, axes_of, trial_facts


def search_all(
    settings: Settings,
    entrants: list[Entrant],
    storage: optuna.storages.RDBStorage,
    *,
    jobs: int,
    quiet: bool,
) -> dict[str, list[Result]]:
    """Every trial of every optimizer, by number, whichever worker ran it.

    Raises:
        LabError: An optimizer raised an error.
    """
    found = {}
    with Progress(len(entrants) * settings.trials, "adamas sweep", quiet=quiet) as progress:
        for entrant in entrants:
            search = _search(settings, entrant, storage)
            known = 0
            while claims := search.claim(jobs):
                _run(settings, entrant, search, claims, jobs)
                before, known = known, len(search.results())
                progress.advance(f"{settings.problem} {entrant.label}", known - before)
            found[entrant.label] = search.results()
            progress.advance(f"{settings.problem} {entrant.label}", settings.trials - known)
    return found


def _search(settings: Settings, entrant: Entrant, storage: optuna.storages.RDBStorage) -> Search:
    problem = get_problem(settings.problem)
    return Search(
        storage,
        f"{problem.name} {entrant.label}",
        trial_facts(settings, entrant),
        axes=axes_of(entrant, settings.axes),
        space=settings.axes,
        defaults=entrant.make().hyper,
        sampler=settings.sampler,
        seed=settings.seed,
        count=settings.trials,
        judged=(problem.targets[-1], problem.floor),
    )


def _run(settings: Settings, entrant: Entrant, search: Search, claims: list[Claim], jobs: int) -> None:
    """Run the claimed trials on every tuning seed."""
    surface = get_problem(settings.problem).surface
    seeds = settings.race.tuning_seeds
    tasks = [
        # judged by its end; only surfaces, where it costs nothing, are watched
        _task(settings, entrant, claim.hyper, seed, watched=surface is not None)
        for claim in claims
        for seed in seeds
    ]
    results = list(run_tasks(tasks, jobs))
    for i, claim in enumerate(claims):
        search.finish(claim, results[i * len(seeds) : (i + 1) * len(seeds)])


def _task(settings: Settings, entrant: Entrant, hyper: Mapping[str, float], seed: int, *, watched: bool) -> Task:
    problem = get_problem(settings.problem)
    steps = settings.steps or problem.steps
    return Task(
        problem=problem.name,
        label=entrant.label,
        spec=entrant.spec,
        digest=entrant.file_hash(),
        seed=seed,
        steps=steps,
        hyper=hyper,
        evaluate_every=None if watched else steps,
    )


def best(results: list[Result], budget: int) -> Result:
    """The best of the first `budget` trials."""
    return min(results[:budget], key=lambda result: result.rank)


def evaluate(
    settings: Settings,
    entrants: list[Entrant],
    found: Mapping[str, list[Result]],
    folder: RunFolder,
    *,
    jobs: int,
    quiet: bool,
) -> list[Run]:
    """Run what every budget chose on the evaluation seeds; runs of a resumed folder are not done again.

    Raises:
        LabError: An optimizer raised an error.
    """
    done = {run.heading.run_id: run for run in read_runs(folder.path)} if folder.resumed else {}
    problem = get_problem(settings.problem)
    pairs: list[tuple[Heading, Task]] = []
    for seed in settings.race.evaluation_seeds:
        for entrant in entrants:
            columns: dict[int, list[str]] = {}
            for budget in settings.budgets:
                columns.setdefault(best(found[entrant.label], budget).number, []).append(f"tuned{budget}")
            for number, names in columns.items():
                hyper = found[entrant.label][number].hyper
                heading = Heading(
                    run_id=f"{problem.name}/{entrant.label}/evaluate/trial{number}/seed{seed}",
                    problem=problem.name,
                    optimizer=entrant.label,
                    role="evaluate",
                    columns=tuple(names),
                    trial=number,
                    lr=hyper.get("lr", entrant.default_rate),
                    seed=seed,
                    budget=settings.steps or problem.steps,
                )
                pairs.append((heading, _task(settings, entrant, hyper, seed, watched=True)))
    missing = [(heading, task) for heading, task in pairs if heading.run_id not in done]
    with Progress(len(missing), "adamas sweep, evaluation", quiet=quiet) as progress:
        trials = run_tasks((task for _, task in missing), jobs)
        for (heading, _), trial in zip(missing, trials, strict=True):
            write_run(folder, heading, trial)
            done[heading.run_id] = Run(heading, trial)
            progress.advance(f"{heading.problem} {heading.optimizer}")
    return [done[heading.run_id] for heading, _ in pairs]
