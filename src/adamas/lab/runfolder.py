"""The folder of a run: manifest.json, records.jsonl (streamed), runs.csv, summary.json, figures/.

Readers need nothing but the folder, so records written by hand or by another program are as good as ours.
Numbers that are not finite are written as null; `status` says why.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from .environment import describe_environment
from .errors import InputError

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
RECORDS = "records.jsonl"


class RunFolder:
    """A folder being written; use as a context manager.

    Args:
        path: Created with its parents.
        command: The command line that makes this folder again.
        kind: "compare", "fit" or "minimize".
        settings: Everything that shaped the run: seeds, grids, problems, hyper-parameters.
        overwrite: Write into a folder that already holds files.

    Raises:
        InputError: The path is a file, or holds files and `overwrite` is false.
    """

    def __init__(
        self, path: Path, *, command: str, kind: str, settings: dict[str, Any], overwrite: bool = False
    ) -> None:
        self.path = path
        if path.exists() and not path.is_dir():
            raise InputError(f"--out {path}: this is a file; give a folder")
        if path.is_dir() and any(path.iterdir()) and not overwrite:
            raise InputError(f"--out {path}: the folder is not empty; give another one or add --overwrite")
        try:
            (path / "figures").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--out {path}: cannot be created ({error.strerror}); give another folder") from error
        self.manifest: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "kind": kind,
            "command": command,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "status": "running",
            "settings": settings,
            "environment": describe_environment(),
        }
        self._stream: TextIO | None = None

    def __enter__(self) -> RunFolder:
        write_json(self.path / MANIFEST, self.manifest)
        # line buffering: what was measured stays readable when the process is killed
        self._stream = (self.path / RECORDS).open("w", buffering=1, encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._stream is not None
        self._stream.close()
        self.manifest["status"] = "complete" if kind is None else "failed"
        if error is not None:
            self.manifest["error"] = f"{type(error).__name__}: {error}"
        write_json(self.path / MANIFEST, self.manifest)

    def event(self, kind: str, **fields: Any) -> None:
        """Append one line to records.jsonl."""
        assert self._stream is not None, "open the folder with `with` first"
        self._stream.write(json.dumps(finite({"kind": kind, **fields}), allow_nan=False) + "\n")

    def figure(self, name: str) -> Path:
        """Path of a figure without its ending."""
        return self.path / "figures" / name


def finite(value: Any) -> Any:
    """The same value with numbers that are not finite replaced by None; arrays and tuples become lists."""
    if isinstance(value, dict):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return finite(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if callable(value):
        return getattr(value, "__name__", repr(value))
    raise TypeError(f"{value!r} cannot be written as JSON; give numbers, text, lists and dicts")


def write_json(path: Path, value: Any) -> None:
    """Write JSON with indentation, numbers that are not finite as null."""
    path.write_text(json.dumps(finite(value), indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table; empty cells for None and for numbers that are not finite."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        for row in rows:
            writer.writerow(["" if (cell := finite(item)) is None else cell for item in row])


def read_events(path: Path) -> list[dict[str, Any]]:
    """Lines of records.jsonl; a last line torn by a killed process is left out.

    Raises:
        InputError: Another line is not JSON; the text names it.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    events = []
    for number, line in enumerate(lines, 1):
        try:
            events.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number == len(lines):
                break
            raise InputError(f"{path}, line {number}: not JSON ({error.msg}); mend or delete the line") from error
    return events


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder.

    Raises:
        InputError: There is none, or its schema is newer than this program.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{folder}: no {MANIFEST} here; give the folder of a run") from None
    version = manifest.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InputError(f"{folder}: schema_version {version!r}; this program reads {SCHEMA_VERSION}")
    return manifest
