"""Where a run was made: versions, processor, threads, commit. Nothing of the user's own folders."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import adamas

PACKAGES = ("numpy", "numba", "scipy", "scikit-learn", "matplotlib")


def describe_environment() -> dict[str, Any]:
    """Plain facts for the manifest."""
    info = adamas.info()
    return {
        "adamas": adamas.__version__,
        "git_commit": git_commit(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": str(info.get("cpu", platform.processor() or "unknown")),
        "threads": info.get("threads"),
        "byte_order": sys.byteorder,
        "packages": {name: _version(name) for name in PACKAGES},
    }


def git_commit() -> str | None:
    """Commit of the checkout that this package runs from; None for an installed package or without git."""
    here = Path(adamas.__file__).resolve().parent
    try:
        _git(here, "ls-files", "--error-unmatch", "__init__.py")  # a foreign repository around us does not count
        commit = _git(here, "rev-parse", "HEAD").strip()
        changed = _git(here, "status", "--porcelain", "--untracked-files=no", ".").strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit} (with changes)" if changed else commit


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
