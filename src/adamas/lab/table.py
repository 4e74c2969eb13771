"""Tables on stdout: no cut-off columns, in a pipe or on a narrow terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text


def print_table(
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: Sequence[int] = (0,),
    stream: TextIO | None = None,
) -> None:
    """Print rows of text.

    In a pipe every row is one line, however long. A terminal too narrow for all columns gets several
    tables, one below the other, each repeating the first column. NO_COLOR is respected.

    Args:
        title: Line above the table; empty for none.
        header: One word or two per column.
        rows: Cells as text, as many as the header has.
        left: Columns set flush left; the others are flush right.
        stream: stdout unless a test says otherwise.
    """
    console = Console(file=stream or sys.stdout, highlight=False)
    wide = Console(file=stream or sys.stdout, highlight=False, width=100_000)
    columns = list(range(len(header)))
    blocks = [columns]
    if console.is_terminal:
        blocks = _blocks(columns, header, rows, console.width)
    if title:
        wide.print(Text(title, style="bold"), soft_wrap=True)
    for i, block in enumerate(blocks):
        if i:
            wide.print()
        wide.print(_table(block, header, rows, left))


def print_lines(lines: Sequence[str], *, stream: TextIO | None = None) -> None:
    """Print text as it is: wrapped at words on a terminal, one line each in a pipe."""
    console = Console(file=stream or sys.stdout, highlight=False)
    for line in lines:
        console.print(Text(line), soft_wrap=not console.is_terminal)


def _table(columns: Sequence[int], header: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i in columns:
        table.add_column(Text(header[i]), justify="left" if i in left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(row[i]) for i in columns))
    return table


def _blocks(columns: list[int], header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[list[int]]:
    """Columns packed from the left into as few blocks as the width allows, the first column in each."""
    measure = Console(width=100_000)
    blocks: list[list[int]] = [[columns[0]]]
    for i in columns[1:]:
        wanted = Measurement.get(measure, measure.options, _table([*blocks[-1], i], header, rows, ())).maximum
        if wanted > width and len(blocks[-1]) > 1:
            blocks.append([columns[0], i])
        else:
            blocks[-1].append(i)
    return blocks
