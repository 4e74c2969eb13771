"""From a run folder, and nothing else, to its summary, tables, figures and one self-contained page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .cells import HEADINGS, facts_table, measured_table, search_lines, search_table
from .errors import LabError
from .figures import draw_all
from .records import read_runs, write_long_csv
from .runfolder import read_manifest, write_json
from .style import inline_svg
from .summary import COLUMNS, summarise, write_summary_csv
from .verdict import verdict


def build(folder: Path) -> dict[str, Any]:
    """Write runs.csv, summary.json, summary.csv, figures/ and report.html into the folder of a race.

    Args:
        folder: Holds manifest.json and records.jsonl.

    Returns:
        The summary with a `verdict` for every problem.

    Raises:
        LabError: No problem has a finished run.
    """
    manifest = read_manifest(folder)
    runs = read_runs(folder)
    settings = manifest["settings"]
    summary = summarise(runs, settings)
    if not summary["problems"]:
        raise LabError(f"{folder}: no run has ended, so there is nothing to report")
    for name, problem in summary["problems"].items():
        problem["verdict"] = verdict(summary, name)
    summary["search_space"] = search_lines(settings, summary)
    write_long_csv(folder / "runs.csv", runs)
    write_json(folder / "summary.json", summary)
    write_summary_csv(folder / "summary.csv", summary)
    (folder / "figures").mkdir(exist_ok=True)
    drawn = draw_all(runs, summary, folder / "figures")
    (folder / "report.html").write_text(_page(folder, manifest, summary, drawn), encoding="utf-8")
    return summary


def _page(
    folder: Path, manifest: dict[str, Any], summary: dict[str, Any], drawn: dict[str, list[tuple[str, str]]]
) -> str:
    environment = Environment(
        loader=PackageLoader("adamas.lab", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    problems = []
    for name, problem in summary["problems"].items():
        tables = [
            (f"{HEADINGS[column][0].upper()}{HEADINGS[column][1:]}", measured_table(summary, name, column))
            for column in reversed(COLUMNS)
        ]
        figures = [
            (Markup(inline_svg(folder / "figures" / f"{file}.svg", caption)), caption) for file, caption in drawn[name]
        ]
        problems.append(
            {
                "name": name,
                "heading": problem["title"] if problem["title"].startswith(name) else f"{name}: {problem['title']}",
                "verdict": problem["verdict"],
                "steps": problem["steps"],
                "seeds": problem["seeds"],
                "tables": tables,
                "figures": figures,
                "search": search_table(problem),
                "target_loss": "value of f" if problem["surface"] else "validation loss",
            }
        )
    return environment.get_template("report.html.jinja").render(
        title="Race: " + ", ".join(summary["problems"]),
        manifest=manifest,
        incomplete=any(
            len(c) < len(summary["facts"]) for p in summary["problems"].values() for c in p["columns"].values()
        ),
        problems=problems,
        reference=summary["reference"],
        facts=facts_table(summary),
        search_lines=summary["search_space"],
        environment=_environment_table(manifest["environment"]),
    )


def _environment_table(environment: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    flat = {**{k: v for k, v in environment.items() if k != "packages"}, **environment["packages"]}
    return ["what", "value"], [[k.replace("_", " "), str(v)] for k, v in flat.items() if v is not None]
