"""The page: one HTML file with everything inside, Plotly too, that asks no network for anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .cells import Grid, comparison_table, filled_columns, measured_table, search_table
from .i18n import Texts
from .profiles import SEED_RESAMPLES
from .records import Run
from .report_charts import problem_charts, race_charts
from .report_diagnostics import diagnostics_table
from .report_fonts import figure_language
from .style import looks
from .summary import COLUMNS

FILES = {"csv": ("runs.csv", "summary.csv"), "md": ("summary.md",), "tex": ("summary.tex",)}
FILES |= {"parquet": ("runs.parquet",), "html": ()}
# Plotly asks for the texts of its buttons by their English words
BUTTONS = ("zoom", "pan", "reset", "png")


def write_page(
    path: Path,
    manifest: dict[str, Any],
    runs: Sequence[Run],
    summary: dict[str, Any],
    formats: Sequence[str],
    text: Texts,
) -> None:
    """Write report.html.

    Args:
        path: Of the page.
        manifest: Of the run folder; only its settings must be complete.
        runs: All finished runs.
        summary: Of `summary.summarise`, with its verdicts.
        formats: What else was written, to be named on the page.
        text: Language.
    """
    look = looks(list(summary["facts"]), summary["reference"])
    overall = race_charts(summary, look, text)
    problems = [_problem(name, runs, summary, look, text) for name in summary["problems"]]
    charts = [*overall, *(chart for problem in problems for chart in problem["charts"])]
    environment = Environment(
        loader=PackageLoader("adamas.lab", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
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
        labels=list(look),
        comparison=comparison_table(summary, text),
        overall=overall,
        problems=problems,
        diagnostics=diagnostics_table(summary["diagnostics"], text),
        search_lines=summary["search_space"],
        resamples=SEED_RESAMPLES,
        environment=_environment(manifest.get("environment", {}), text),
        command=manifest.get("command") or text("page.no_command"),
        files="".join(f", {file}" for name in formats for file in FILES[name]),
        figure_note=text("note.font") if figure_language(text.lang) != text.lang else "",
        charts=_data({c["key"]: {"traces": c["traces"], "layout": c["layout"]} for c in charts}),
        words=_data(
            {"locale": text.lang, "words": {text.english(f"button.{b}"): text(f"button.{b}") for b in BUTTONS}}
        ),
        plotly=_plotly(),
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
        "charts": problem_charts(name, problem, [r for r in runs if r.heading.problem == name], summary, look, text),
        "search": search_table(problem, text) if problem["search"] else None,
        "search_title": text("page.search", loss=text.loss(problem)),
    }


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


def _plotly() -> Markup:
    """Plotly's own program, from the installed library."""
    from plotly.offline import get_plotlyjs

    return Markup(get_plotlyjs())
