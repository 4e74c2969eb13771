"""The page of a folder of studies: one self-contained file, figures inlined; JSON with all numbers beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .i18n import Texts
from .runfolder import RunFolder, write_json
from .studies._run import VERDICTS, StudyResult, numbers_as_text
from .studies._texts import CLAIMS, TEXTS
from .style import inline_svg


def write_page(folder: RunFolder, results: Sequence[StudyResult], lang: str = "en") -> None:
    """Write studies.json and studies.html into an open run folder that holds figures/NAME.svg of each study.

    Args:
        folder: The run folder.
        results: What was run, figures saved.
        lang: "en" or "zh": of the page; the JSON is English, and so are criteria, findings and figures.
    """
    write_json(folder.path / "studies.json", [result.to_dict() for result in results])
    environment = Environment(
        loader=PackageLoader("adamas.lab", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = Texts(lang, TEXTS)
    counts = Counter(result.verdict for result in results)
    page = environment.get_template("studies.html.jinja").render(
        text=text,
        manifest=folder.manifest,
        counts=[(verdict, counts[verdict]) for verdict in VERDICTS if counts[verdict]],
        seconds=sum(result.seconds for result in results),
        studies=[_entry(folder, result, lang) for result in results],
    )
    (folder.path / "studies.html").write_text(page, encoding="utf-8")


def _entry(folder: RunFolder, result: StudyResult, lang: str) -> dict[str, Any]:
    figure = ""
    claim = CLAIMS.get(result.name, result.study.claim) if lang == "zh" else result.study.claim
    if result.draw is not None:
        svg = folder.figure(result.name).with_suffix(".svg")
        figure = Markup(inline_svg(svg, claim))
    return {
        "study": result.study,
        "claim": claim,
        "verdict": result.verdict,
        "finding": result.finding,
        "seconds": result.seconds,
        "numbers": numbers_as_text(result.numbers),
        "figure": figure,
    }
