"""Composes the page: printed rules, surfaces and schedules, texts, styles and scripts in one HTML file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

import adamas

from ...rules import ROLL, Rule
from ..errors import InputError
from ..i18n import LANGUAGES
from ..style import COLOURS
from .around import around_source
from .javascript import PrintError, object_source
from .landscapes import landscape_source, landscapes
from .members import members_source
from .timetables import schedules_source

SCRIPTS = (
    "dom",
    "state",
    "random",
    "runs",
    "svg",
    "contour",
    "race",
    "anatomy",
    "curves",
    "heat",
    "lessons",
    "sliders",
    "runners",
    "controls",
    "main",
)
"""In the order in which they run."""


def page(lang: str = "en", guest: Rule | None = None) -> str:
    """The playground as HTML that needs nothing but itself.

    Args:
        lang: "en" or "zh", the language at first sight; the page switches between them.
        guest: a rule of the user's own that races beside the family.

    Raises:
        InputError: another language, or a guest that cannot be printed or has the name of a member.
    """
    if lang not in LANGUAGES:
        raise InputError(f"lang={lang!r} must be one of {', '.join(LANGUAGES)}")
    strings = json.loads(_asset("strings.json"))
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    return environment.from_string(_asset("page.html.jinja")).render(
        lang=lang,
        text=lambda key: strings[key][LANGUAGES.index(lang)],
        css=_asset("page.css"),
        data=_data(lang, _members(guest), guest, strings),
        scripts=[(name, _asset(f"{name}.js")) for name in SCRIPTS],
        version=adamas.__version__,
    )


def _members(guest: Rule | None) -> Sequence[Rule]:
    if guest is None:
        return list(ROLL.values())
    if guest.name in ROLL:
        raise InputError(f"rule {guest.name!r}: a member of the family has this name; give yours another one")
    return [*ROLL.values(), guest]


def _data(lang: str, rules: Sequence[Rule], guest: Rule | None, strings: dict[str, list[str]]) -> str:
    """The object `LAB` of the page."""
    try:
        members = members_source(rules)
    except PrintError as error:
        raise InputError(f"the rule cannot be printed as JavaScript: {error}") from error
    plain = {
        "lang": lang,
        "version": adamas.__version__,
        "palette": COLOURS,
        "guest": guest.name if guest else None,
        "strings": strings,
        "presets": json.loads(_asset("presets.json")),
    }
    expressions = {
        "members": members,
        "landscapes": object_source({}, {surface.name: landscape_source(surface) for surface in landscapes()}),
        "schedules": schedules_source(),
        "around": around_source(),
    }
    return object_source(plain, expressions).replace("</", "<\\/")


def _asset(name: str) -> str:
    return files(__package__).joinpath("assets", name).read_text(encoding="utf-8")
