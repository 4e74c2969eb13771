"""Numbers from a CSV file; what is no number is reported by line and column, with the way to mend it."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Advice:
    """How a message says to leave out what cannot be used.

    Attributes:
        rows: Rows with a missing value.
        column: A column; {name!r} stands for its name.
    """

    rows: str
    column: str


OPTIONS = Advice("leave out such rows with --skip-missing", "leave out the column with --drop {name!r}")
EDIT = Advice("leave out such rows", "leave out the column {name!r}")
"""For commands without those options: the user edits the file."""


@dataclass(frozen=True)
class Table:
    """Features and target of a data set.

    Attributes:
        names: Feature names in the order of the columns of `x`.
        x: Features, shape (rows, features), finite.
        y: Target, shape (rows,): finite numbers, or text labels of classes.
        target: Name of the target.
        skipped: Rows left out because of missing values.
    """

    names: list[str]
    x: Floats
    y: NDArray[Any]
    target: str
    skipped: int = 0


def read_csv(
    path: Path, target: str, *, drop: Sequence[str] = (), skip_missing: bool = False, advice: Advice = OPTIONS
) -> Table:
    """Read a CSV file with a header line; separator comma, semicolon or tab, found by looking.

    Args:
        path: The file, UTF-8.
        target: Column to predict; may hold numbers or text labels.
        drop: Columns to leave out.
        skip_missing: Leave out rows with a missing value instead of reporting the first.
        advice: What messages say about leaving out rows and columns.

    Raises:
        InputError: No such file or column, a missing value, or text in a feature; names line and column.
    """
    header, rows = _read(path)
    for name in (target, *drop):
        if name not in header:
            raise InputError(f"{path}: no column {name!r}; the columns are: {', '.join(header)}")
    if target in drop:
        raise InputError(f"{path}: {target!r} is both the target and dropped; choose one")
    features = [name for name in header if name != target and name not in drop]
    if not features:
        raise InputError(f"{path}: no columns left to predict {target!r} from; drop fewer or add some")
    kept: list[list[float]] = []
    labels: list[str] = []
    skipped = 0
    for line, cells in rows:
        values = dict(zip(header, cells, strict=True))
        gap = next((name for name in (*features, target) if values[name].lower() in MISSING), None)
        if gap is not None:
            if skip_missing:
                skipped += 1
                continue
            found = f"({values[gap]!r}) " if values[gap] else ""
            raise InputError(
                f"{path}, line {line}, column {gap!r}: missing value {found}- fill it in, {advice.rows}"
                + ("" if gap == target else f", or {advice.column.format(name=gap)}")
            )
        kept.append([_number(path, line, name, values[name], advice) for name in features])
        labels.append(values[target])
    if len(kept) < 2:
        raise InputError(f"{path}: {len(kept)} rows of data; a fit needs 2 or more")
    return Table(features, np.array(kept), _column(labels), target, skipped)


def header_of(path: Path) -> list[str]:
    """Names of a CSV file's columns, in their order."""
    return _read(path)[0]


def from_arrays(x: Any, y: Any, names: Sequence[str] | None = None) -> Table:
    """Check arrays given from Python.

    Args:
        x: Features, shape (rows, features) or (rows,).
        y: Target, shape (rows,).
        names: One per feature; x1, x2, ... if None.

    Raises:
        InputError: Shapes that do not fit, or values that are not finite; names row and column.
    """
    features = np.asarray(x, np.float64)
    features = features[:, None] if features.ndim == 1 else features
    goal = np.asarray(y)
    if features.ndim != 2 or goal.ndim != 1 or len(features) != len(goal) or len(goal) < 2 or not features.shape[1]:
        raise InputError(
            f"x has shape {np.shape(x)}, y {np.shape(y)}: give (rows, features) and (rows,), 2 rows or more"
        )
    titles = [f"x{i + 1}" for i in range(features.shape[1])] if names is None else list(names)
    if len(titles) != features.shape[1]:
        raise InputError(f"{len(titles)} names for {features.shape[1]} features; give one each")
    for label, block in (("x", features), ("y", goal[:, None])):
        if np.issubdtype(block.dtype, np.number) and not np.isfinite(block).all():
            row, column = np.argwhere(~np.isfinite(block))[0]
            where = f"{label}[{row}, {column}]" if label == "x" else f"y[{row}]"
            raise InputError(f"{where} = {block[row, column]}: values must be finite; fill it in or leave out the row")
    return Table(titles, features, goal, "y")


def _read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and rows with their line numbers; blank lines are skipped."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a CSV file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from error
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    reader = csv.reader(text.splitlines(), delimiter=separator)
    header: list[str] = []
    rows: list[tuple[int, list[str]]] = []
    for cells in reader:
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        if not header:
            header = _check_header(path, cells)
            continue
        if len(cells) != len(header):
            raise InputError(
                f"{path}, line {reader.line_num}: {len(cells)} values for {len(header)} columns; "
                "add or remove separators, or quote values that hold one"
            )
        rows.append((reader.line_num, cells))
    if not header:
        raise InputError(f"{path}: the file is empty; its first line must name the columns")
    return header, rows


def _check_header(path: Path, cells: list[str]) -> list[str]:
    if all(_is_number(cell) for cell in cells):
        raise InputError(f"{path}: the first line holds numbers; it must name the columns, e.g. x,y")
    for place, name in enumerate(cells):
        if not name or name in cells[:place]:
            what = f"{name!r} is there twice" if name else f"column {place + 1} has no name"
            raise InputError(f"{path}, line 1: {what}; give every column a name of its own")
    return cells


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(path: Path, line: int, name: str, text: str, advice: Advice) -> float:
    value = float(text) if _is_number(text) else math.nan
    if math.isfinite(value):
        return value
    what = "not finite" if _is_number(text) else "text, not a number"
    raise InputError(
        f"{path}, line {line}, column {name!r}: {text!r} is {what} - write a number there, "
        f"or {advice.column.format(name=name)}"
    )


def _column(labels: list[str]) -> NDArray[Any]:
    """Numbers if every label is a finite one, else the labels as text."""
    if all(_is_number(label) and math.isfinite(float(label)) for label in labels):
        return np.array([float(label) for label in labels])
    return np.array(labels)
