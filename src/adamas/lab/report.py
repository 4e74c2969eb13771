"""From a run folder, and nothing else, to its summary, tables, figures and one self-contained page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .cells import search_lines
from .errors import InputError, LabError
from .figures import draw_all
from .i18n import Texts
from .records import read_runs, write_long_csv
from .report_fonts import figure_language
from .report_page import write_page
from .report_parquet import has_parquet, write_parquet
from .report_text import write_latex, write_markdown
from .runfolder import read_manifest, write_json
from .shown import is_big
from .summary import summarise, write_summary_csv
from .verdict import overall_verdict, verdict

FIGURES = ("auto", "all")
FORMATS = ("html", "csv", "md", "tex", "parquet")


def build(
    folder: Path,
    lang: str = "en",
    *,
    formats: Sequence[str] | None = None,
    figures: str = "auto",
    out: Path | None = None,
) -> dict[str, Any]:
    """Write the report of a race: summary.json and figures/ always, the rest as `formats` says.

    html: report.html. csv: runs.csv and summary.csv. md: summary.md. tex: summary.tex (LaTeX, booktabs).
    parquet: runs.parquet, the columns of runs.csv.

    Args:
        folder: Holds manifest.json and records.jsonl.
        lang: Language of all texts, "en" or "zh". Without a Chinese font the texts inside figures stay English.
        formats: Some of `FORMATS`; None: all, parquet only if pyarrow is installed.
        figures: "all", or "auto": of a race of more than 12 problems those of the whole race only.
        out: Where to write; None: into `folder`.

    Returns:
        The summary, with a `verdict` for every problem and one for all of them together.

    Raises:
        InputError: No such language, format or choice of figures, parquet asked for without pyarrow, or not the
            folder of a race.
        LabError: No problem has a finished run.
    """
    text = Texts(lang)
    wanted = _formats(formats)
    if figures not in FIGURES:
        raise InputError(f"figures {figures!r}: give one of {', '.join(FIGURES)}")
    manifest = read_manifest(folder)
    settings = _race_settings(folder, manifest)
    runs = read_runs(folder)
    summary = summarise(runs, settings)
    if not summary["problems"]:
        raise LabError(f"{folder}: no run has ended, so there is nothing to report")
    summary["lang"] = lang
    summary["verdict"] = overall_verdict(summary, text)
    for name, problem in summary["problems"].items():
        problem["verdict"] = verdict(summary, name, text)
    summary["search_space"] = search_lines(settings, summary, text)

    target = folder if out is None else out
    (target / "figures").mkdir(parents=True, exist_ok=True)
    write_json(target / "summary.json", summary)
    every = figures == "all" or not is_big(summary)
    draw_all(runs, summary, target / "figures", Texts(figure_language(lang)), each=every)
    if "csv" in wanted:
        write_long_csv(target / "runs.csv", runs)
        write_summary_csv(target / "summary.csv", summary)
    if "parquet" in wanted:
        write_parquet(target / "runs.parquet", runs)
    if "md" in wanted:
        write_markdown(target / "summary.md", summary, text)
    if "tex" in wanted:
        write_latex(target / "summary.tex", summary, text)
    if "html" in wanted:
        write_page(target / "report.html", manifest, runs, summary, wanted, text, every=every)
    return summary


def _formats(given: Sequence[str] | None) -> list[str]:
    if given is None:
        return [name for name in FORMATS if name != "parquet" or has_parquet()]
    unknown = [name for name in given if name not in FORMATS]
    if unknown or not given:
        raise InputError(f"--format {','.join(given)!r}: give some of {', '.join(FORMATS)}, separated by commas")
    if "parquet" in given and not has_parquet():
        raise InputError("--format parquet: needs pyarrow; install it with: pip install pyarrow")
    return list(given)


def _race_settings(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = manifest.get("settings", {})
    missing = [key for key in ("reference", "problem_facts", "optimizer_facts") if key not in settings]
    if missing:
        raise InputError(
            f"{folder}: the settings of its manifest.json lack {', '.join(missing)}; "
            "a report needs the folder of a race (docs/run-folder.md says what it holds)"
        )
    return settings
