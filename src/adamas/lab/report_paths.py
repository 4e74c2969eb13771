"""Paths over the contours of a problem of two coordinates, as a chart of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .cells import filled_columns
from .figures import belongs
from .i18n import Texts
from .records import Run
from .report_panels import Panels, line, points_kept, rounded
from .style import GRID, INK, Look

GRID_POINTS = 61
PATH_POINTS = 300


def paths_chart(
    name: str, problem: dict[str, Any], runs: Sequence[Run], look: Look, text: Texts, points: int = PATH_POINTS
) -> dict[str, Any]:
    """Path of the first seed of every optimizer, over contours where they are known.

    The contours are those of our surface of that name, or `contour` (x, y, z) in the facts of the problem:
    that is how another program gives its own. `points`: how many corners a path may about keep.
    """
    columns = filled_columns(problem)
    panels = Panels(f"{name}-paths", text("title.paths", title=problem["title"]), [text.column(c) for c in columns])
    window, contour, optimum = _background(name, problem)
    x_axis: dict[str, Any] = {"title": "x"}
    y_axis: dict[str, Any] = {"title": "y"}
    if window is not None:
        x_axis["range"], y_axis["range"] = map(list, window)
    for place, column in enumerate(columns):
        if contour is not None:
            panels.add(place, contour)
        for label in look:
            run = next((r for r in runs if belongs(r, label, column) and r.trial.path), None)
            if run is not None:
                panels.add(place, line(label, look, *_thin(np.array(run.trial.path, np.float64), window, points)))
        if optimum is not None:
            panels.add(place, _star(optimum, text))
    panels.axes(x_axis, y_axis)
    panels.height = 460
    return panels.chart(text("caption.paths"))


def _background(name: str, problem: dict[str, Any]) -> tuple[Any, dict[str, Any] | None, Any]:
    from .surfaces import SURFACES

    if "contour" in problem:
        given = problem["contour"]
        x, y, z = (np.array(given[k], np.float64) for k in ("x", "y", "z"))
        return ((x[0], x[-1]), (y[0], y[-1])), _contour(x, y, z), given.get("optimum")
    if name not in SURFACES:
        return None, None, None
    surface = SURFACES[name]
    x, y = (np.linspace(*ends, GRID_POINTS) for ends in surface.window)
    values = surface.value(np.stack(np.meshgrid(x, y)))
    return surface.window, _contour(x, y, values), surface.optimum


def _contour(x: Any, y: Any, values: Any) -> dict[str, Any]:
    """Lines evenly spaced in the logarithm of the height above the lowest value."""
    lowest = min(0.0, float(values.min()))
    height = np.log10(np.maximum(values - lowest, (values.max() - lowest) * 1e-6))
    top = float(height.max())
    return {
        "type": "contour",
        "x": rounded(x),
        "y": rounded(y),
        "z": [rounded(row) for row in np.round(height, 3)],
        "contours": {"coloring": "none", "start": top - 4, "end": top, "size": 1 / 3},
        "line": {"color": GRID, "width": 1},
        "showscale": False,
        "showlegend": False,
        "hoverinfo": "skip",
    }


def _star(optimum: Any, text: Texts) -> dict[str, Any]:
    x, y = optimum
    mark = {"symbol": "star", "size": 14, "color": "#ddaa00", "line": {"color": INK, "width": 1}}
    return {"x": [x], "y": [y], "mode": "markers", "marker": mark, "name": text("legend.optimum"), "showlegend": False}


def _thin(path: Any, window: Any, points: int) -> tuple[list[float], list[float]]:
    """Corners of the path kept in both coordinates; far outside the window it is cut, where nobody sees it."""
    path = path[np.isfinite(path).all(axis=1)]
    kept = sorted({*points_kept(path[:, 0], points), *points_kept(path[:, 1], points)})
    x, y = path[kept].T
    if window is not None:
        (x0, x1), (y0, y1) = window
        x = np.clip(x, x0 - 9 * (x1 - x0), x1 + 9 * (x1 - x0))
        y = np.clip(y, y0 - 9 * (y1 - y0), y1 + 9 * (y1 - y0))
    return x.tolist(), y.tolist()
