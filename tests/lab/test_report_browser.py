"""The page in a real browser, from file:// and without any network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import launched, new_page
from small_race import SmallRace

from adamas.lab.report import build

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as started:
        yield started


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize(("lang", "scheme", "packed"), [("en", "light", False), ("zh", "dark", True)])
def test_the_page_works_alone(
    race: SmallRace, tmp_path: Path, browser: Any, monkeypatch: pytest.MonkeyPatch, lang: str, scheme: str, packed: bool
) -> None:
    if packed:
        monkeypatch.setattr("adamas.lab.report_page.UNPACKED", 0)
    build(race.folder, lang, formats=["html"], out=tmp_path)
    page_url = (tmp_path / "report.html").as_uri()
    page = new_page(browser, color_scheme=scheme, offline=True)
    asked: list[str] = []
    troubles: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: troubles.append(message.text) if message.type != "log" else None)
    page.goto(page_url)
    page.locator("html[data-ready]").wait_for(state="attached")  # asking by script would need eval
    page.evaluate("window.__report.drawAll()")
    assert page.locator(".chart").count() == page.evaluate("window.__report.drawn().length") == 18
    # every chart holds curves: a chart that drew nothing has no points
    assert page.evaluate("[...document.querySelectorAll('.chart')].every(c => c.querySelector('.trace path, .trace'))")
    light = page.evaluate("getComputedStyle(document.querySelector('.chart .xtick text')).fill")
    assert light == {"light": "rgb(31, 35, 40)", "dark": "rgb(230, 232, 235)"}[scheme]

    shown = "document.querySelector('[data-chart=profile]').data.filter(t => t.name === 'SGD').map(t => t.visible)"
    box = page.locator("input[data-optimizer=SGD]")
    box.focus()
    page.keyboard.press("Space")
    page.wait_for_function(f"{shown}.every(v => v === false)")
    page.keyboard.press("Space")
    page.wait_for_function(f"{shown}.every(v => v === true)")

    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement !== document.body")
    assert asked == [page_url]
    assert troubles == []
    page.context.close()
