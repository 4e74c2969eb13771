"""Surfaces and schedules of the page equal Python's; every text and preset of the page is complete."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from adamas import schedules
from adamas.lab.errors import InputError
from adamas.lab.play.functions import function_source
from adamas.lab.play.javascript import Printer, PrintError
from adamas.lab.play.landscapes import landscape_source, landscapes
from adamas.lab.play.page import page
from adamas.lab.play.timetables import KINDS, schedules_source
from adamas.rules import ROLL

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="needs Node.js to run the printed functions")


def evaluate(expression: str) -> Any:
    assert NODE is not None
    program = f"process.stdout.write(JSON.stringify({expression}))"
    return json.loads(subprocess.run([NODE, "-e", program], capture_output=True, text=True, check=True).stdout)


@needs_node
def test_surfaces_and_gradients() -> None:
    rng = np.random.default_rng(3)
    for surface in landscapes():
        points = [[float(rng.uniform(*side)) for side in surface.window] for _ in range(50)]
        source = landscape_source(surface)
        ours = evaluate(f"((s) => {json.dumps(points)}.map((z) => [s.value(z), ...s.gradient(z)]))({source})")
        theirs = [[float(surface.value(np.array(z))), *map(float, surface.gradient(np.array(z)))] for z in points]
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12, err_msg=surface.name)
        for z in points[:10]:
            h = 1e-6
            slope = [(surface.value(z + h * e) - surface.value(z - h * e)) / (2 * h) for e in np.eye(2)]
            np.testing.assert_allclose(surface.gradient(np.array(z)), slope, rtol=1e-4, atol=1e-5, err_msg=surface.name)


@needs_node
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
    for name, schedule in made.items():
        given = json.dumps({f: getattr(schedule, f) for f in schedule.__dataclass_fields__})
        ours = evaluate(f"((s) => Array.from({{ length: 60 }}, (_, k) => s.{name}({given}, k)))({schedules_source()})")
        np.testing.assert_allclose(ours, [schedule(k) for k in range(60)], rtol=1e-13, err_msg=name)


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
    assert len(presets) == 8
    for preset in presets:
        assert {f"preset.{preset['id']}.{part}" for part in ("title", "claim", "see")} <= set(strings)
        for runner in preset["state"]["runners"]:
            assert set(runner["hyper"]) <= {h.name for h in ROLL[runner["member"]].hyper}


def test_another_language_is_refused() -> None:
    with pytest.raises(InputError, match="lang='fr' must be one of en, zh"):
        page("fr")
