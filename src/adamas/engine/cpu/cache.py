"""Kernel modules on disk: written once under the hash of all that shapes them, then loaded by any process.

Numba keeps machine code beside the module and checks the processor itself. Names are hashes, times are fixed, and
files are moved into place whole: two processes may write the same module at once.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from types import ModuleType

FIXED_TIME = 1_000_000_000  # Numba compares the module's time stamp; equal text must have an equal stamp
_lock = threading.Lock()


def _after_fork() -> None:
    """A lock that another thread held at the fork would never be released in the child."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@cache
def folder() -> Path:
    """Where compiled kernels live: ADAMAS_CACHE_DIR, else the user's cache folder, else a temporary folder."""
    named = os.environ.get("ADAMAS_CACHE_DIR")
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", "~")).expanduser()
    elif sys.platform == "darwin":
        base = Path("~/Library/Caches").expanduser()
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    for candidate in ([Path(named).expanduser()] if named else []) + [base / "adamas"]:
        try:
            candidate.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=candidate):
                return candidate
        except OSError:
            continue
    made = tempfile.mkdtemp(prefix="adamas-")
    atexit.register(_remove, made, os.getpid())
    return Path(made)  # compiled anew in every process; `adamas.info()` shows it


def _remove(folder: str, owner: int) -> None:
    """Remove a temporary cache, unless this is a forked child of its owner."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _foundation() -> bytes:
    """What shapes every kernel besides its own text."""
    text = b"".join(Path(__file__).with_name(name).read_bytes() for name in ("accesses.py", "intrinsics.py"))
    versions = " ".join(importlib.metadata.version(name) for name in ("numba", "llvmlite"))
    return text + f"{versions} {sys.version}".encode()


@cache
def load_module(stem: str, source: str) -> ModuleType:
    """The module of a source text, compiled or from the cache.

    Args:
        stem: begins the file's name.
        source: a Numba module that stands alone.
    """
    digest = hashlib.sha256(_foundation() + source.encode()).hexdigest()[:20]
    name = f"adamas_{stem}_{digest}"
    path = folder() / f"{name}.py"
    with _lock:
        if not path.exists() or path.read_text(encoding="utf-8") != source:
            handle, temporary = tempfile.mkstemp(dir=folder(), suffix=".tmp")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(source)
            os.utime(temporary, (FIXED_TIME, FIXED_TIME))
            os.replace(temporary, path)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return module
