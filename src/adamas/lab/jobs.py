"""Many runs, in this process or in several: the results come in the order of the tasks, with the same bits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from threadpoolctl import threadpool_limits

from .errors import InputError, LabError
from .problems import Problem, get_problem
from .roster import Entrant, get_entrant
from .trial import Trial, run_trial


@dataclass(frozen=True)
class Task:
    """One run as plain values, so that any process can do it.

    Attributes:
        problem: Name of the problem.
        label: Name of the optimizer in messages.
        spec: Name of the optimizer, FILE.py:RULE or LIBRARY:NAME.
        digest: Of the user's file, see `Entrant.file_hash`: a changed file is read again.
        seed: Of start and batches.
        steps: Budget.
        hyper: Hyper-parameters that differ from the published defaults.
        evaluate_every: Steps between evaluations; None takes the problem's own.
        keep_path: Keep the parameters after every step.
        probe: Take readings of steps.
    """

    problem: str
    label: str
    spec: str
    digest: str | None
    seed: int
    steps: int
    hyper: Mapping[str, float] = field(default_factory=dict)
    evaluate_every: int | None = None
    keep_path: bool = False
    probe: bool = False


def run_task(task: Task) -> Trial:
    """Do one run.

    Raises:
        LabError: The optimizer or the problem raised; the text names the run.
    """
    problem, entrant = _problem(task.problem), _entrant(task.spec, task.digest)
    _warm_up(task.problem, task.spec, task.digest)
    try:
        return run_trial(
            problem,
            entrant.make(**task.hyper),
            task.seed,
            task.steps,
            evaluate_every=task.evaluate_every,
            keep_path=task.keep_path,
            probe=task.probe,
        )
    except Exception as error:
        hyper = {"lr": entrant.default_rate, **task.hyper}
        shown = ", ".join(f"{name} {value:g}" for name, value in hyper.items())
        raise LabError(
            f"{task.label} on {task.problem} failed ({shown}, seed {task.seed}): {type(error).__name__}: {error}"
        ) from error


def run_tasks(tasks: Iterable[Task], jobs: int = 1) -> Iterator[Trial]:
    """The results of the tasks, in their order.

    Args:
        tasks: What to run.
        jobs: Number of processes, 1 or more; 1 runs here. Losses do not depend on it; times do, because
            processes share the memory.

    Raises:
        LabError: As `run_task`.
    """
    if jobs == 1:
        # one BLAS thread: the matrices are small, and sums then do not depend on the number of cores
        with threadpool_limits(1):
            yield from map(run_task, tasks)
        return
    from joblib import Parallel, delayed

    yield from Parallel(n_jobs=jobs, return_as="generator")(delayed(_in_worker)(task) for task in tasks)


def checked_jobs(jobs: int) -> int:
    """The number of processes, if it is one.

    Raises:
        InputError: It is below 1.
    """
    if jobs < 1:
        raise InputError(f"--jobs {jobs}: give the number of processes, 1 or more")
    return jobs


def _in_worker(task: Task) -> Trial:
    _one_thread()
    return run_task(task)


@lru_cache(maxsize=1)
def _one_thread() -> Any:
    """Limit the BLAS of a worker process for good; the object keeps the limit alive."""
    return threadpool_limits(1)


@lru_cache(maxsize=256)
def _problem(name: str) -> Problem:
    return get_problem(name)


@lru_cache(maxsize=256)
def _entrant(spec: str, digest: str | None) -> Entrant:
    return get_entrant(spec)


@lru_cache(maxsize=4096)
def _warm_up(problem: str, spec: str, digest: str | None) -> None:
    """Compile the kernel before the first clock runs; a rule that fails does so in its own run."""
    try:
        run_trial(_problem(problem), _entrant(spec, digest).make(), 0, 2)
    except Exception:
        return
