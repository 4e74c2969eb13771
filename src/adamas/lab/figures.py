"""Figures of a race, from its runs and its summary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .cells import HEADINGS
from .records import Run
from .statistics import quantile, steps_to_target
from .style import GRID, INK, canvas, looks, plain_log, save, style
from .summary import COLUMNS

Look = dict[str, dict[str, Any]]


def draw_all(runs: Sequence[Run], summary: dict[str, Any], folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Draw every figure of every problem as PNG and SVG.

    Returns:
        By problem, (file name without ending, caption).
    """
    drawn: dict[str, list[tuple[str, str]]] = {}
    for name, problem in summary["problems"].items():
        own = [run for run in runs if run.heading.problem == name]
        look = looks(list(summary["facts"]), summary["reference"])
        figures = {
            "loss": (
                _losses(own, problem, look),
                "Median over the seeds; the band holds the middle half of them.",
            ),
            "ecdf": (
                _ecdf(own, problem, look),
                "Share of all pairs (target, seed) reached within so many steps; "
                "targets: " + ", ".join(f"{t:g}" for t in problem["targets"]) + ".",
            ),
            "sensitivity": (
                _sensitivity(problem, look),
                "The tuning trials: median over the tuning seeds. A diamond marks the published default, "
                "a ring the chosen rate, a cross at the upper edge a run that diverged.",
            ),
        }
        if len(look) > 1:
            figures["against"] = (
                _against(problem, look, summary["reference"]),
                f"Ratio of the final {_loss(problem)} to that of {summary['reference']}, paired by seed; "
                "left of 1 is better. Bars are 95 % bootstrap intervals; "
                "hollow points are not distinguishable.",
            )
        if problem["surface"]:
            from .paths import race_paths

            figures["paths"] = (race_paths(name, own, look), "Paths of the first seed over the contours.")
        drawn[name] = []
        for kind, (figure, caption) in figures.items():
            save(figure, folder / f"{name}-{kind}")
            drawn[name].append((f"{name}-{kind}", caption))
    return drawn


def _loss(problem: dict[str, Any]) -> str:
    return str(problem["loss_name"]) if problem["surface"] else "validation loss"


def _panels(rows: int, height: float) -> tuple[Any, Any]:
    figure, axes = canvas(9.2, height, rows, 2, sharex=True, sharey="row")
    for axis, column in zip(axes[0], COLUMNS, strict=True):
        axis.set_title(HEADINGS[column])
    return figure, axes


def _legend(figure: Any, axis: Any, count: int) -> None:
    handles, labels = axis.get_legend_handles_labels()
    rows = -(-count // 8)
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=-(-count // rows),
        handlelength=2.3,
        columnspacing=1.4,
    )


def _losses(runs: Sequence[Run], problem: dict[str, Any], look: Look) -> Any:
    metrics = ("valid",) if problem["surface"] else ("train", "valid")
    with style():
        figure, axes = _panels(len(metrics), 2.0 + 2.3 * len(metrics))
        figure.suptitle(f"{problem['title']}, {problem['seeds']} seeds")
        for row, metric in zip(axes, metrics, strict=True):
            for axis, column in zip(row, COLUMNS, strict=True):
                for label, how in look.items():
                    _band(axis, [r for r in runs if _belongs(r, label, column)], metric, label, how)
                axis.set_yscale("log")
            row[0].set_ylim(top=_ceiling(problem["start_loss"]))  # after both panels: it ends autoscaling
            plain_log(row[0].yaxis)
            names = {"train": "training loss", "valid": _loss(problem)}
            row[0].set_ylabel(f"{names[metric]}" + ("" if problem["surface"] else f" ({problem['loss_name']})"))
        if problem["surface"]:
            axes[0][0].set_ylim(bottom=problem.get("floor", 0.0))
        for axis in axes[-1]:
            axis.set_xlabel("step")
        _legend(figure, axes[0][0], len(look))
    return figure


def _belongs(run: Run, label: str, column: str) -> bool:
    return run.heading.optimizer == label and column in run.heading.columns


def _ceiling(start: float) -> float:
    return start * 2


def _band(axis: Any, runs: Sequence[Run], metric: str, label: str, how: dict[str, Any]) -> None:
    """Median and quartiles; a run that ended early counts as infinitely bad from there on."""
    if not runs:
        return
    steps = max((run.trial.steps for run in runs), key=len)
    losses = [list(getattr(run.trial, metric)) for run in runs]
    rows = np.array([loss + [math.inf] * (len(steps) - len(loss)) for loss in losses])
    rows = np.where(np.isfinite(rows), rows, math.inf)
    low, middle, high = (np.array([quantile(column, q) for column in rows.T]) for q in (0.25, 0.5, 0.75))
    top = 1e30  # matplotlib drops infinities; far above the axis is what they mean
    axis.plot(steps, np.minimum(middle, top), label=label, **how)
    axis.fill_between(steps, np.minimum(low, top), np.minimum(high, top), color=how["color"], alpha=0.15, linewidth=0)


def _ecdf(runs: Sequence[Run], problem: dict[str, Any], look: Look) -> Any:
    with style():
        figure, axes = _panels(1, 3.6)
        figure.suptitle(f"{problem['title']}: targets reached")
        for axis, column in zip(axes[0], COLUMNS, strict=True):
            for label, how in look.items():
                own = [r for r in runs if _belongs(r, label, column)]
                if not own:
                    continue
                found = sorted(
                    steps_to_target(r.trial.steps, r.trial.valid, t) for r in own for t in problem["targets"]
                )
                reached = [max(1.0, s) for s in found if math.isfinite(s)]
                shares = [0.0, *((i + 1) / len(found) for i in range(len(reached)))]
                end = shares[-1]
                axis.step([1, *reached, problem["steps"]], [*shares, end], where="post", label=label, **how)
            axis.set_xscale("log")
            axis.set_xlim(1, max(2, problem["steps"]))
            plain_log(axis.xaxis)
            axis.set_ylim(0, 1.02)
            axis.set_xlabel("step")
        axes[0][0].set_ylabel("share of (target, seed) pairs reached")
        _legend(figure, axes[0][0], len(look))
    return figure


def _sensitivity(problem: dict[str, Any], look: Look) -> Any:
    with style():
        figure, axes = canvas(9.2, 4.0)
        axis = axes[0, 0]
        axis.set_title(f"{problem['title']}: sensitivity to the learning rate")
        top = _ceiling(problem["start_loss"])
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
        if problem["surface"]:
            axis.set_ylim(bottom=bottom / 2)
        plain_log(axis.xaxis)
        plain_log(axis.yaxis)
        axis.set_xlabel("learning rate")
        axis.set_ylabel(f"final {_loss(problem)}")
        _legend(figure, axis, len(look))
    return figure


def _against(problem: dict[str, Any], look: Look, reference: str) -> Any:
    others = [label for label in look if label != reference]
    with style():
        figure, axes = canvas(9.2, 1.5 + 0.3 * len(others), 1, 2, sharex=True, sharey=True)
        figure.suptitle(f"{problem['title']}: final {_loss(problem)} / {reference}'s")
        for axis, column in zip(axes[0], COLUMNS, strict=True):
            axis.set_title(HEADINGS[column])
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
            axis.set_xlabel("ratio (log scale)")
    return figure
