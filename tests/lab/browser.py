"""A headless Chromium, for tests that are marked `browser`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from needs import chromium

PATIENCE = 180_000
"""Milliseconds before a wait for the page is given up. Nothing is measured by it."""


@contextmanager
def launched() -> Iterator[Any]:
    """A headless browser, with no pages."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"], timeout=PATIENCE
        )
        yield browser
        browser.close()


def new_page(browser: Any, **context: Any) -> Any:
    """A page in a context of its own; what is waited for may take as long as a busy machine needs."""
    made = browser.new_context(viewport={"width": 1300, "height": 900}, **context)
    made.set_default_timeout(PATIENCE)
    return made.new_page()


@contextmanager
def opened(**context: Any) -> Iterator[Any]:
    """A fresh page of a fresh browser."""
    with launched() as browser:
        yield new_page(browser, **context)
