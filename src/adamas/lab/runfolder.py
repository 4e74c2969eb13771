"""The folder of a run: manifest.json, records.jsonl (streamed), runs.csv, summary.json, figures/.

Readers need nothing but the folder, so records written by hand or by another program are as good as ours.
Numbers that are not finite are written as null; `status` says why.
"""

from __future__ import annotations

import contextlib
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
from .folderlock import LOCK, FolderLock

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
RECORDS = "records.jsonl"


class RunFolder:
    """A folder being written; use as a context manager.

    Args:
        path: Created with its parents.
        command: The command line that makes this folder again.
        kind: "compare", "sweep", "fit" or "minimize".
        settings: Everything that shaped the run: seeds, grids, problems, hyper-parameters.
        overwrite: Write into a folder that already holds files.
        resume: Continue a folder of the same settings: finished runs stay, an unfinished one is cut off. An
            absent or empty folder is begun.

    Raises:
        InputError: The path is a file, or holds files and neither `overwrite` nor `resume` is true; or the
            folder to resume was made with other settings; or another process writes into it.
    """

    def __init__(
        self,
        path: Path,
        *,
        command: str,
        kind: str,
        settings: dict[str, Any],
        overwrite: bool = False,
        resume: bool = False,
    ) -> None:
        self.path = path
        if resume and overwrite:
            raise InputError("--resume keeps what --overwrite would replace; give one of them")
        if path.exists() and not path.is_dir():
            raise InputError(f"--out {path}: this is a file; give a folder")
        self._lock = FolderLock(path)
        self._lock.check()
        full = path.is_dir() and any(file.name != LOCK for file in path.iterdir())
        if full and not overwrite and not resume:
            raise InputError(f"--out {path}: the folder is not empty; give another one, --resume or --overwrite")
        before = _same_settings(path, kind, settings) if full and resume else None
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
        self.resumed = before is not None
        if before is not None:
            again = {"at": self.manifest["created"], "environment": self.manifest["environment"]}
            self.manifest |= {key: before[key] for key in ("command", "created", "environment")}
            self.manifest["resumed"] = [*before.get("resumed", []), again]
        self._stream: TextIO | None = None

    def __enter__(self) -> RunFolder:
        with contextlib.ExitStack() as undo:
            undo.enter_context(self._lock)
            write_json(self.path / MANIFEST, self.manifest)
            # line buffering: what was measured stays readable when the process is killed
            records = self.path / RECORDS
            if self.resumed and records.is_file():
                keep_finished(records)
            self._stream = records.open("a" if self.resumed else "w", buffering=1, encoding="utf-8")
            undo.pop_all()  # from here on `__exit__` unlocks
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._stream is not None
        with contextlib.ExitStack() as last:
            last.push(self._lock)
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


def _same_settings(path: Path, kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The manifest of a folder to resume.

    Raises:
        InputError: There is none, or it was made by another command or with other settings.
    """
    manifest = read_manifest(path)
    found = difference({"kind": manifest["kind"], **manifest["settings"]}, finite({"kind": kind, **settings}))
    if found is not None:
        where, old, new = found
        raise InputError(
            f"--resume {path}: {where} was {old!r} and is now {new!r}; "
            f"give the same settings ({manifest['command']}) or another --out"
        )
    return manifest


_ABSENT = "absent"


def difference(old: Any, new: Any, where: str = "") -> tuple[str, Any, Any] | None:
    """The first place where two nestings of plain values differ: its path, the old value and the new one."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            found = difference(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{where}.{key}" if where else key)
            if found is not None:
                return found
        return None
    return None if old == new else (where, old, new)


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
            writer.writerow(map(_cell, row))


def _cell(item: Any) -> Any:
    """What stands in a cell; the kinds that fill the long tables come first."""
    if isinstance(item, float):
        return item if math.isfinite(item) else ""
    if isinstance(item, str | int):
        return item
    found = finite(item)
    return "" if found is None else found


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


def keep_finished(path: Path) -> None:
    """Take the lines of runs without an end out of records.jsonl, and a torn last line."""
    events = read_events(path)
    ended = {event["run_id"] for event in events if event["kind"] == "end"}
    kept = [event for event in events if "run_id" not in event or event["run_id"] in ended]
    beside = path.with_suffix(".part")
    beside.write_text("".join(json.dumps(event) + "\n" for event in kept), encoding="utf-8")
    beside.replace(path)  # at once: a second kill loses nothing


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
