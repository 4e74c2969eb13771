"""Figures of a race, from its runs and its summary."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .cells import filled_columns
from .figures_curves import profile_figure, tuning_figure
from .filenames import file_stem
from .i18n import ENGLISH, Texts
from .records import Run
from .shown import drawn, drawn_overall
from .statistics import Floats, quantiles
from .style import GRID, INK, Look, canvas, legend, looks, plain_log, save, style


def draw_all(
    runs: Sequence[Run], summary: dict[str, Any], folder: Path, text: Texts = ENGLISH, *, each: bool = True
) -> list[str]:
    """Draw every figure of every problem, and those of the whole race, as PNG and SVG.

    Of many optimizers the best are drawn (see `shown`).

    Args:
        runs: All finished runs.
        summary: Of `summary.summarise`.
        folder: Exists.
        text: Language.
        each: Also the figures of each problem, not only those of the whole race.

    Returns:
        File names without ending.
    """
    labels, reference = list(summary["facts"]), summary["reference"]
    look = looks(labels, reference)
    groups = runs_of(runs)
    files = []
    for name, problem in summary["problems"].items() if each else ():
        some = {label: look[label] for label in drawn(problem, labels, reference)}
        for kind, figure in _problem_figures(name, problem, groups[name], some, reference, text):
            save(figure, folder / f"{file_stem(name)}-{kind}")
            files.append(f"{file_stem(name)}-{kind}")
    if any(summary["profiles"].values()):
        save(
            profile_figure(summary, {label: look[label] for label in drawn_overall(summary)}, text), folder / "profile"
        )
        files.append("profile")
    return files


def runs_of(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The runs by problem."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.heading.problem, []).append(run)
    return groups


def _problem_figures(
    name: str, problem: dict[str, Any], runs: Sequence[Run], look: Look, reference: str, text: Texts
) -> Iterator[tuple[str, Any]]:
    """Kind and figure, as far as the race has what they show."""
    yield "loss", _losses(runs, problem, look, text)
    yield "ecdf", _ecdf(problem, look, text)
    if problem["search"]:
        yield "sensitivity", _sensitivity(problem, look, text)
        yield "tuning", tuning_figure(problem, look, text)
    if len(look) > 1:
        yield "against", _against(problem, look, reference, text)
    if problem["surface"] and any(run.trial.path for run in runs):
        from .paths import race_paths
        from .surfaces import SURFACES

        if name in SURFACES:
            shown = [run for run in runs if run.heading.optimizer in look]
            yield "paths", race_paths(name, shown, look, filled_columns(problem), text)


def _panels(rows: int, height: float, columns: Sequence[str], text: Texts) -> tuple[Any, Any]:
    figure, axes = canvas(9.2, height, rows, len(columns), sharex=True, sharey="row")
    for axis, column in zip(axes[0], columns, strict=True):
        axis.set_title(text.column(column))
    return figure, axes


def _losses(runs: Sequence[Run], problem: dict[str, Any], look: Look, text: Texts) -> Any:
    metrics = ("valid",) if problem["surface"] else ("train", "valid")
    with style(text.lang):
        columns = filled_columns(problem)
        figure, axes = _panels(len(metrics), 2.0 + 2.3 * len(metrics), columns, text)
        figure.suptitle(text("title.loss", title=problem["title"], seeds=problem["seeds"]))
        for row, metric in zip(axes, metrics, strict=True):
            for axis, column in zip(row, columns, strict=True):
                for label, how in look.items():
                    _band(axis, [r for r in runs if belongs(r, label, column)], metric, label, how)
                axis.set_yscale("log")
            row[0].set_ylim(top=ceiling(problem["start_loss"]))  # after both panels: it ends autoscaling
            plain_log(row[0].yaxis)
            row[0].set_ylabel(loss_axis(problem, metric, text))
        if problem.get("floor"):
            axes[0][0].set_ylim(bottom=problem["floor"])
        for axis in axes[-1]:
            axis.set_xlabel(text("axis.step"))
        legend(figure, axes[0][0], len(look))
    return figure


def loss_axis(problem: dict[str, Any], metric: str, text: Texts) -> str:
    """Label of a loss axis ("train" or "valid") with what the problem calls its loss."""
    name = str(problem["loss_name"])
    if problem["surface"]:
        return name
    return f"{text(f'loss.{metric}')} ({name})"


def belongs(run: Run, label: str, column: str) -> bool:
    """Is it a reported run of this optimizer in this column?"""
    return run.heading.optimizer == label and column in run.heading.columns


def ceiling(start: float) -> float:
    """Upper end of the loss axes: worse than the start is all the same."""
    return start * 2


def _band(axis: Any, runs: Sequence[Run], metric: str, label: str, how: dict[str, Any]) -> None:
    """Median and quartiles; a run that ended early counts as infinitely bad from there on."""
    if not runs:
        return
    steps, low, middle, high = quartiles(runs, metric)
    top = 1e30  # matplotlib drops infinities; far above the axis is what they mean
    axis.plot(steps, np.minimum(middle, top), label=label, **how)
    axis.fill_between(steps, np.minimum(low, top), np.minimum(high, top), color=how["color"], alpha=0.15, linewidth=0)


def quartiles(runs: Sequence[Run], metric: str) -> tuple[list[int], Floats, Floats, Floats]:
    """Steps, lower quartile, median and upper quartile of "train" or "valid" over at least one run.

    A run that ended early counts as infinitely bad from there on.
    """
    steps = max((run.trial.steps for run in runs), key=len)
    rows = np.full((len(runs), len(steps)), np.inf)
    for row, run in zip(rows, runs, strict=True):
        losses = getattr(run.trial, metric)
        row[: len(losses)] = losses
    rows[~np.isfinite(rows)] = np.inf
    low, middle, high = quantiles(rows, (0.25, 0.5, 0.75))
    return steps, low, middle, high


def _ecdf(problem: dict[str, Any], look: Look, text: Texts) -> Any:
    with style(text.lang):
        figure, axes = _panels(1, 3.6, filled_columns(problem), text)
        figure.suptitle(text("title.ecdf", title=problem["title"]))
        for axis, column in zip(axes[0], filled_columns(problem), strict=True):
            found = problem["ecdf"][column]
            for label, how in look.items():
                if label in found:
                    axis.step(*stairs(found[label], problem["steps"]), where="post", label=label, **how)
            axis.set_xscale("log")
            axis.set_xlim(1, max(2, problem["steps"]))
            plain_log(axis.xaxis)
            axis.set_ylim(0, 1.02)
            axis.set_xlabel(text("axis.step"))
        axes[0][0].set_ylabel(text("axis.share"))
        legend(figure, axes[0][0], len(look))
    return figure


def stairs(found: dict[str, list[float]], budget: int) -> tuple[list[float], list[float]]:
    """Corners of an ECDF from step 1 to the budget; what is reached at the start is drawn at step 1."""
    end = found["share"][-1] if found["share"] else 0.0
    return [1, *(max(1.0, s) for s in found["steps"]), budget], [0.0, *found["share"], end]


def _sensitivity(problem: dict[str, Any], look: Look, text: Texts) -> Any:
    with style(text.lang):
        figure, axes = canvas(9.2, 4.0)
        axis = axes[0, 0]
        axis.set_title(text("title.sensitivity", title=problem["title"]))
        top = ceiling(problem["start_loss"])
        bottom = problem.get("floor", 0.0)
        for label, how in look.items():
            search = problem["search"].get(label)
            if search is None:
                continue
            trials = search["trials"]
            grid = trials[1:]
            shown = [min(max(t["valid_loss"], bottom), top) for t in grid]
            axis.plot([t["lr"] for t in grid], shown, label=label, **how)
            mark = {"color": how["color"], "linestyle": "none", "zorder": 4}
            lost = [t["lr"] for t in grid if not math.isfinite(t["valid_loss"])]
            axis.plot(lost, [top] * len(lost), marker="x", markersize=5, **mark)
            first = trials[0]
            axis.plot(first["lr"], min(max(first["valid_loss"], bottom), top), marker="D", markersize=5, **mark)
            chosen = trials[search["chosen_trial"]]
            axis.plot(
                chosen["lr"],
                min(max(chosen["valid_loss"], bottom), top),
                marker="o",
                markersize=10,
                markerfacecolor="none",
                markeredgewidth=1.4,
                **mark,
            )
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_ylim(top=top * 1.3)
        if bottom:
            axis.set_ylim(bottom=bottom / 2)
        plain_log(axis.xaxis)
        plain_log(axis.yaxis)
        axis.set_xlabel(text("axis.lr"))
        axis.set_ylabel(text("axis.final", loss=loss_axis(problem, "valid", text)))
        legend(figure, axis, len(look))
    return figure


def _against(problem: dict[str, Any], look: Look, reference: str, text: Texts) -> Any:
    others = [label for label in look if label != reference]
    columns = filled_columns(problem)
    with style(text.lang):
        figure, axes = canvas(9.2, 1.5 + 0.3 * len(others), 1, len(columns), sharex=True, sharey=True)
        loss = loss_axis(problem, "valid", text)
        figure.suptitle(text("title.against", title=problem["title"], loss=loss, reference=reference))
        for axis, column in zip(axes[0], columns, strict=True):
            axis.set_title(text.column(column))
            for row, label in enumerate(others):
                found = ((problem["columns"][column].get(label) or {}).get("against") or {}).get("valid_loss")
                if found is None:  # a race that was killed
                    continue
                centre, low, high = (min(max(found[k], 1e-9), 1e9) for k in ("centre", "low", "high"))
                colour = look[label]["color"]
                axis.plot([low, high], [row, row], color=colour, linewidth=2, solid_capstyle="butt")
                face = colour if found["distinguishable"] else "none"
                axis.plot(centre, row, marker="o", color=colour, markerfacecolor=face, markersize=7)
            axis.axvline(1, color=INK, linewidth=1)
            axis.set_xscale("log")
            plain_log(axis.xaxis)
            axis.set_yticks(range(len(others)), others)
            axis.set_ylim(len(others) - 0.5, -0.5)
            axis.grid(axis="y", color=GRID)
            axis.set_xlabel(text("axis.ratio"))
    return figure
