"""Verdicts and tables of a race as Markdown and as LaTeX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .cells import Grid, comparison_table, filled_columns, measured_table
from .i18n import Texts
from .latex import escape, latex_table


def write_markdown(path: Path, summary: dict[str, Any], text: Texts) -> None:
    """summary.md: verdicts and tables, for a README or an issue."""
    parts = [f"# {text('page.verdict')}", *summary["verdict"]]
    for title, grid, lines in _parts(summary, text):
        parts += [f"## {_cell(title)}", *lines, markdown_table(*grid)]
    path.write_text("\n\n".join([*parts, *summary["search_space"]]) + "\n", encoding="utf-8")


def write_latex(path: Path, summary: dict[str, Any], text: Texts) -> None:
    """summary.tex: the tables, to be read by a document that uses booktabs."""
    parts = [r"% \usepackage{booktabs}" + (r", \usepackage{ctex}" if text.lang == "zh" else "")]
    parts += [escape(line) for line in summary["verdict"]]
    for title, grid, lines in _parts(summary, text):
        parts += [*map(escape, lines), latex_table(title, *grid)]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _parts(summary: dict[str, Any], text: Texts) -> Iterator[tuple[str, Grid, list[str]]]:
    yield text("page.comparison"), comparison_table(summary, text), []
    for name, problem in summary["problems"].items():
        lines = problem["verdict"]
        for column in reversed(filled_columns(problem)):
            yield f"{name}, {text.column(column)}", measured_table(summary, name, column, text), lines
            lines = []


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table: first column flush left, the others flush right."""
    rule = [":--", *["--:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(map(_cell, row)) + " |" for row in (header, rule, *rows))


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
