"""The page stands alone: no request, no script, ids that are unique, both colour schemes."""

from __future__ import annotations

import re
import struct
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from small_race import SmallRace

from adamas.lab.style import inline_svg, looks

KINDS = ("loss", "ecdf", "sensitivity", "against")


class Reader(HTMLParser):
    """Collects tags, attributes and visible text."""

    def __init__(self) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: Counter[str] = Counter()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page(race: SmallRace) -> str:
    return (race.folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reader(page: str) -> Reader:
    parsed = Reader()
    parsed.feed(page)
    return parsed


def test_nothing_is_fetched(page: str, reader: Reader) -> None:
    assert not re.findall(r"(?:https?:)?//[a-z]", page)
    assert reader.tags["script"] == reader.tags["link"] == reader.tags["img"] == reader.tags["iframe"] == 0
    assert "@import" not in page
    for tag, name, value in reader.attributes:
        if name in ("src", "href", "srcset", "data"):
            assert value.startswith("#"), (tag, name, value)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))


def test_ids_are_unique_and_links_lead_somewhere(reader: Reader) -> None:
    ids = [value for _, name, value in reader.attributes if name == "id"]
    assert [item for item, count in Counter(ids).items() if count > 1] == []
    for _, name, value in reader.attributes:
        if name == "href":
            assert value[1:] in ids, value


def test_figures_verdicts_tables_and_command_are_there(race: SmallRace, reader: Reader) -> None:
    assert reader.tags["svg"] == len(KINDS) * 2 + 1
    for problem in race.json["problems"].values():
        for sentence in problem["verdict"]:
            assert sentence in reader.text
    for line in race.json["search_space"]:
        assert line in reader.text
    assert "adamas compare digits-softmax t0-bowl --optimizers" in reader.text
    assert reader.text.count("95 %") >= 4
    assert "not distinguishable" in reader.text


def test_light_and_dark(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    svg = page[page.index("<svg") : page.index("</svg>")]
    assert "var(--ink)" in svg
    assert "#1f2328" not in svg


def test_every_figure_as_png_and_svg(race: SmallRace) -> None:
    names = [f"{problem}-{kind}" for problem in ("digits-softmax", "t0-bowl") for kind in KINDS] + ["t0-bowl-paths"]
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


def test_captions_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text('<svg width="3pt" height="4pt"><path id="p"/></svg>')
    assert '"><script>' not in inline_svg(tmp_path / "a.svg", '"><script>')
