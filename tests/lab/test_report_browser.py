"""The page in a real browser, from file:// and without any network; skipped where no Chromium is installed."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_race import SmallRace

from adamas.lab.report import build

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or importlib.util.find_spec("playwright") is None,
    reason="needs playwright and an installed Chromium",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.mark.parametrize(("lang", "scheme", "packed"), [("en", "light", False), ("zh", "dark", True)])
def test_the_page_works_alone(
    race: SmallRace, tmp_path: Path, browser: Any, monkeypatch: pytest.MonkeyPatch, lang: str, scheme: str, packed: bool
) -> None:
    if packed:
        monkeypatch.setattr("adamas.lab.report_page.UNPACKED", 0)
    build(race.folder, lang, formats=["html"], out=tmp_path)
    page_url = (tmp_path / "report.html").as_uri()
    context = browser.new_context(color_scheme=scheme, offline=True)
    page = context.new_page()
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
    context.close()
