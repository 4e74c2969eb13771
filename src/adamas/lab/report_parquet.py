"""The long table of all runs as Parquet, where pyarrow is installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from .records import LONG_HEADER, Run, long_rows


def has_parquet() -> bool:
    """Is pyarrow installed?"""
    return find_spec("pyarrow") is not None


def write_parquet(path: Path, runs: Sequence[Run]) -> None:
    """The columns of runs.csv with their types; numbers that are not finite stay what they are.

    Needs pyarrow (see `has_parquet`).
    """
    import pyarrow
    from pyarrow import parquet

    text, number, whole = pyarrow.string(), pyarrow.float64(), pyarrow.int64()
    types = dict.fromkeys(LONG_HEADER, text) | {"lr": number, "seed": whole, "step": whole, "value": number}
    schema = pyarrow.schema(list(types.items()))
    columns = list(zip(*long_rows(runs), strict=True))
    table = pyarrow.table(dict(zip(LONG_HEADER, map(list, columns), strict=True)), schema=schema)
    parquet.write_table(table, path)
