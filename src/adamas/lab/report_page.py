"""The page: one HTML file with everything inside, Plotly too, that asks no network for anything."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .cells import Grid, comparison_table, filled_columns, measured_table, search_table
from .figures import runs_of
from .i18n import Texts
from .profiles import SEED_RESAMPLES
from .records import Run
from .report_charts import MOST_POINTS, points_per_curve, problem_charts, race_charts, reading_charts
from .report_diagnostics import diagnostics_table
from .report_fonts import figure_language
from .shown import MOST_DRAWN
from .style import looks
from .summary import COLUMNS

FILES = {"csv": ("runs.csv", "summary.csv"), "md": ("summary.md",), "tex": ("summary.tex",)}
FILES |= {"parquet": ("runs.parquet",), "html": ()}
UNPACKED = 5_500_000  # bytes of scripts from which on a page holds them compressed, so that it stays below 6 MB
# Plotly asks for the texts of its buttons by their English words
BUTTONS = ("zoom", "pan", "reset", "png")


def write_page(
    path: Path,
    manifest: dict[str, Any],
    runs: Sequence[Run],
    summary: dict[str, Any],
    formats: Sequence[str],
    text: Texts,
    *,
    every: bool = True,
) -> None:
    """Write report.html.

    Args:
        path: Of the page.
        manifest: Of the run folder; only its settings must be complete.
        runs: All finished runs.
        summary: Of `summary.summarise`, with its verdicts.
        formats: What else was written, to be named on the page.
        text: Language.
        every: Does figures/ hold those of each problem?
    """
    look = looks(list(summary["facts"]), summary["reference"])
    overall = race_charts(summary, look, text)
    groups = runs_of(runs)
    problems = [_problem(name, groups[name], summary, look, text) for name in summary["problems"]]
    inside = [
        chart
        for name, problem in summary["problems"].items()
        for chart in reading_charts(name, problem, groups[name], summary, look, text)
    ]
    charts = [*overall, *(chart for problem in problems for chart in problem["charts"]), *inside]
    environment = Environment(
        loader=PackageLoader("adamas.lab", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    plotly = _plotly()
    data = _data({c["key"]: {"traces": c["traces"], "layout": c["layout"]} for c in charts})
    packed = len(plotly) + len(data) > UNPACKED
    page = environment.get_template("report.html.jinja").render(
        t=text,
        lang={"en": "en", "zh": "zh-CN"}[text.lang],
        title=_title(list(summary["problems"]), text),
        about=_about(manifest, text),
        verdict=summary["verdict"],
        incomplete=any(
            len(cells) < len(summary["facts"]) for p in summary["problems"].values() for cells in _main(p).values()
        ),
        reference=summary["reference"],
        labels=[label for label in look if label in drawn_labels(charts)],
        shown_note=_shown_note(summary, text),
        comparison=comparison_table(summary, text),
        overall=overall,
        problems=problems,
        inside=inside,
        diagnostics=diagnostics_table(summary["diagnostics"], text),
        search_lines=summary["search_space"],
        resamples=SEED_RESAMPLES,
        environment=_environment(manifest.get("environment", {}), text),
        command=manifest.get("command") or text("page.no_command"),
        files="".join(f", {file}" for name in formats for file in FILES[name]),
        figure_note=_figure_note(summary, every, text),
        packed=packed,
        charts=_packed(data) if packed else data,
        words=_data(
            {"locale": text.lang, "words": {text.english(f"button.{b}"): text(f"button.{b}") for b in BUTTONS}}
        ),
        plotly=_packed(plotly) if packed else plotly,
    )
    path.write_text(page, encoding="utf-8")


def _problem(
    name: str, runs: Sequence[Run], summary: dict[str, Any], look: dict[str, dict[str, Any]], text: Texts
) -> dict[str, Any]:
    problem = summary["problems"][name]
    columns = filled_columns(problem)[::-1]
    title = problem["title"]
    return {
        "name": name,
        "heading": title if title.startswith(name) else f"{name}: {title}",
        "verdict": problem["verdict"],
        "note": text(
            "page.problem_note",
            steps=problem["steps"],
            seeds=problem["seeds"],
            target=f"{problem['targets'][0]:g}",
            loss=text.loss(problem),
        ),
        "tables": [(_capital(text.column(c)), measured_table(summary, name, c, text)) for c in columns],
        "charts": problem_charts(name, problem, runs, summary, look, text),
        "search": search_table(problem, text) if problem["search"] else None,
        "search_title": text("page.search", loss=text.loss(problem)),
    }


def drawn_labels(charts: Sequence[dict[str, Any]]) -> set[str]:
    """The optimizers that at least one chart shows."""
    return {trace["legendgroup"] for chart in charts for trace in chart["traces"] if "legendgroup" in trace}


def _shown_note(summary: dict[str, Any], text: Texts) -> str:
    """What the charts of a big race leave out, and where it is."""
    notes = []
    count = len(summary["facts"])
    if count > MOST_DRAWN:
        notes.append(text("page.some", count=count, shown=MOST_DRAWN, reference=summary["reference"]))
    points = points_per_curve(summary)
    if points < MOST_POINTS:
        notes.append(text("page.thin", points=points))
    return " ".join(notes)


def _figure_note(summary: dict[str, Any], every: bool, text: Texts) -> str:
    notes = [text("note.font")] if figure_language(text.lang) != text.lang else []
    notes += [] if every else [text("note.few", problems=len(summary["problems"]))]
    return " ".join(notes)


def _main(problem: dict[str, Any]) -> dict[str, Any]:
    """The two columns that every optimizer of a finished race has, if the race had them."""
    return {column: problem["columns"][column] for column in COLUMNS if problem["columns"].get(column)}


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def _title(names: list[str], text: Texts) -> str:
    shown = text.join(names)
    if len(names) > 4:
        shown = text("page.more", first=names[0], total=len(names))
    return text("page.title", names=shown)


def _about(manifest: dict[str, Any], text: Texts) -> str:
    environment = manifest.get("environment", {})
    unknown = text("page.unknown")
    return text(
        "page.about",
        created=manifest.get("created", unknown),
        version=environment.get("adamas", unknown),
        cpu=environment.get("cpu", unknown),
    )


def _environment(environment: dict[str, Any], text: Texts) -> Grid:
    flat = {**{k: v for k, v in environment.items() if k != "packages"}, **environment.get("packages", {})}
    rows = [[k.replace("_", " "), str(v)] for k, v in flat.items() if v is not None]
    return [text("head.what"), text("head.value")], rows


def _data(value: Any) -> Markup:
    """JSON for a script element: no character that could end it."""
    return Markup(json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c"))


def _packed(script: Markup) -> Markup:
    """Compressed by gzip, in base64: what browsers of 2023 and later unpack; the same bytes every time."""
    return Markup(base64.b64encode(gzip.compress(script.encode(), mtime=0)).decode())


def _plotly() -> Markup:
    """Plotly's own program, from the installed library."""
    from plotly.offline import get_plotlyjs

    return Markup(get_plotlyjs())
