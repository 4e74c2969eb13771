"""Values in a form that compares to the bit, and a Python process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

TESTS = Path(__file__).parent
SOURCE = TESTS.parent / "src"
GUARD = 900.0
"""Seconds after which a process or a thread counts as hanging. No test is faster or slower than a bar: what takes a
second may take a minute where others are at work."""


def bits(value: Any) -> Any:
    """Arrays by dtype, shape and bytes; floats by type and pattern; structures piece by piece."""
    if isinstance(value, dict):
        return {k: bits(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [bits(v) for v in value]
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, (float, np.floating)):
        return type(value).__name__, np.asarray(value).tobytes()
    return value


def label(value: Any) -> str:
    """The repr without addresses: an id of a test, which must be the same in every process of a run."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def python(code: str, *arguments: str, folder: Path | None = None, **environment: str | None) -> str:
    """Run code in a fresh process with this source tree and these tests' helpers; returns stdout.

    Args:
        code: given to `python -c`.
        arguments: `sys.argv[1:]`.
        folder: working directory.
        environment: variables to set, or to take away where None.
    """
    variables: Mapping[str, str | None] = {**os.environ, "PYTHONPATH": f"{SOURCE}{os.pathsep}{TESTS}", **environment}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        env={n: v for n, v in variables.items() if v is not None},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=GUARD,
    )
    if done.returncode:
        raise AssertionError(f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout
