"""One look for all figures: colours that colour-blind readers tell apart, PNG and SVG, light and dark."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

INK = "#1f2328"
GRID = "#d0d4da"
PAPER = "#fefefe"
# Tol's "bright" scheme without grey, then with other dashes; the reference is drawn in ink
COLOURS = ("#4477aa", "#ee6677", "#228833", "#bfa100", "#33a9cc", "#aa3377", "#e0772b", "#7a7fd0")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.2, 1.5)))
_RC: Any = {
    "axes.edgecolor": INK,
    "axes.facecolor": PAPER,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "axes.titlecolor": INK,
    "figure.dpi": 100,
    "figure.facecolor": PAPER,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "savefig.dpi": 150,
    "svg.fonttype": "path",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


@contextmanager
def style(lang: str = "en") -> Iterator[None]:
    """Our look; the user's own matplotlib settings come back afterwards.

    Args:
        lang: "en", or "zh" for a Chinese font beside ours (`report_fonts.figure_language` says whether there is one).
    """
    with mpl.rc_context():
        plain: Any = {k: v for k, v in mpl.rcParamsDefault.items() if k != "backend"}
        mpl.rcParams.update(plain)
        mpl.rcParams.update(_RC)
        if lang == "zh":
            from .report_fonts import chinese_font

            mpl.rcParams["font.family"] = [_RC["font.family"], *filter(None, [chinese_font()])]
        yield


Look = dict[str, dict[str, Any]]


def canvas(width: float, height: float, rows: int = 1, columns: int = 1, **share: Any) -> tuple[Figure, Any]:
    """A figure (inches) and its axes, shape (rows, columns); no window, no global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **share)


def looks(labels: Sequence[str], reference: str) -> Look:
    """Colour, dashes and width by label; the reference is the thick line in the colour of the text."""
    result: Look = {}
    others = [label for label in labels if label != reference]
    for i, label in enumerate(others):
        result[label] = {
            "color": COLOURS[i % len(COLOURS)],
            "linestyle": DASHES[(i + i // len(COLOURS)) % len(DASHES)],
            "zorder": 2.5,
        }
    result[reference] = {"color": INK, "linestyle": "-", "linewidth": 2.2, "zorder": 3}
    return {label: result[label] for label in labels}


def legend(figure: Figure, axis: Any, count: int) -> None:
    """One legend below all panels, in rows of equal length of at most eight."""
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


class _PlainLog(LogFormatter):
    """Ticks of a logarithmic axis as 0.1, 2, 50 or 1e-05, at 1-2-5 when the axis spans few decades."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        assert self.axis is not None
        low, high = self.axis.get_view_interval()
        decades = math.log10(high / low)
        digit = round(x / 10 ** math.floor(math.log10(x) + 1e-9), 6)
        shown = {1.0} if decades > 2.5 else {1.0, 2.0, 5.0}
        return f"{x:g}" if digit in shown else ""


def plain_log(axis: Any) -> None:
    """Label a logarithmic axis (an axis.xaxis or axis.yaxis) with plain numbers."""
    axis.set_major_formatter(_PlainLog())
    axis.set_minor_formatter(_PlainLog())


def save(figure: Figure, path: Path) -> list[Path]:
    """Write PATH.png and PATH.svg; the same data give the same SVG bytes."""
    files = [path.with_name(path.name + ending) for ending in (".png", ".svg")]
    with mpl.rc_context({"svg.hashsalt": path.name}):
        # laid out once for both files: that takes most of the time
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        box = figure.get_tightbbox().padded(mpl.rcParams["savefig.pad_inches"])
        figure.savefig(files[0], bbox_inches=box)
        figure.savefig(files[1], bbox_inches=box, metadata={"Date": None, "Creator": None})
    return files


def inline_svg(path: Path, title: str) -> str:
    """An SVG of ours as an element for a page: its greys follow the page's colours, light or dark."""
    svg = path.read_text(encoding="utf-8")
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    for colour, name in ((INK, "ink"), (GRID, "grid"), (PAPER, "paper")):
        svg = svg.replace(colour, f"var(--{name})")
    prefix = re.sub(r"\W", "-", path.stem)  # ids are unique within a file only, and a page holds several
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", svg)
    svg = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{prefix}-\1"', svg)
    svg = re.sub(r'\s(width|height)="[^"]*pt"', "", svg, count=2)
    svg = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)
