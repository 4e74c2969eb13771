"""Surfaces and schedules of the page equal Python's; every text and preset of the page is complete."""

from __future__ import annotations

import ast
import json
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from runtime import RUNTIMES, evaluate

from adamas import schedules
from adamas.lab.errors import InputError
from adamas.lab.play.functions import function_source
from adamas.lab.play.javascript import Printer, PrintError
from adamas.lab.play.landscapes import landscape_source, landscapes
from adamas.lab.play.page import page
from adamas.lab.play.recording import recorded_source
from adamas.lab.play.timetables import KINDS, schedules_source
from adamas.lab.surfaces import SURFACES
from adamas.rules import ROLL


def points(surface: Any) -> list[list[float]]:
    """Random points of the window, the start and the origin."""
    rng = np.random.default_rng(3)
    random = [[float(rng.uniform(*side)) for side in surface.window] for _ in range(50)]
    return [*random, list(surface.start), [0.0, 0.0]]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_surfaces_and_gradients(runtime: str) -> None:
    sources = ", ".join(f"{s.name!r}: {landscape_source(s)}" for s in landscapes())
    given = {surface.name: points(surface) for surface in landscapes()}
    ours = evaluate(
        f"((all) => Object.entries(given).map(([name, list]) => list.map((z) => [all[name].value(z), "
        f"...all[name].gradient(z)])))({{ {sources} }})",
        given,
        runtime,
    )
    for surface, found in zip(landscapes(), ours, strict=True):
        theirs = [[surface.value(z), *surface.gradient(z)] for z in map(np.array, given[surface.name])]
        np.testing.assert_allclose(found, theirs, rtol=1e-12, atol=1e-15, err_msg=surface.name)
        for z in given[surface.name][:10]:
            h = 1e-6
            slope = [(surface.value(z + h * e) - surface.value(z - h * e)) / (2 * h) for e in np.eye(2)]
            np.testing.assert_allclose(surface.gradient(np.array(z)), slope, rtol=1e-4, atol=1e-5, err_msg=surface.name)


def test_the_laboratorys_own_surfaces_are_all_there() -> None:
    assert [s.name for s in landscapes()] == [*SURFACES, "tilt"]


def test_a_surface_is_recorded_as_numpy_computes_it() -> None:
    def value(z: Any) -> Any:
        x, y = z
        return np.sum(np.minimum(z**2, 3.0), axis=0) + sum(-k * x * y**k for k in (1, 3))

    assert recorded_source(value) == (
        "([x, y]) => { return Math.min(x * x, 3) + Math.min(y * y, 3) + (0 + -1 * x * y + -3 * x * Math.pow(y, 3)); }"
    )


@pytest.mark.parametrize(
    ("surface", "message"),
    [
        (lambda z: np.arctan(z[0]), "np.arctan"),
        (lambda z: np.cumsum(z), "np.cumsum"),
        (lambda z: z[0] if z[0] > 0 else z[1], "np.greater"),
        (lambda z: z[0] if z[0] == 0 else z[1], "cannot branch"),
    ],
)
def test_a_surface_that_cannot_be_recorded_is_named(surface: Any, message: str) -> None:
    with pytest.raises(PrintError, match=message):
        recorded_source(surface)


@pytest.mark.javascript
def test_schedules() -> None:
    made = {
        "constant": schedules.constant(0.7),
        "linear": schedules.linear(1.0, steps=40, end=0.2),
        "cosine": schedules.cosine(1.0, steps=40, end=0.2),
        "exponential": schedules.exponential(1.0, 0.9, end=0.05),
        "inverse_time": schedules.inverse_time(1.0, 0.3),
        "piecewise": schedules.piecewise([1.0, 0.5, 0.25], [10, 30]),
        "warmup": schedules.warmup(0.8, steps=12, skip_start=True),
    }
    assert set(made) == set(KINDS)
    given = {name: {f: getattr(s, f) for f in s.__dataclass_fields__} for name, s in made.items()}
    ours = evaluate(
        "((all) => Object.entries(given).map(([name, self]) => Array.from({ length: 60 }, (_, k) => all[name](self, k))))"
        f"({schedules_source()})",
        given,
    )
    for (name, schedule), found in zip(made.items(), ours, strict=True):
        np.testing.assert_allclose(found, [schedule(k) for k in range(60)], rtol=1e-13, err_msg=name)


@pytest.mark.parametrize(
    ("python", "javascript"),
    [
        ("a - (b - c)", "a - (b - c)"),
        ("(a - b) - c", "a - b - c"),
        ("a / (b * c)", "a / (b * c)"),
        ("-(a + b)", "-(a + b)"),
        ("a ** b * c", "Math.pow(a, b) * c"),
        ("(a > b) | (a != a) & (b < c)", "a > b || a !== a && b < c"),
        ("where(a == 0, b, sqrt(c + new))", "a === 0 ? b : Math.sqrt(c + $new)"),
        ("1e-300 + 2.0", "1e-300 + 2"),
    ],
)
def test_expressions(python: str, javascript: str) -> None:
    assert Printer().text(ast.parse(python, mode="eval").body) == javascript


def test_what_cannot_be_printed_is_named() -> None:
    with pytest.raises(PrintError, match=r"sinh\(a\)"):
        Printer().text(ast.parse("sinh(a)", mode="eval").body)

    def loops(z: Any) -> Any:
        for _ in z:
            pass

    with pytest.raises(PrintError, match="for _ in z"):
        function_source(loops)


def test_every_text_has_both_languages_and_every_key_exists() -> None:
    folder = files("adamas.lab.play").joinpath("assets")
    strings = json.loads(folder.joinpath("strings.json").read_text(encoding="utf-8"))
    assert all(len(pair) == 2 and all(pair) for pair in strings.values())
    for english, chinese in strings.values():
        braces = [sorted(part.split("}")[0] for part in text.split("{")[1:]) for text in (english, chinese)]
        assert braces[0] == braces[1], english
    presets = json.loads(folder.joinpath("presets.json").read_text(encoding="utf-8"))
    assert len(presets) == 10
    for preset in presets:
        assert {f"preset.{preset['id']}.{part}" for part in ("title", "claim", "see")} <= set(strings)
        for runner in preset["state"]["runners"]:
            assert set(runner["hyper"]) <= {h.name for h in ROLL[runner["member"]].hyper}


def test_another_language_is_refused() -> None:
    with pytest.raises(InputError, match="lang='fr' must be one of en, zh"):
        page("fr")
