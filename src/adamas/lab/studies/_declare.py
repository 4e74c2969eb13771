"""What a study is: a claim, its source, a run, numbers, and a verdict by a criterion that is stated beforehand."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[["Figure"], None]


@dataclass(frozen=True)
class Outcome:
    """What a study found.

    Attributes:
        numbers: all that the verdict rests on, and more: numbers, texts, bools and lists of them, by name.
        passed: whether the criterion holds.
        finding: one or two sentences with the figures that were seen, whatever the verdict.
        draw: draws the study's one figure into an empty matplotlib figure.
    """

    numbers: dict[str, Any]
    passed: bool
    finding: str
    draw: Draw


@dataclass(frozen=True)
class Study:
    """A claim that can be put to the test.

    Attributes:
        name: on the command line: the file's name with hyphens.
        claim: what somebody says, in a sentence.
        source: who says it.
        criterion: what must hold for PASS, with its numbers.
        run: does the experiment; takes nothing, the same numbers every time.
        needs: modules without which it is skipped; "scipy.sparse.linalg" where a submodule's libraries count.
    """

    name: str
    claim: str
    source: str
    criterion: str
    run: Callable[[], Outcome]
    needs: tuple[str, ...] = ()

    def missing(self) -> list[str]:
        """Packages that it needs and that are not installed."""
        packages = dict.fromkeys(module.partition(".")[0] for module in self.needs)
        return [package for package in packages if find_spec(package) is None]


def study(
    *, claim: str, source: str, criterion: str, needs: tuple[str, ...] = ()
) -> Callable[[Callable[[], Outcome]], Study]:
    """Make a study of a function in a file of its own; see `Study` for the arguments."""

    def make(run: Callable[[], Outcome]) -> Study:
        name = inspect.getmodulename(inspect.getfile(run))
        assert name is not None
        return Study(name.replace("_", "-"), claim, source, criterion, run, needs)

    return make
