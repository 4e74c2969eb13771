"""Paths over the contours of a surface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .i18n import ENGLISH, Texts
from .records import Run
from .style import GRID, INK, canvas, style
from .surfaces import Surface, get_surface


def contours(axis: Any, surface: Surface) -> None:
    """Contour lines, evenly spaced in the logarithm of f, and the optimum as a star."""
    (x0, x1), (y0, y1) = surface.window
    grid = np.stack(np.meshgrid(np.linspace(x0, x1, 241), np.linspace(y0, y1, 241)))
    values = surface.value(grid)
    levels = np.geomspace(values.max() * 1e-4, values.max(), 13)
    axis.contour(grid[0], grid[1], values, levels=levels, colors=GRID, linewidths=0.8)
    axis.plot(
        *surface.optimum,
        marker="*",
        color="#ddaa00",
        markersize=13,
        markeredgecolor=INK,
        markeredgewidth=0.6,
        linestyle="none",
        zorder=5,
    )
    axis.set_xlim(x0, x1)
    axis.set_ylim(y0, y1)
    axis.set_xlabel("x")
    axis.set_ylabel("y")
    axis.grid(visible=False)


def race_paths(
    name: str,
    runs: Sequence[Run],
    look: dict[str, dict[str, Any]],
    columns: Sequence[str] = ("default", "tuned"),
    text: Texts = ENGLISH,
) -> Any:
    """One panel per column; the path of the first seed of every optimizer."""
    surface = get_surface(name)
    with style(text.lang):
        figure, axes = canvas(9.2, 4.6, 1, len(columns), sharey=True)
        figure.suptitle(f"{surface.name}: {surface.formula}")
        for axis, column in zip(axes[0], columns, strict=True):
            axis.set_title(text.column(column))
            contours(axis, surface)
            for run in runs:
                if run.trial.path is not None and column in run.heading.columns:
                    x, y = np.array(run.trial.path).T
                    label = run.heading.optimizer
                    axis.plot(x, y, label=label, **{**look[label], "linewidth": 1.3})
        for axis in axes[0, 1:]:
            axis.set_ylabel("")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=8, handlelength=2.3, columnspacing=1.4)
    return figure


def path_figure(surface: Surface, path: Any, title: str) -> Any:
    """One path with its start (square), its end (circle) and the optimum (star)."""
    x, y = np.asarray(path, np.float64).T
    with style():
        figure, axes = canvas(7.0, 5.0)
        axis = axes[0, 0]
        axis.set_title(title)
        contours(axis, surface)
        many = len(x) > 200
        axis.plot(x, y, color="#4477aa", linewidth=1.4, marker=None if many else ".", markersize=4, label="path")
        axis.plot(x[0], y[0], marker="s", color=INK, linestyle="none", label="start")
        axis.plot(x[-1], y[-1], marker="o", color="#ee6677", linestyle="none", label="end", zorder=6)
        axis.legend(loc="best")
    return figure
