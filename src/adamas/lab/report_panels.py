"""Panels of a chart side by side, and the few kinds of traces that the charts of a page are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .style import DASHES, GRID, INK, Look

PLOTLY_DASHES = ("solid", "dash", "dot", "dashdot")  # in the order of style.DASHES
SYMBOLS = ("circle", "square", "triangle-up", "cross", "star", "triangle-down", "hexagon", "pentagon")
GAP = 0.07  # between panels, as a share of the width
DIGITS = 5


class Panels:
    """One chart with one panel or several that share their axes' titles.

    Args:
        key: Identifier in the page.
        title: What the chart shows, for readers of the screen and of the page.
        names: Heading of each panel; one empty heading for a chart without panels.
    """

    def __init__(self, key: str, title: str, names: list[str]) -> None:
        self.key = key
        self.title = title
        self.names = names
        self.height = 400
        self._traces: list[dict[str, Any]] = []
        self._named: set[str] = set()
        self._layout: dict[str, Any] = {"shapes": []}

    def add(self, place: int, trace: dict[str, Any]) -> None:
        """Draw a trace in the panel of that number; every optimizer stands in the legend once."""
        number = "" if place == 0 else str(place + 1)
        trace = {**trace, "xaxis": f"x{number}", "yaxis": f"y{number}"}
        label = trace.get("name")
        if label is not None and "line" in trace:
            trace["showlegend"] = label not in self._named
            self._named.add(label)
        self._traces.append(trace)

    def vertical(self, place: int, x: float) -> None:
        """A vertical line through a panel."""
        number = "" if place == 0 else str(place + 1)
        ends = {"x0": x, "x1": x, "xref": f"x{number}", "y0": 0, "y1": 1, "yref": f"y{number} domain"}
        self._layout["shapes"].append({"type": "line", "line": {"color": INK, "width": 1}, **ends})

    def axes(self, x: dict[str, Any], y: dict[str, Any]) -> None:
        """The same axes for every panel; only the first one names y. `title` is text, the rest Plotly's layout."""
        width = (1 - GAP * (len(self.names) - 1)) / len(self.names)
        headings = []
        for place, name in enumerate(self.names):
            number = "" if place == 0 else str(place + 1)
            begin = place * (width + GAP)
            self._layout[f"xaxis{number}"] = _axis(x) | {"domain": [begin, begin + width], "anchor": f"y{number}"}
            upright = _axis(y if place == 0 else y | {"title": ""}) | {"anchor": f"x{number}"}
            self._layout[f"yaxis{number}"] = upright | ({} if place == 0 else {"matches": "y", "showticklabels": False})
            headings.append({"text": name, "x": begin + width / 2, "y": 1.02, "xref": "paper", "yref": "paper"})
        self._layout["annotations"] = [
            heading | {"showarrow": False, "yanchor": "bottom"} for heading in headings if heading["text"]
        ]

    def chart(self, caption: str) -> dict[str, Any]:
        """Everything that the page needs of it."""
        return {
            "key": self.key,
            "title": self.title,
            "caption": caption,
            "traces": self._traces,
            "layout": self._layout | {"height": self.height},
        }


def _axis(given: dict[str, Any]) -> dict[str, Any]:
    axis = {
        **given,
        "title": {"text": given["title"], "font": {"size": 13}},
        "gridcolor": GRID,
        "zeroline": False,
        "automargin": True,
    }
    if axis.get("type") == "log":
        axis = {"exponentformat": "e", **_ticks(axis.get("range")), **axis}
    return axis


def _ticks(ends: list[float] | None) -> dict[str, Any]:
    """Ticks of a logarithmic axis: at 1, 2, 5 if it is short, every few decades if it is long, else Plotly's choice."""
    whole = {"tickformat": "~g"}  # without a format, 0.2 is labelled as just "2"
    if ends is None:
        return whole | {"nticks": 3}
    span = ends[1] - ends[0]
    return whole | {"dtick": "D2"} if span <= 2 else {"dtick": math.ceil(span / 8)}


def line(
    label: str, look: Look, x: Iterable[float], y: Iterable[float], *, markers: bool = False, shape: str = "linear"
) -> dict[str, Any]:
    """The curve of an optimizer: its colour and dashes, with markers where there are few points."""
    how = look[label]
    trace = {
        "x": rounded(x),
        "y": rounded(y),
        "name": label,
        "legendgroup": label,
        "mode": "lines+markers" if markers else "lines",
        "line": {
            "color": how["color"],
            "dash": PLOTLY_DASHES[DASHES.index(how["linestyle"])],
            "width": how.get("linewidth", 1.6),
            "shape": shape,
        },
    }
    if markers:
        trace["marker"] = {"symbol": SYMBOLS[list(look).index(label) % len(SYMBOLS)], "size": 6}
    return trace


def points_kept(values: Any, most: int) -> list[int]:
    """Indices of at most about `most` values that keep every extreme: lowest and highest of each bucket.

    Nothing is averaged, so that no spike is hidden. The first and the last value always stay.
    """
    count = len(values)
    if count <= most:
        return list(range(count))
    kept = {0, count - 1}
    for bucket in np.array_split(np.arange(count), max(1, most // 2)):
        kept |= {int(bucket[np.argmin(values[bucket])]), int(bucket[np.argmax(values[bucket])])}
    return sorted(kept)


def log_range(low: float, high: float) -> list[float]:
    """Ends of a logarithmic axis as Plotly wants them, with a little room below."""
    return [math.log10(low) - 0.02 * math.log10(high / low), math.log10(high)]


def rounded(values: Iterable[float]) -> list[float | int]:
    """Five significant digits, enough for a screen; whole numbers stay short."""
    result: list[float | int] = []
    for value in values:
        short = float(f"{value:.{DIGITS}g}")
        result.append(int(short) if short.is_integer() and abs(short) < 1e15 else short)
    return result
