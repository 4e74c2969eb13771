"""Tables and progress: nothing cut off, nothing in the way."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from adamas import lab
from adamas.lab.cells import number, ratio, steps_text
from adamas.lab.progress import Progress
from adamas.lab.table import print_lines, print_table

HEADER = ["name", "first column", "second column", "third column"]
ROWS = [["one", "1" * 30, "2" * 30, "3" * 30], ["two", "x", "y", "z"]]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_pipe_gets_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    stream = io.StringIO()
    print_table("title", HEADER, ROWS, stream=stream)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "title"
    assert lines[1].split("   ")[0].strip() == "name"
    assert lines[3].split() == ROWS[0]
    assert lines[4].split() == ROWS[1]


def test_a_narrow_terminal_gets_blocks_that_repeat_the_first_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    print_table("", HEADER, ROWS, stream=stream)
    text = plain(stream.getvalue())
    assert text.count("name") == text.count("one") == text.count("two") == 3
    assert "…" not in text
    for cell in ROWS[0]:
        assert cell in text
    assert max(map(len, text.splitlines())) <= 50


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    print_table("title", HEADER, ROWS, stream=stream)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", stream.getvalue())


def test_brackets_are_text_not_markup() -> None:
    stream = io.StringIO()
    print_table("[bold]", ["[red]a"], [["[/x]"]], stream=stream)
    print_lines(["[1, 2]"], stream=stream)
    for text in ("[bold]", "[red]a", "[/x]", "[1, 2]"):
        assert text in stream.getvalue()


def test_progress_without_a_terminal_is_a_line_every_ten_seconds() -> None:
    stream, now = io.StringIO(), [0.0]
    with Progress(100, "adamas compare", stream=stream, clock=lambda: now[0]) as progress:
        for i in range(50):
            now[0] = i * 0.5
            progress.advance("digits Adam")
    assert stream.getvalue().splitlines() == [
        "adamas compare: 21/100, digits Adam, 10 s",
        "adamas compare: 41/100, digits Adam, 20 s",
    ]


def test_progress_on_a_terminal_is_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with Progress(2, "adamas compare", stream=stream) as progress:
        progress.advance("digits Adam")
        progress.advance("digits Adam")
    assert "2/2" in plain(stream.getvalue())
    assert "\x1b[2K" in stream.getvalue().split("2/2")[-1]  # erased at the end


def test_quiet_is_silent() -> None:
    for stream in (io.StringIO(), Terminal()):
        with Progress(2, "t", quiet=True, stream=stream, clock=iter([0.0, 100.0, 200.0]).__next__) as progress:
            progress.advance("a")
        assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.1, "0.100"), (0.1404, "0.140"), (12.345, "12.3"), (400, "400"), (57940.2, "57940"), (1e6, "1.0e+06"),
     (4e-5, "4.0e-05"), (float("inf"), "inf"), (float("nan"), "-"), (-0.5, "-0.500")],
)  # fmt: skip
def test_number(value: float, text: str) -> None:
    assert number(value) == text


def test_ratio_shows_what_matters_near_one() -> None:
    assert [ratio(v) for v in (1.0016, 0.98, 1.0, 12.0, 0.001)] == ["1.002", "0.980", "1.000", "12.0", "0.00100"]


def test_steps_text_counts_censored_runs() -> None:
    assert steps_text({"median": 12.5, "reached": 6}, 6, 400) == "12.5"
    assert steps_text({"median": float("inf"), "reached": 2}, 6, 400) == ">400 (2/6)"
    assert steps_text({"median": float("inf"), "reached": 0}, 6, 400) == ">400"


def test_every_legend_is_told_its_place() -> None:
    """Without `loc` matplotlib warns when a busy machine takes more than a second to find the best place."""
    package = Path(lab.__file__).parent
    calls = [
        (path.name, call)
        for path in package.rglob("*.py")
        for call in re.findall(r"\.legend\((.*?)\)\n", path.read_text(encoding="utf-8"), re.DOTALL)
    ]
    assert len(calls) > 10
    assert [call for call in calls if "loc=" not in call[1]] == []
