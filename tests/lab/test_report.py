"""The page stands alone: no request, ids that are unique, everything named, both colour schemes, both languages."""

from __future__ import annotations

import base64
import gzip
import json
import math
import re
import statistics
import struct
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
from small_race import SmallRace, invoke

from adamas.lab.i18n_report import TEXTS
from adamas.lab.report import build
from adamas.lab.report_charts import points_per_curve
from adamas.lab.report_page import _data
from adamas.lab.report_panels import Panels, points_kept, rounded
from adamas.lab.shown import drawn, drawn_overall
from adamas.lab.style import inline_svg, looks

KINDS = ("loss", "ecdf", "sensitivity", "tuning", "against")
BIGGEST = 6_000_000


class Reader(HTMLParser):
    """Collects tags, attributes, visible text and the texts of scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: Counter[str] = Counter()
        self.text = ""
        self.scripts: list[str] = []
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            self.scripts.append(data)
        else:
            self.text += data

    def values(self, wanted: str) -> list[str]:
        return [value for _, name, value in self.attributes if name == wanted]


def read(path: Path) -> Reader:
    parsed = Reader()
    parsed.feed(path.read_text(encoding="utf-8"))
    return parsed


@pytest.fixture(scope="module")
def page(race: SmallRace) -> str:
    return (race.folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reader(race: SmallRace) -> Reader:
    return read(race.folder / "report.html")


@pytest.fixture(scope="module")
def charts(reader: Reader) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(reader.scripts[0])
    return found


def test_nothing_is_fetched(reader: Reader) -> None:
    assert reader.tags["link"] == reader.tags["img"] == reader.tags["iframe"] == 0
    assert reader.tags["script"] == 4
    for tag, name, value in reader.attributes:
        assert name != "src", (tag, value)
        if name in ("href", "srcset", "data", "action"):
            assert value.startswith("#"), (tag, name, value)
    policy = next(value for value in reader.values("content") if "default-src" in value)
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    ours = reader.text + reader.scripts[0] + reader.scripts[1] + reader.scripts[3]
    assert not re.findall(r"(?:https?:)?//[a-z]", ours)
    assert "@import" not in ours


def test_the_page_is_not_too_big(page: str) -> None:
    assert 4_000_000 < len(page.encode()) < BIGGEST


def test_ids_are_unique_and_links_lead_somewhere(reader: Reader) -> None:
    ids = reader.values("id")
    assert [item for item, count in Counter(ids).items() if count > 1] == []
    links = reader.values("href")
    assert len(links) >= 6
    for value in links:
        assert value[1:] in ids, value


def test_verdicts_tables_and_command_are_there(race: SmallRace, reader: Reader) -> None:
    assert reader.text.index(race.json["verdict"][0]) < reader.text.index("adaptive")
    for sentence in race.json["verdict"]:
        assert sentence in reader.text
    for problem in race.json["problems"].values():
        for sentence in problem["verdict"]:
            assert sentence in reader.text
    for line in race.json["search_space"]:
        assert line in reader.text
    assert "adamas compare digits-softmax t0-bowl --optimizers" in reader.text
    assert reader.text.count("95 %") >= 4
    assert "not distinguishable" in reader.text


def test_every_chart_is_valid_for_plotly_described_and_reachable(reader: Reader, charts: dict[str, Any]) -> None:
    expected = {"profile", "overall-ecdf", "digits-softmax-train", "digits-softmax-valid", "t0-bowl-valid"}
    expected |= {"t0-bowl-paths"} | {f"{p}-{k}" for p in ("digits-softmax", "t0-bowl") for k in KINDS[1:]}
    expected |= {f"{problem}-{kind}" for problem in ("digits-softmax", "t0-bowl") for kind in ("rate", "rms")}
    assert set(charts) == expected == set(reader.values("data-chart"))
    for key, chart in charts.items():
        go.Figure(data=chart["traces"], layout=chart["layout"])  # raises on unknown or wrong properties
        named = [trace["name"] for trace in chart["traces"] if trace.get("showlegend")]
        if key.endswith("-rms"):
            assert named == ["Adam"], key  # the only one with a second moment
        elif not key.endswith("-against"):
            assert named == ["SGD", "Adam", "plain"], key
        assert chart["layout"]["xaxis"]["title"]["text"], key
    described = [value for tag, name, value in reader.attributes if (tag, name) == ("div", "aria-label")]
    assert sum(len(value) > 30 for value in described) >= len(expected)
    assert reader.values("data-optimizer") == ["SGD", "Adam", "plain"]


def test_loss_chart_shows_the_medians_of_the_records(race: SmallRace, charts: dict[str, Any]) -> None:
    import numpy as np

    traces = charts["digits-softmax-valid"]["traces"]
    drawn = next(t for t in traces if t.get("name") == "SGD" and t["xaxis"] == "x")
    runs = [
        r.trial
        for r in race.runs
        if r.heading.problem == "digits-softmax" and r.heading.optimizer == "SGD" and "default" in r.heading.columns
    ]
    assert drawn["x"] == runs[0].steps
    assert drawn["y"] == pytest.approx(np.median([t.valid for t in runs], axis=0), rel=1e-4)


def test_rate_charts_show_the_readings(race: SmallRace, charts: dict[str, Any]) -> None:
    drawn_rate = next(t for t in charts["t0-bowl-rate"]["traces"] if t.get("name") == "SGD" and t["xaxis"] == "x")
    assert drawn_rate["y"] == pytest.approx([0.01] * len(drawn_rate["x"]), rel=1e-4)  # the default rate of SGD
    (drawn_rms,) = (t for t in charts["t0-bowl-rms"]["traces"] if t["xaxis"] == "x")
    runs = [r for r in race.runs if r.heading.problem == "t0-bowl" and r.heading.optimizer == "Adam"]
    first = [r.trial.readings[0].rms for r in runs if "default" in r.heading.columns]
    assert drawn_rms["y"][0] == pytest.approx(statistics.median(x for x in first if x is not None), rel=1e-4)
    row = next(r for r in race.json["diagnostics"] if (r["optimizer"], r["column"]) == ("SGD", "default"))
    assert row["largest_rms"] is None


def test_light_and_dark(page: str, tmp_path: Path) -> None:
    assert "prefers-color-scheme: dark" in page
    assert '[style*="stroke: rgb(31, 35, 40)"]' in page  # INK as a browser writes it
    (tmp_path / "a.svg").write_text('<svg><path style="stroke: #1f2328"/></svg>')
    assert "var(--ink)" in inline_svg(tmp_path / "a.svg", "t")


def test_every_figure_as_png_and_svg(race: SmallRace) -> None:
    names = [f"{problem}-{kind}" for problem in ("digits-softmax", "t0-bowl") for kind in KINDS]
    names += ["t0-bowl-paths", "profile"]
    for name in names:
        png = (race.folder / "figures" / f"{name}.png").read_bytes()
        assert png[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", png[16:24])
        assert width > 900
        assert height > 200
        svg = (race.folder / "figures" / f"{name}.svg").read_text()
        assert svg.rstrip().endswith("</svg>")
    assert len(list((race.folder / "figures").iterdir())) == 2 * len(names)


def test_the_reference_is_drawn_in_ink_and_no_two_look_alike() -> None:
    labels = [f"o{i}" for i in range(30)]
    found = looks(labels, "o3")
    assert list(found) == labels
    assert found["o3"]["color"] == "#1f2328"
    assert len({(how["color"], str(how["linestyle"])) for how in found.values()}) == 30


def test_captions_and_data_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text('<svg width="3pt" height="4pt"><path id="p"/></svg>')
    assert '"><script>' not in inline_svg(tmp_path / "a.svg", '"><script>')
    data = _data({"name": "</script><b>"})
    assert "<" not in data
    assert json.loads(data) == {"name": "</script><b>"}


def test_decimation_keeps_every_extreme() -> None:
    import numpy as np

    values = np.sin(np.arange(10_000) / 50)
    values[7_321] = 9.0
    values[123] = -9.0
    kept = points_kept(values, 100)
    assert len(kept) <= 102
    assert {0, 123, 7_321, 9_999} <= set(kept)
    assert points_kept(values[:50], 100) == list(range(50))


def test_logarithmic_axes_are_labelled_with_whole_numbers() -> None:
    """Plotly's own label of 0.2 on a short axis is "2"."""
    panels = Panels("key", "title", [""])
    panels.axes({"title": "x", "type": "log"}, {"title": "y", "type": "log", "range": [-1.0, 0.7]})
    layout = panels.chart("")["layout"]
    assert (layout["xaxis"]["tickformat"], layout["xaxis"].get("dtick")) == ("~g", None)
    assert (layout["yaxis"]["tickformat"], layout["yaxis"]["dtick"]) == ("~g", "D2")
    panels.axes({"title": "x", "type": "log", "dtick": 1}, {"title": "y", "type": "log", "range": [-12, 1.0]})
    layout = panels.chart("")["layout"]
    assert layout["xaxis"]["dtick"] == 1
    assert layout["yaxis"]["dtick"] == 2


def test_rounding_keeps_five_digits() -> None:
    assert rounded([1.0, 0.1234567, 1234567.0, 1e-30]) == [1, 0.12346, 1234600, 1e-30]
    assert isinstance(rounded([3.0])[0], int)


def test_a_big_race_gets_fewer_points() -> None:
    problem = {"columns": {"default": {}, "tuned": {}}, "surface": False}
    small = points_per_curve({"problems": {"a": problem}, "facts": dict.fromkeys("ab")})
    big = points_per_curve(
        {"problems": {str(i): problem for i in range(60)}, "facts": dict.fromkeys(map(str, range(49)))}
    )
    assert (small, big) == (200, 16)


def cell(loss: float, steps: float) -> dict[str, Any]:
    return {"valid_loss": {"median": loss}, "steps_to_target": {"0.1": {"median": steps}}}


def test_of_many_optimizers_the_reference_and_the_best_are_drawn() -> None:
    labels = [f"o{i:02}" for i in range(20)]
    tuned = {label: cell(1.0 + i, math.inf) for i, label in enumerate(reversed(labels))}
    tuned["o03"], tuned["o04"] = cell(1e-9, 7), cell(1e-12, 9)  # both at the floor: the steps decide
    default = {label: cell(1.0 + i, math.inf) for i, label in enumerate(labels)}
    problem = {"columns": {"default": default, "tuned": tuned}, "targets": [1.0, 0.1], "floor": 1e-8}
    assert drawn(problem, labels, "o00") == ["o00", "o03", "o04", *labels[11:]]
    tuned |= {label: cell(0.0, 8) for label in labels[5:17]}
    assert drawn(problem, labels, "o00") == ["o00", "o03", *labels[5:15]]
    assert drawn(problem, labels[:12], "o00") == labels[:12]
    assert drawn(problem | {"columns": {"default": default, "tuned": {}}}, labels, "o19") == [*labels[:11], "o19"]
    summary = {"facts": dict.fromkeys(labels), "reference": "o19", "profiles": {"default": None, "tuned": {
        "area": {label: {"value": i / 20} for i, label in enumerate(labels) if i != 18}}}}  # fmt: skip
    assert drawn_overall(summary) == [*labels[7:18], "o19"]


def test_a_big_race_says_what_it_leaves_out(race: SmallRace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adamas.lab.shown.MOST_DRAWN", 2)
    monkeypatch.setattr("adamas.lab.report_page.MOST_DRAWN", 2)
    monkeypatch.setattr("adamas.lab.report_page.MOST_POINTS", 300)
    monkeypatch.setattr("adamas.lab.shown.MOST_PROBLEMS", 1)
    monkeypatch.setattr("adamas.lab.report_page.UNPACKED", 0)
    build(race.folder, out=tmp_path)
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["profile.png", "profile.svg"]
    found = read(tmp_path / "report.html")
    assert "3 optimizers ran. The charts show 2 of them, Adam and the best" in found.text
    assert "Loss curves keep about 200 points" in found.text
    assert "With 2 problems figures/ holds the profiles only" in found.text
    charts = json.loads(gzip.decompress(base64.b64decode(found.scripts[0])))
    assert len(charts) == 18
    for chart in charts.values():
        assert 1 <= len({t["legendgroup"] for t in chart["traces"] if "legendgroup" in t}) <= 2
    assert gzip.decompress(base64.b64decode(found.scripts[2])).decode() in (race.folder / "report.html").read_text()
    assert (tmp_path / "report.html").stat().st_size < 2_500_000
    assert (tmp_path / "runs.csv").read_bytes() == (race.folder / "runs.csv").read_bytes()
    assert json.loads((tmp_path / "summary.json").read_text()) == json.loads((race.folder / "summary.json").read_text())
    build(race.folder, formats=["csv"], figures="all", out=tmp_path)
    assert len(list((tmp_path / "figures").iterdir())) == len(list((race.folder / "figures").iterdir()))


def test_chinese_report_beside_the_english_one(race: SmallRace, tmp_path: Path) -> None:
    result = invoke("report", race.folder, "--lang", "zh", "--out", tmp_path / "zh", "--format", "html,md")
    assert result.exit_code == 0, result.stderr
    assert "学习率调优后" in result.stdout
    page = read(tmp_path / "zh" / "report.html")
    assert page.values("lang") == ["zh-CN"]
    assert "结论" in page.values("aria-label")
    assert "性能曲线" in page.scripts[0] or "步数" in page.scripts[0]
    whole = [english for english, _ in TEXTS.values() if "{" not in english and len(english) > 12]
    assert len(whole) > 40
    assert [text for text in whole if text in page.text] == []
    assert sorted(p.name for p in (tmp_path / "zh").iterdir()) == [
        "figures",
        "report.html",
        "summary.json",
        "summary.md",
    ]
    assert json.loads((race.folder / "summary.json").read_text())["lang"] == "en"


@pytest.mark.usefixtures("no_figures")
def test_report_command_as_json(race: SmallRace, tmp_path: Path) -> None:
    result = invoke("report", race.folder, "--out", tmp_path, "--format", "csv", "--json")
    found = json.loads(result.stdout)
    assert found["folder"] == str(tmp_path)
    assert found["profiles"] == race.json["profiles"]
    assert (tmp_path / "runs.csv").read_bytes() == (race.folder / "runs.csv").read_bytes()
    assert not (tmp_path / "report.html").exists()


def test_report_command_refuses(race: SmallRace, tmp_path: Path) -> None:
    for words, message in (
        (("report", tmp_path), "no manifest.json here"),
        (("report", race.folder, "--format", "pdf"), "give some of html, csv, md, tex, parquet"),
        (("report", race.folder, "--lang", "fr"), "'fr' is not one of"),
    ):
        result = invoke(*words)
        assert result.exit_code == 2
        assert message in result.stderr
    (tmp_path / "manifest.json").write_text('{"schema_version": 1, "settings": {"reference": "a"}}')
    result = invoke("report", tmp_path)
    assert result.exit_code == 2
    assert "lack problem_facts, optimizer_facts" in result.stderr


@pytest.mark.slow
def test_the_same_folder_gives_the_same_summary(race: SmallRace, tmp_path: Path) -> None:
    for place in ("a", "b"):
        build(race.folder, formats=["html"], out=tmp_path / place)
    assert (tmp_path / "a/summary.json").read_bytes() == (tmp_path / "b/summary.json").read_bytes()
    assert (tmp_path / "a/report.html").read_bytes() == (tmp_path / "b/report.html").read_bytes()
