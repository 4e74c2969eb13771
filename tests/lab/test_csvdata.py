"""Bad CSV files: the message names line and column and says how to mend it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_race import invoke

from adamas.lab.csvdata import read_csv
from adamas.lab.errors import InputError


def save(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,y\n1,2\n,3\n4,5\n", "line 3, column 'a': missing value - fill it in, leave out such rows with "
         "--skip-missing, or leave out the column with --drop 'a'"),
        ("a,y\n1,2\nNA,3\n4,5\n", "line 3, column 'a': missing value ('NA') - fill it in"),
        ("a,y\n1,2\n\n3,?\n", "line 4, column 'y': missing value ('?') - fill it in, leave out such rows with "
         "--skip-missing"),
        ("a,y\n1,2\nred,3\n", "line 3, column 'a': 'red' is text, not a number - write a number there, "
         "or leave out the column with --drop 'a'"),
        ("a,y\n1,2\ninf,3\n", "line 3, column 'a': 'inf' is not finite"),
        ("a,y\n1,2\n3\n", "line 3: 1 values for 2 columns"),
        ("a,y\n1,2\n3,4,5\n", "line 3: 3 values for 2 columns"),
        ("1,2\n3,4\n", "the first line holds numbers; it must name the columns"),
        ("a,a,y\n1,2,3\n", "line 1: 'a' is there twice"),
        ("a,,y\n1,2,3\n", "line 1: column 2 has no name"),
        ("b,z\n1,2\n3,4\n", "no column 'y'; the columns are: b, z"),
        ("y\n1\n2\n", "no columns left to predict 'y' from"),
        ("a,y\n1,2\n", "1 rows of data; a fit needs 2 or more"),
        ("", "the file is empty"),
        ('a,y\n"two\nlines",3\n4,5\n', "line 3, column 'a'"),
    ],
)  # fmt: skip
def test_messages(tmp_path: Path, text: str, message: str) -> None:
    path = save(tmp_path, text)
    with pytest.raises(InputError) as error:
        read_csv(path, "y")
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    result = invoke("fit", path, "--target", "y", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_csv(tmp_path / "nosuch.csv", "y")
    with pytest.raises(InputError, match="not UTF-8 at byte 7"):
        read_csv(save(tmp_path, "a,y\n1,2é", "latin-1"), "y")
    with pytest.raises(InputError, match="both the target and dropped"):
        read_csv(save(tmp_path, "a,y\n1,2\n3,4\n"), "y", drop=["y"])


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_line_ends_and_byte_order_mark(tmp_path: Path, separator: str, end: str) -> None:
    lines = [["a b", "c", "y"], ["1", " 2.5", "3"], ["-4e2", "5", "6"]]
    text = "\ufeff" + end.join(separator.join(cells) for cells in lines) + end
    table = read_csv(save(tmp_path, text), "y")
    assert table.names == ["a b", "c"]
    np.testing.assert_array_equal(table.x, [[1, 2.5], [-400, 5]])
    np.testing.assert_array_equal(table.y, [3, 6])


def test_mending_as_the_messages_say(tmp_path: Path) -> None:
    path = save(tmp_path, "a,b,y\n1,red,2\n,blue,3\n4,red,5\n6,red,7\n")
    table = read_csv(path, "y", drop=["b"], skip_missing=True)
    assert (table.names, table.skipped) == (["a"], 1)
    np.testing.assert_array_equal(table.x[:, 0], [1, 4, 6])
    assert read_csv(path, "b", drop=["a"]).y.tolist() == ["red", "blue", "red", "red"]
    result = invoke(
        "fit", path, "--target", "y", "--drop", "b", "--skip-missing", "--steps", "3", "--out", tmp_path / "o"
    )
    assert result.exit_code == 0
    assert "1 rows with missing values were left out" in result.stdout


def test_linear_on_text_says_what_to_use(tmp_path: Path) -> None:
    path = save(tmp_path, "a,y\n1,red\n2,blue\n3,red\n")
    result = invoke("fit", path, "--target", "y", "--model", "linear", "--out", tmp_path / "o")
    assert result.exit_code == 2
    assert "holds text such as 'red'; use --model logistic" in result.stderr
