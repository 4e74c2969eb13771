"""Charts of the page as plain data for Plotly: traces, axes, description; drawn in the browser."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .cells import filled_columns
from .figures import belongs, ceiling, loss_axis, quartiles, stairs
from .figures_curves import profile_corners, shown_curve
from .i18n import Texts
from .probe import median_reading
from .profiles import WIDEST_RATIO
from .records import Run
from .report_panels import Panels, line, log_range, points_kept, rounded
from .shown import MOST_DRAWN, drawn, drawn_overall
from .style import Look

MOST_POINTS = 200
FEWEST_POINTS = 16
ALL_NUMBERS = 80_000  # numbers of all loss curves of a page together: keeps it below 6 MB


def points_per_curve(summary: dict[str, Any]) -> int:
    """Points that every loss curve may have so that a race of any size gives a page that opens."""
    lines = min(MOST_DRAWN, len(summary["facts"]))
    curves = (
        4
        * lines
        * sum(len(problem["columns"]) * (1 if problem["surface"] else 2) for problem in summary["problems"].values())
    )
    return max(FEWEST_POINTS, min(MOST_POINTS, ALL_NUMBERS // max(1, curves)))


def race_charts(summary: dict[str, Any], look: Look, text: Texts) -> list[dict[str, Any]]:
    """Performance profiles and ECDF over all problems."""
    look = {label: look[label] for label in drawn_overall(summary)}
    charts = []
    found = {column: profiles for column, profiles in summary["profiles"].items() if profiles}
    if found:
        panels = Panels("profile", text("title.profile"), [text.column(c) for c in found])
        for place, profiles in enumerate(found.values()):
            for label in look:
                if label in profiles["curves"]:
                    panels.add(place, line(label, look, *profile_corners(profiles["curves"][label]), shape="hv"))
        panels.axes(
            {"title": text("axis.profile"), "range": [1, WIDEST_RATIO]},
            {"title": text("axis.profile_share"), "range": [0, 1.04]},
        )
        labels = text.join(next(iter(found.values()))["reference_set"])
        charts.append(panels.chart(text("caption.profile", labels=labels)))
    shown = {column: by_label for column, by_label in summary["ecdf"].items() if by_label}
    panels = Panels("overall-ecdf", text("title.overall"), [text.column(c) for c in shown])
    first = min((s for by in shown.values() for f in by.values() for s in f["budget_share"] if s > 0), default=0.01)
    for place, by_label in enumerate(shown.values()):
        for label in look:
            if label in by_label:
                spent, shares = by_label[label]["budget_share"], by_label[label]["share"]
                end = shares[-1] if shares else 0.0
                x = [first / 2, *(max(s, first / 2) for s in spent), 1.0]
                panels.add(place, line(label, look, x, [0.0, *shares, end], shape="hv"))
    panels.axes(
        {"title": text("axis.budget"), "type": "log", "range": log_range(first / 2, 1.0)},
        {"title": text("axis.share_all"), "range": [0, 1.04]},
    )
    charts.append(panels.chart(text("caption.overall")))
    return charts


def problem_charts(
    name: str, problem: dict[str, Any], runs: Sequence[Run], summary: dict[str, Any], look: Look, text: Texts
) -> list[dict[str, Any]]:
    """All charts of one problem in the order of the page."""
    points = points_per_curve(summary)
    look = {label: look[label] for label in drawn(problem, list(look), summary["reference"])}
    charts = []
    if problem["surface"] and any(run.trial.path for run in runs):
        from .report_paths import paths_chart

        charts.append(paths_chart(name, problem, runs, look, text, points + points // 2))
    metrics = ("valid",) if problem["surface"] else ("train", "valid")
    charts += [_losses(name, problem, runs, metric, look, points, text) for metric in metrics]
    charts.append(_ecdf(name, problem, look, text))
    if len(look) > 1:
        charts.append(_against(name, problem, look, summary["reference"], text))
    if problem["search"]:
        charts += [_sensitivity(name, problem, look, text), _tuning(name, problem, look, text)]
    return charts


def reading_charts(
    name: str, problem: dict[str, Any], runs: Sequence[Run], summary: dict[str, Any], look: Look, text: Texts
) -> list[dict[str, Any]]:
    """Effective learning rate and RMS_t of one problem; none where the records hold no readings."""
    columns = filled_columns(problem)
    charts = []
    medians = {
        (column, label): median_reading([r.trial.readings for r in runs if belongs(r, label, column)])
        for column in columns
        for label in drawn(problem, list(look), summary["reference"])
    }
    for kind in ("rate", "rms"):
        title = text(f"title.{kind}", title=problem["title"])
        panels = Panels(f"{name}-{kind}", title, [text.column(c) for c in columns])
        seen: list[float] = []
        for (column, label), (steps, rates, rms) in medians.items():
            low, middle, high = rates if kind == "rate" else (rms, rms, rms)
            kept = [i for i in range(len(steps)) if np.isfinite(low[i]) and np.isfinite(high[i]) and middle[i] > 0]
            if not kept:
                continue
            x, place = [steps[i] for i in kept], columns.index(column)
            seen += [number for curve in (low, middle, high) for number in curve[kept].tolist() if number > 0]
            panels.add(place, line(label, look, x, middle[kept]))
            if kind == "rate":
                panels.add(place, _band(label, look, x, np.maximum(low[kept], 1e-300), high[kept]))
        if not seen:
            continue
        ends = log_range(max(min(seen), max(seen) * 1e-16) / 1.5, max(seen) * 1.5)
        panels.axes({"title": text("axis.step")}, {"title": text(f"axis.{kind}"), "type": "log", "range": ends})
        charts.append(panels.chart(text(f"caption.{kind}")))
    return charts


def _losses(
    name: str, problem: dict[str, Any], runs: Sequence[Run], metric: str, look: Look, points: int, text: Texts
) -> dict[str, Any]:
    columns = filled_columns(problem)
    title = text("title.loss", title=problem["title"], seeds=problem["seeds"])
    panels = Panels(f"{name}-{metric}", title, [text.column(c) for c in columns])
    top = ceiling(problem["start_loss"])
    lowest = top
    for place, column in enumerate(columns):
        for label in look:
            own = [r for r in runs if belongs(r, label, column)]
            if not own:
                continue
            steps, *curves = quartiles(own, metric)
            kept = points_kept(curves[1], points)
            floor = problem.get("floor", 0.0)
            low, middle, high = (np.clip(curve[kept], floor or 1e-300, top * 1e3) for curve in curves)
            lowest = min(lowest, float(low.min()))
            x = [steps[i] for i in kept]
            panels.add(place, line(label, look, x, middle))
            panels.add(place, _band(label, look, x, low, high))
    panels.axes(
        {"title": text("axis.step")},
        {"title": loss_axis(problem, metric, text), "type": "log", "range": log_range(max(lowest, top * 1e-16), top)},
    )
    return panels.chart(text("caption.loss"))


def _band(label: str, look: Look, x: list[int], low: Any, high: Any) -> dict[str, Any]:
    return {
        "x": [*x, *x[::-1]],
        "y": rounded([*high, *low[::-1]]),
        "fill": "toself",
        "fillcolor": look[label]["color"],
        "opacity": 0.15,
        "line": {"width": 0},
        "mode": "lines",
        "hoverinfo": "skip",
        "legendgroup": label,
        "showlegend": False,
    }


def _ecdf(name: str, problem: dict[str, Any], look: Look, text: Texts) -> dict[str, Any]:
    columns = filled_columns(problem)
    panels = Panels(f"{name}-ecdf", text("title.ecdf", title=problem["title"]), [text.column(c) for c in columns])
    for place, column in enumerate(columns):
        for label in look:
            if label in problem["ecdf"].get(column, {}):
                x, y = stairs(problem["ecdf"][column][label], problem["steps"])
                panels.add(place, line(label, look, x, y, shape="hv"))
    panels.axes(
        {"title": text("axis.step"), "type": "log", "range": log_range(1, max(2, problem["steps"]))},
        {"title": text("axis.share"), "range": [0, 1.04]},
    )
    return panels.chart(text("caption.ecdf", targets=", ".join(f"{t:g}" for t in problem["targets"])))


def _sensitivity(name: str, problem: dict[str, Any], look: Look, text: Texts) -> dict[str, Any]:
    panels = Panels(f"{name}-sensitivity", text("title.sensitivity", title=problem["title"]), [""])
    top, floor = ceiling(problem["start_loss"]), problem.get("floor", 0.0)
    seen: list[float] = [top]

    def shown(trials: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
        losses = [min(max(t["valid_loss"], floor), top) for t in trials]
        seen.extend(loss for loss in losses if loss > 0)
        return [t["lr"] for t in trials], losses

    for label, search in _searches(problem, look):
        trials = search["trials"]
        panels.add(0, line(label, look, *shown(trials[1:]), markers=True))
        lost = [t for t in trials[1:] if not math.isfinite(t["valid_loss"])]
        for symbol, size, some in (
            ("x-thin-open", 8, lost),
            ("diamond", 9, trials[:1]),
            ("circle-open", 14, [trials[search["chosen_trial"]]]),
        ):
            panels.add(0, _marks(label, look, *shown(some), symbol=symbol, size=size))
    panels.axes(
        {"title": text("axis.lr"), "type": "log", "dtick": 1},
        {
            "title": text("axis.final", loss=loss_axis(problem, "valid", text)),
            "type": "log",
            "range": log_range(max(min(seen), top * 1e-16) / 1.5, top * 1.3),
        },
    )
    return panels.chart(text("caption.sensitivity"))


def _searches(problem: dict[str, Any], look: Look) -> list[tuple[str, dict[str, Any]]]:
    return [(label, problem["search"][label]) for label in look if label in problem["search"]]


def _marks(label: str, look: Look, x: Any, y: Any, *, symbol: str, size: int) -> dict[str, Any]:
    return {
        "x": rounded(x),
        "y": rounded(y),
        "mode": "markers",
        "marker": {"symbol": symbol, "size": size, "color": look[label]["color"], "line": {"width": 1.6}},
        "name": label,
        "legendgroup": label,
        "showlegend": False,
    }


def _tuning(name: str, problem: dict[str, Any], look: Look, text: Texts) -> dict[str, Any]:
    panels = Panels(f"{name}-tuning", text("title.tuning", title=problem["title"]), [""])
    for label, search in _searches(problem, look):
        curve = shown_curve(search["tuning_curve"], problem)
        panels.add(0, line(label, look, range(1, len(curve) + 1), curve, markers=True))
        default = shown_curve([search["trials"][0]["valid_loss"]], problem)
        panels.add(0, _marks(label, look, [0], default, symbol="diamond", size=9))
    loss = text.loss(problem)
    panels.axes({"title": text("axis.trials")}, {"title": text("axis.expected", loss=loss), "type": "log"})
    return panels.chart(text("caption.tuning", loss=loss))


def _against(name: str, problem: dict[str, Any], look: Look, reference: str, text: Texts) -> dict[str, Any]:
    columns = filled_columns(problem)
    others = [label for label in look if label != reference]
    loss = loss_axis(problem, "valid", text)
    title = text("title.against", title=problem["title"], loss=loss, reference=reference)
    panels = Panels(f"{name}-against", title, [text.column(c) for c in columns])
    for place, column in enumerate(columns):
        for label in others:
            found = ((problem["columns"][column].get(label) or {}).get("against") or {}).get("valid_loss")
            if found is None:  # a race that was killed
                continue
            low, centre, high = (min(max(found[k], 1e-9), 1e9) for k in ("low", "centre", "high"))
            colour = look[label]["color"]
            interval = {"type": "data", "symmetric": False, "array": rounded([high - centre])}
            interval |= {"arrayminus": rounded([centre - low]), "thickness": 2, "width": 0}
            marks = _marks(label, look, [centre], [], symbol="circle", size=9)
            if not found["distinguishable"]:
                marks["marker"]["symbol"] = "circle-open"
            panels.add(place, marks | {"y": [label], "error_x": interval | {"color": colour}})
        panels.vertical(place, 1.0)
    panels.axes(
        {"title": text("axis.ratio"), "type": "log"},
        {"type": "category", "autorange": "reversed", "categoryorder": "array", "categoryarray": others, "title": ""},
    )
    panels.height = 150 + 26 * len(others)
    return panels.chart(text("caption.against", loss=loss, reference=reference))
