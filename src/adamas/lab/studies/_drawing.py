"""What the studies' figures share: curves with labels, paths over contours, bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..style import COLOURS, INK, looks, plain_log
from ..surfaces import Surface

SURFACE_TITLES = {
    "t0-bowl": "mild bowl x²/20 + y²",
    "quadratic": "ill-conditioned bowl (x² + 100 y²)/2",
    "rosenbrock": "Rosenbrock's valley",
    "digits-softmax": "digits, softmax",
    "digits-mlp": "digits, one hidden layer",
}


def curves(
    axis: Any,
    lines: Mapping[str, tuple[Any, Any]],
    *,
    title: str,
    x: str,
    y: str,
    reference: str = "",
    log: str = "",
    marker: str = "",
    above: str = "",
) -> None:
    """Draw lines with a legend.

    Args:
        axis: A matplotlib axes.
        lines: By label, x and y values.
        title: Of the axes.
        x, y: What the axes show, with units.
        reference: The label drawn as a thick dark line; none by default.
        log: "x", "y" or "xy": the logarithmic axes.
        marker: Matplotlib's marker at every value.
        above: The label drawn above all others: one that would vanish under a line of the same values.
    """
    styles = looks([*lines, *([] if reference in lines else [reference])], reference)
    if above:
        styles[above].update(zorder=3.5, linestyle=(0, (3, 3)))
    for label, (xs, ys) in lines.items():
        axis.plot(xs, ys, label=label, marker=marker, markersize=4, **styles[label])
    if "x" in log:
        axis.set_xscale("log")
    if "y" in log:
        axis.set_yscale("log")
        plain_log(axis.yaxis)
    axis.set(title=title, xlabel=x, ylabel=y)
    axis.legend(loc="best")


def paths(axis: Any, surface: Surface, lines: Mapping[str, Any], *, title: str, reference: str = "") -> None:
    """Draw paths, arrays of shape (points, 2), over the contours of a surface."""
    from ..paths import contours  # it loads the whole laboratory, which a study that draws no path does without

    contours(axis, surface)
    styles = looks([*lines, *([] if reference in lines else [reference])], reference)
    for label, path in lines.items():
        axis.plot(path[:, 0], path[:, 1], label=label, marker=".", markersize=3.5, **styles[label])
    axis.plot(*surface.start, marker="s", color=INK, linestyle="none", label="start")
    axis.set_title(title)
    axis.legend(loc="best")


def bars(axis: Any, labels: Sequence[str], values: Sequence[float], *, title: str, x: str, log: bool = False) -> None:
    """Draw horizontal bars, the first at the top, each with its value beside it."""
    drawn = axis.barh(range(len(labels)), values, color=COLOURS[0])
    axis.set_yticks(range(len(labels)), labels)
    axis.invert_yaxis()
    axis.bar_label(drawn, labels=[f"{value:.3g}" for value in values], padding=3)
    if log:
        axis.set_xscale("log")
    axis.margins(x=0.15)
    axis.grid(visible=False, axis="y")
    axis.set_axisbelow(True)
    axis.set(title=title, xlabel=x)
