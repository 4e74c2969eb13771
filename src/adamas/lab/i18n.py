"""Texts of a report in English and Chinese, by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import InputError
from .i18n_report import TEXTS

LANGUAGES = ("en", "zh")


class Texts:
    """The texts of one language: `texts("key", name=value)`.

    Args:
        lang: "en" or "zh".
        table: By key, the text in each language in the order of `LANGUAGES`; the report's own unless a test says
            otherwise.

    Raises:
        InputError: Another language.
    """

    def __init__(self, lang: str = "en", table: Mapping[str, tuple[str, str]] = TEXTS) -> None:
        if lang not in LANGUAGES:
            raise InputError(f"lang {lang!r}: give one of {', '.join(LANGUAGES)}")
        self.lang = lang
        self._table = table
        self._place = LANGUAGES.index(lang)

    def __call__(self, key: str, **fields: Any) -> str:
        return self._table[key][self._place].format(**fields)

    def english(self, key: str) -> str:
        """The English text, whatever the language: what other programs know it by."""
        return self._table[key][0]

    def column(self, column: str) -> str:
        """Heading of a column of results: "default", "tuned", or the name that a run folder gives it."""
        return self._known("column", column)

    def fact(self, word: str) -> str:
        """A word of the comparison table; words without a translation, such as names, stay as they are."""
        return self._known("fact", word)

    def selection(self, word: str) -> str:
        """How a learning rate was selected: a word of ours, or the sentence that a run folder gives."""
        return self._known("selection", word)

    def _known(self, group: str, word: str) -> str:
        return self(f"{group}.{word}") if f"{group}.{word}" in self._table else word

    def loss(self, problem: Mapping[str, Any]) -> str:
        """What the targets of a problem are about."""
        return self("loss.surface" if problem["surface"] else "loss.valid")

    def join(self, names: list[str]) -> str:
        """A list in a sentence."""
        return self("list.comma").join(names)


ENGLISH = Texts("en")
