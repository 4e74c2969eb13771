"""Running studies: the verdict of one, with its figure, whatever happens in it."""

from __future__ import annotations

import base64
import importlib
import io
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, LabError
from . import get_study, names
from ._declare import Draw, Outcome, Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PASS, FAIL, SKIPPED, ERROR = VERDICTS = ("PASS", "FAIL", "SKIPPED", "ERROR")
_WIDTH, _HEIGHT = 9.2, 4.2  # inches; a study may change them in `draw`


@dataclass(frozen=True)
class StudyResult:
    """A study that was run.

    Attributes:
        study: what was put to the test.
        verdict: "PASS" or "FAIL" by the study's criterion; "SKIPPED" where a module is missing; "ERROR" if it crashed.
        numbers: all that the verdict rests on, by name; empty if it was skipped or crashed.
        finding: what was seen, with figures; else the reason.
        seconds: how long it took.
        draw: draws the figure; None if there is none.
    """

    study: Study
    verdict: str
    numbers: dict[str, Any]
    finding: str
    seconds: float
    draw: Draw | None = None

    @property
    def name(self) -> str:
        return self.study.name

    def figure(self) -> Figure:
        """The study's figure, drawn anew.

        Raises:
            LabError: it was skipped or crashed.
        """
        from matplotlib.figure import Figure

        from ..style import style

        if self.draw is None:
            raise LabError(f"study {self.name}: no figure, verdict {self.verdict} ({self.finding})")
        with style():
            figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
            self.draw(figure)
        return figure

    def to_dict(self) -> dict[str, Any]:
        """Everything but the figure, for JSON."""
        stated = {key: getattr(self.study, key) for key in ("name", "claim", "source", "criterion")}
        return {
            **stated,
            "verdict": self.verdict,
            "finding": self.finding,
            "numbers": self.numbers,
            "seconds": round(self.seconds, 3),
        }

    def __repr__(self) -> str:
        return f"<study {self.name}: {self.verdict}. {self.finding}>"

    def _repr_html_(self) -> str:
        """A card for notebooks: verdict, claim, criterion, finding, numbers, figure."""
        rows = "".join(
            f"<tr><td style='text-align:left'>{escape(name)}</td><td style='text-align:left'>{escape(text)}</td></tr>"
            for name, text in numbers_as_text(self.numbers)
        )
        picture = f'<img alt="{escape(self.study.claim)}" src="{self._picture()}">' if self.draw else ""
        stated = self.study
        return (
            f"<h4>{escape(self.name)}: {self.verdict}</h4>"
            f"<p><b>Claim</b> ({escape(stated.source)}): {escape(stated.claim)}<br>"
            f"<b>Criterion</b>: {escape(stated.criterion)}<br><b>Finding</b>: {escape(self.finding)}</p>"
            f"{picture}<details><summary>Numbers</summary><table>{rows}</table></details>"
        )

    def _picture(self) -> str:
        buffer = io.BytesIO()
        self.figure().savefig(buffer, format="png", dpi=100)
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def run_study(name: str) -> StudyResult:
    """Put one claim to the test.

    Args:
        name: as `adamas study --list` shows it, e.g. "bias-correction".

    Returns:
        The verdict, with `.numbers`, `.finding`, `.figure()`; in a notebook it shows itself.

    Raises:
        InputError: there is no such study.
    """
    (name,) = chosen([name])
    began = time.perf_counter()
    study = Study(name, "", "", "", _never)
    try:
        study = get_study(name)
        if missing := study.missing():
            reason = f"needs {', '.join(missing)}, not installed"
            return StudyResult(study, SKIPPED, {}, reason, 0.0)
        outcome = _on_one_thread(study)
    except Exception as error:  # a crash of one study must not cost the others
        return StudyResult(study, ERROR, {}, _reason(error), time.perf_counter() - began)
    verdict = PASS if outcome.passed else FAIL
    seconds = time.perf_counter() - began
    return StudyResult(study, verdict, outcome.numbers, outcome.finding, seconds, outcome.draw)


def _on_one_thread(study: Study) -> Outcome:
    """Run it with one BLAS thread: sums then do not depend on the number of cores.

    Only libraries that are loaded can be limited, so what the study needs is imported first.
    """
    from threadpoolctl import threadpool_limits

    for module in study.needs:
        importlib.import_module(module)
    with threadpool_limits(1):
        return study.run()


def with_picture(result: StudyResult, path: Path) -> StudyResult:
    """Save the figure, if there is one, as PATH.png and PATH.svg; a figure that cannot be drawn is a crash too."""
    from ..style import save

    if result.draw is None:
        return result
    try:
        save(result.figure(), path)
    except Exception as error:  # as above
        return replace(result, verdict=ERROR, finding=f"the figure: {_reason(error)}", draw=None)
    return result


def chosen(wanted: Sequence[str]) -> list[str]:
    """Names of studies for "all" or several names, each once, in the order given.

    Raises:
        InputError: one is unknown.
    """
    known = names()
    result: list[str] = []
    for name in wanted:
        found = known if name.lower() == "all" else [name.lower()]
        if unknown := [one for one in found if one not in known]:
            raise InputError(f"unknown study {unknown[0]!r}; choose from: all, {', '.join(known)}")
        result += [one for one in found if one not in result]
    return result


def numbers_as_text(numbers: dict[str, Any]) -> list[tuple[str, str]]:
    """Names in words, and values in short: long lists by their first entries."""
    return [(name.replace("_", " "), _short(value)) for name, value in numbers.items()]


def _short(value: Any) -> str:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_short(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        shown = ", ".join(_short(item) for item in value[:8])
        return shown + (f", ... ({len(value)} in all)" if len(value) > 8 else "")
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _reason(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno})"


def _never() -> Outcome:
    raise AssertionError("a study that could not be loaded has nothing to run")
