"""Texts in both languages, a font for them, and the tables as Markdown, LaTeX and Parquet."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from small_race import SmallRace

from adamas.lab import report_fonts, report_parquet
from adamas.lab.errors import InputError
from adamas.lab.i18n import LANGUAGES, Texts
from adamas.lab.i18n_report import TEXTS
from adamas.lab.latex import escape, latex_table
from adamas.lab.report import build
from adamas.lab.report_text import markdown_table

LAB = Path(report_fonts.__file__).parent


def fields(text: str) -> set[str | None]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}


def test_every_text_is_there_in_both_languages_with_the_same_fields() -> None:
    for key, texts in TEXTS.items():
        assert len(texts) == len(LANGUAGES), key
        assert all(texts), key
        assert fields(texts[0]) == fields(texts[1]), key


def test_chinese_texts_are_chinese() -> None:
    same = {key for key, (english, chinese) in TEXTS.items() if not re.search("[\u3000-\u9fff\uff00-\uffef]", chinese)}
    assert same == {"page.about", "head.short_f", "head.p"}
    assert not any(re.search("[\u3000-\u9fff]", english) for english, _ in TEXTS.values())


def test_every_text_used_exists_and_every_text_is_used() -> None:
    code = "".join(
        path.read_text(encoding="utf-8")
        for path in [*LAB.glob("*.py"), LAB / "report.html.jinja"]
        if path.name != "i18n_report.py"
    )
    used = set(re.findall(r"""\b(?:text|texts|t|self)\(\s*f?["']([a-z_]+\.?[a-z_0-9]*)["']""", code))
    patterns = set(re.findall(r"""f["']([a-z]+)\.\{""", code)) | {"fact", "column", "selection"}
    assert {key for key in used if "." in key and not key.endswith(".")} <= set(TEXTS)
    literal = set(re.findall(r"""["']([a-z]+\.[a-z_ 0-9A-Z]+)["']""", code)) | {"none", "reference", "diverged"}
    unused = {key for key in TEXTS if key not in literal and key.split(".")[0] not in patterns}
    assert unused == set()


def test_texts_refuse_other_languages_and_unknown_keys() -> None:
    with pytest.raises(InputError, match="lang 'fr': give one of en, zh"):
        Texts("fr")
    with pytest.raises(KeyError):
        Texts("en")("no.such.text")
    assert Texts("zh").column("tuned") == "调优学习率"
    assert Texts("zh").column("tuned(8)") == "tuned(8)"
    assert Texts("zh").fact("Nesterov") == "Nesterov"


def test_a_chinese_font_is_taken_only_with_every_glyph(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib import get_data_path

    plain = f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf"
    assert report_fonts.missing_glyphs(plain, "abc学") == {"学"}
    monkeypatch.setattr(report_fonts, "FAMILIES", ("DejaVu Sans", "No Such Font"))
    report_fonts.chinese_font.cache_clear()
    assert report_fonts.chinese_font() is None
    assert (report_fonts.figure_language("zh"), report_fonts.figure_language("en")) == ("en", "en")
    monkeypatch.undo()
    report_fonts.chinese_font.cache_clear()


def test_without_a_font_the_figures_stay_english_and_the_page_says_so(
    race: SmallRace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_fonts, "FAMILIES", ())
    report_fonts.chinese_font.cache_clear()
    build(race.folder, "zh", formats=["html"], out=tmp_path)
    monkeypatch.undo()
    report_fonts.chinese_font.cache_clear()
    assert "没有找到包含所需全部汉字的字体" in (tmp_path / "report.html").read_text(encoding="utf-8")
    name = "t0-bowl-tuning.svg"
    assert (tmp_path / "figures" / name).read_bytes() == (race.folder / "figures" / name).read_bytes()


def test_latex_by_hand() -> None:
    assert escape(r"50 % of a_b & {c}\d <e> #1 ~^$") == (
        r"50 \% of a\_b \& \{c\}\textbackslash{}d \textless{}e\textgreater{} \#1 "
        r"\textasciitilde{}\textasciicircum{}\$"
    )
    assert latex_table("t_1", ["a", "b"], [["[x]", "1%"]]).splitlines() == [
        r"\begin{table}", r"\caption{t\_1}", r"\begin{tabular}{lr}", r"\toprule", r"a & b \\", r"\midrule",
        r"{}[x] & 1\% \\", r"\bottomrule", r"\end{tabular}", r"\end{table}",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="has 1 cells; give 2"):
        latex_table("", ["a", "b"], [["x"]])


def test_markdown_by_hand() -> None:
    assert markdown_table(["a", "b"], [["x|y", "<1"]]) == "| a | b |\n| :-- | --: |\n| x\\|y | &lt;1 |"


def test_markdown_and_latex_hold_the_tables(race: SmallRace) -> None:
    markdown = (race.folder / "summary.md").read_text(encoding="utf-8")
    latex = (race.folder / "summary.tex").read_text(encoding="utf-8")
    assert markdown.count("| optimizer |") == latex.count(r"\toprule") == 5  # comparison; two columns of two problems
    cell = race.json["problems"]["t0-bowl"]["columns"]["default"]["Adam"]
    assert f"| Adam | {cell['lr']:g} |" in markdown
    assert rf"Adam & {cell['lr']:g} &" in latex
    for sentence in race.json["verdict"]:
        assert sentence in markdown
        assert escape(sentence) in latex
    assert not re.search(r"(?<!\\)[%#_$]", latex.split("\n", 1)[1])


def test_parquet_equals_the_records(race: SmallRace) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")

    rows = parquet.read_table(race.folder / "runs.parquet").to_pylist()
    run = next(r for r in race.runs if r.heading.role == "evaluate")
    own = [r for r in rows if r["run_id"] == run.heading.run_id and r["metric"] == "valid_loss"]
    assert [r["value"] for r in own] == run.trial.valid
    assert [r["step"] for r in own] == run.trial.steps
    assert {type(r["lr"]) for r in rows} == {float}


@pytest.mark.usefixtures("no_figures")
def test_parquet_is_refused_without_pyarrow(race: SmallRace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_parquet, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install pyarrow"):
        build(race.folder, formats=["parquet"], out=tmp_path / "a")
    assert not (tmp_path / "a").exists()
    build(race.folder, formats=None, out=tmp_path / "b")
    assert not (tmp_path / "b" / "runs.parquet").exists()
    assert (tmp_path / "b" / "report.html").exists()
