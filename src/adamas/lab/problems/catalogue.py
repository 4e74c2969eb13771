"""All problems by name."""

from __future__ import annotations

from ..errors import InputError
from .adversarial import adversarial
from .base import Problem
from .bowls import bowls
from .changing import changing
from .digits_problem import digits_problems
from .expectations import EXPECTATIONS
from .files import PREFIXES, is_file, open_file
from .image import image
from .noisy import noisy
from .surface_problem import surface_problems
from .tabular import tabular
from .text import text
from .torch_problem import torch_problems
from .valleys import valleys

DEFAULT_PROBLEMS = ("digits-softmax", "digits-mlp")


def registry() -> dict[str, Problem]:
    """All problems by name, in the order in which they are listed; fresh instances, data are read on first use."""
    themes = (
        digits_problems, surface_problems, bowls, valleys, noisy, changing, adversarial, tabular, text, image,
        torch_problems,
    )  # fmt: skip
    problems = [problem for theme in themes for problem in theme()]
    for problem in problems:
        problem.passes, problem.fails = EXPECTATIONS.get(problem.name, ((), ()))
    return {problem.name: problem for problem in problems}


def get_problem(name: str) -> Problem:
    """The problem of that name, or the one that a user's file holds (`file:PATH`, `ratings:PATH`).

    Raises:
        InputError: There is none (the text lists the names), it needs a library that is not installed, or the file
            cannot be used.
    """
    if is_file(name):
        return open_file(name)
    known = registry()
    try:
        problem = known[name.lower()]
    except KeyError:
        raise InputError(
            f"unknown problem {name!r}; choose from: {', '.join(known)}, or a file of yours: "
            f"{', '.join(prefix + 'PATH' for prefix in PREFIXES)}"
        ) from None
    if problem.missing():
        missing = ", ".join(problem.missing())
        raise InputError(f"problem {problem.name!r} needs {missing}; install with: pip install {missing}")
    return problem
