"""The self-tests of problems and families one by one, in this process or in several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from threadpoolctl import threadpool_limits

from .jobs import checked_jobs
from .problems import get_problem, registry


@dataclass(frozen=True)
class Subject:
    """What is tested.

    Attributes:
        kind: "problem" or "family".
        name: Of the problem or the family.
        missing: Modules that it needs and that are not installed; with some it is not tested.
    """

    kind: str
    name: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What the test found: "PASS", "FAIL" or "SKIP", and the defects or what is missing in words."""

    subject: Subject
    verdict: str
    defects: list[str] = field(default_factory=list)


def subjects(name: str | None = None) -> list[Subject]:
    """One problem, or all of them and then their families.

    Raises:
        InputError: There is no such problem.
    """
    from .problems.families import FAMILIES

    if name is not None:
        return [Subject("problem", get_problem(name).name)]
    problems = [Subject("problem", problem.name, tuple(problem.missing())) for problem in registry().values()]
    return problems + [Subject("family", family.name) for family in FAMILIES]


def verdicts(chosen: Sequence[Subject], jobs: int = 1) -> Iterator[Verdict]:
    """Test them all; verdicts come in order, each when it and those before it are done.

    Args:
        chosen: What to test.
        jobs: Number of processes, 1 or more; the verdicts do not depend on it.
    """
    checked_jobs(jobs)
    if jobs == 1:
        yield from map(verdict, chosen)
        return
    from joblib import Parallel, delayed

    yield from Parallel(n_jobs=jobs, return_as="generator")(delayed(verdict)(subject) for subject in chosen)


def verdict(subject: Subject) -> Verdict:
    """Test one."""
    from .problems.families import FAMILIES, check_family
    from .problems.selftest import check

    if subject.missing:
        return Verdict(subject, "SKIP", [f"needs {', '.join(subject.missing)}"])
    with threadpool_limits(1):  # as in a race: the matrices are small
        if subject.kind == "family":
            (family,) = [one for one in FAMILIES if one.name == subject.name]
            defects = check_family(family)
        else:
            defects = check(get_problem(subject.name))
    return Verdict(subject, "FAIL" if defects else "PASS", defects)
