"""`adamas play` as a user calls it."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from adamas.lab.commands import adamas

RULE = """
import adamas
@adamas.rule
def {name}(p, g, new, *, lr=0.01, momentum=0.9):
    new = momentum * new + g
    return p - lr * new, new
"""


def test_it_writes_the_page_and_prints_its_path(tmp_path: Path) -> None:
    result = CliRunner().invoke(adamas, ["play", "--no-open", "--out", str(tmp_path / "new"), "--lang", "zh"])
    assert result.exit_code == 0, result.stderr
    path = Path(result.stdout.strip())
    assert path == (tmp_path / "new" / "playground.html").resolve()
    text = path.read_text(encoding="utf-8")
    assert '<html lang="zh-CN"' in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")


def test_a_rule_of_the_users_own_races_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(RULE.format(name="heavy"))
    words = ["play", "--no-open", "--out", str(tmp_path), "--rule", f"{file}:heavy"]
    result = CliRunner().invoke(adamas, words)
    assert result.exit_code == 0, result.stderr
    text = (tmp_path / "playground.html").read_text(encoding="utf-8")
    assert '"heavy": {' in text
    assert "new: $new" in text


def test_a_rule_that_cannot_be_used_ends_with_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(adamas, ["play", "--no-open", "--out", str(tmp_path), "--rule", "nowhere.py:x"])
    assert result.exit_code == 2
    assert "there is no file" in result.stderr
    assert not (tmp_path / "playground.html").exists()
    file = tmp_path / "mine.py"
    file.write_text(RULE.format(name="Adam"))
    words = ["play", "--no-open", "--out", str(tmp_path), "--rule", f"{file}:Adam"]
    result = CliRunner().invoke(adamas, words)
    assert result.exit_code == 2
    assert "a member of the family has this name" in result.stderr
