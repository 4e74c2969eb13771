"""adamas problems"""

from __future__ import annotations

from typing import Any

import click

from .errors import InputError, LabError
from .options import exits, jobs_option, json_option, print_json
from .problems import Problem, get_problem, registry
from .problems_check import subjects, verdicts
from .progress import Progress
from .table import print_lines, print_table

HEADER = ("problem", "parameters", "noise", "targets", "tags", "source")
EXAMPLES = """\b
Examples:
  adamas problems
  adamas problems rosenbrock
  adamas problems --check --jobs 2
  adamas problems t0-bowl --check --json
"""


@click.command(epilog=EXAMPLES)
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--check", is_flag=True, help="Test the problem, or all of them and their families: PASS or FAIL each.")
@jobs_option
@json_option
@exits
def problems(name: str | None, check: bool, jobs: int, as_json: bool) -> None:
    """What optimizers are raced on: a list, or all about one problem.

    NAME may also be a file of yours: file:PATH.csv (the last column is predicted), file:PATH.csv:COLUMN,
    file:PATH.npz (arrays x and y), file:PATH-images-idx3-ubyte (MNIST), ratings:PATH.csv (user, item, rating).

    --check tests gradients, starts, optima and expected passes and fails; all of them take about three minutes on one
    core. --jobs N shares the work among processes.

    Exit code: 0 done, 1 a defect was found, 2 wrong usage.
    """
    if jobs != 1 and not check:
        raise InputError(f"--jobs {jobs} shares out the tests; give it with --check")
    if check:
        _check(name, jobs, as_json=as_json)
    elif name is None:
        _list(as_json=as_json)
    else:
        _detail(get_problem(name), as_json=as_json)


def facts(problem: Problem) -> dict[str, Any]:
    """All about a problem in plain values; the number of parameters is None if a library is missing."""
    return {
        "name": problem.name,
        "title": problem.title,
        "parameters": None if problem.missing() else problem.dimension,
        "noise": problem.noise,
        "noise_free": problem.noise_free,
        "loss": problem.loss_name,
        "targets": list(problem.targets),
        "steps": problem.steps,
        "minimum": 0.0 if problem.best_known is None else None,
        "best_known": problem.best_known,
        "tags": list(problem.tags),
        "source": problem.source,
        "must_pass": [str(expected) for expected in problem.passes],
        "must_fail": [str(expected) for expected in problem.fails],
        "missing": problem.missing(),
    }


def _list(*, as_json: bool) -> None:
    found = [facts(problem) for problem in registry().values()]
    if as_json:
        print_json(found)
        return
    rows = [
        [
            one["name"],
            "needs " + ", ".join(one["missing"]) if one["missing"] else str(one["parameters"]),
            one["noise"],
            " ".join(f"{target:g}" for target in one["targets"]),
            ", ".join(one["tags"]),
            one["source"],
        ]
        for one in found
    ]
    print_table("", HEADER, rows, left=(0, 2, 3, 4, 5))
    print_lines(["", f"{len(rows)} problems. Targets are measured above the minimum, on networks from zero."])


def _detail(problem: Problem, *, as_json: bool) -> None:
    found = facts(problem)
    if as_json:
        print_json(found)
        return
    if problem.best_known is None:
        lowest = "0, known" + (f" (the loss is lowered by {problem.subtracted:.8g})" if problem.subtracted else "")
    else:
        lowest = f"not known; the best validation loss seen is no lower than {problem.best_known:g}"
    start = problem.evaluate(problem.start(0))
    optimum = problem.optimum()
    rows = [
        ["parameters", f"{found['parameters']}"],
        ["noise", problem.noise],
        ["loss", problem.loss_name],
        ["minimum", lowest],
        ["loss at the start", f"{start.valid:.6g} (seed 0)"],
        ["targets", " ".join(f"{target:g}" for target in problem.targets)],
        ["steps", f"{problem.steps}, evaluated every {problem.evaluate_every}"],
        ["tags", ", ".join(problem.tags)],
        ["source", problem.source],
        *(["must pass", text] for text in found["must_pass"]),
        *(["must fail", text] for text in found["must_fail"]),
    ]
    if optimum is not None and found["parameters"] <= 20:
        place = " ".join(f"{value:.6g}" for array in optimum.values() for value in array.ravel())
        rows.insert(4, ["optimum", place])
    print_table(problem.title, ["", ""], rows, left=(0, 1))


def _check(name: str | None, jobs: int, *, as_json: bool) -> None:
    chosen = subjects(name)
    found = []
    with Progress(len(chosen), "adamas problems") as progress:
        for one in verdicts(chosen, jobs):
            found.append(one)
            if not as_json:
                label = one.subject.name if one.subject.kind == "problem" else f"family {one.subject.name}"
                print_lines([f"{one.verdict:4}  {label}", *(f"        {defect}" for defect in one.defects)])
            progress.advance(one.subject.name)
    if as_json:
        print_json(
            [
                {"kind": v.subject.kind, "name": v.subject.name, "verdict": v.verdict, "defects": v.defects}
                for v in found
            ]
        )
    failed = [one.subject.name for one in found if one.verdict == "FAIL"]
    if failed:
        raise LabError(f"{len(failed)} of {len(found)} have defects: {', '.join(failed)}")
