"""First use in a fresh process: what adamas adds to importing NumPy, with kernels in the cache."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

NUMPY = "import numpy as np; x = np.ones(3); g = np.ones(3)"
ADAMAS = NUMPY + "; import adamas; opt = adamas.Adam(); opt.step(x, g); assert x[0] != 1"


def first_use(turns: int) -> tuple[float, float]:
    """Seconds of a process that takes a first step, and of one that only imports NumPy: medians over turns."""
    _seconds(ADAMAS)  # fills the cache
    pairs = [(_seconds(ADAMAS), _seconds(NUMPY)) for _ in range(turns)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def _seconds(program: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    return time.perf_counter() - begin
