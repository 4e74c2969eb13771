"""One writer per folder: a lock of the operating system, which a killed process cannot leave behind."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from .errors import InputError

LOCK = ".lock"
_TAKEN = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES}
_FAR = 1 << 20  # Windows locks bytes: one behind the text, so that others can read who writes


class FolderLock:
    """Keeps a folder for one process; use as a context manager.

    The file `.lock` says who writes. What counts is the lock that the operating system keeps on it: it ends with its
    process, so a file left by a killed one blocks nobody. On a file system without locks it does nothing.

    Args:
        folder: Exists.
        option: How the user named the folder, for the message.

    Raises:
        InputError: On entering: another process writes into the folder, or nobody may.
    """

    def __init__(self, folder: Path, option: str = "--out") -> None:
        self._file = folder / LOCK
        self._folder, self._option = folder, option
        self._descriptor = -1

    def check(self) -> None:
        """Write nothing.

        Raises:
            InputError: Another process writes into the folder.
        """
        with contextlib.suppress(FileNotFoundError):
            descriptor = self._open(os.O_RDWR)
            try:
                self._lock(descriptor)
            finally:
                os.close(descriptor)

    def __enter__(self) -> FolderLock:
        while True:
            descriptor = self._open(os.O_RDWR | os.O_CREAT)
            try:
                self._lock(descriptor)
            except InputError:
                os.close(descriptor)
                raise
            if self._still_there(descriptor):
                break
            os.close(descriptor)  # the writer before us ended and took the file away
        self._descriptor = descriptor
        now = datetime.now(UTC).isoformat(timespec="seconds")
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now}).encode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if sys.platform != "win32":  # taken away while it is ours; Windows removes no open file
            self._file.unlink(missing_ok=True)
        os.close(self._descriptor)
        if sys.platform == "win32":
            with contextlib.suppress(OSError):
                self._file.unlink()

    def _open(self, how: int) -> int:
        try:
            return os.open(self._file, how, 0o644)
        except PermissionError as error:
            raise InputError(
                f"{self._option} {self._folder}: cannot be written ({error.strerror}); give another folder"
            ) from error

    def _lock(self, descriptor: int) -> None:
        try:
            if sys.platform == "win32":
                import msvcrt

                os.lseek(descriptor, _FAR, os.SEEK_SET)
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
                os.lseek(descriptor, 0, os.SEEK_SET)
            else:
                import fcntl

                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _TAKEN:
                return
            raise InputError(
                f"{self._option} {self._folder}: {self._writer()} writes into this folder; "
                f"wait until it ends, stop it, or give another folder"
            ) from None

    def _still_there(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self._file))
        except FileNotFoundError:
            return False

    def _writer(self) -> str:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
            return f"process {found['pid']} on {found['host']}, since {found['since']},"
        except (OSError, ValueError, KeyError):  # it has only just begun
            return "another process"
