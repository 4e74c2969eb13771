"""What runs here, and on how many threads."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from typing import Any

from .engine.cpu import cache, peek, pool


def set_num_threads(number: int) -> None:
    """Set the number of threads of a step, 1 to 1024. Results have the same bits for any number.

    Raises:
        ValueError: not a whole number in that range.
    """
    pool.POOL.threads = pool.check_threads(number, "set_num_threads")


def get_num_threads() -> int:
    """The number of threads that a large step uses: the processors at hand, or ADAMAS_NUM_THREADS."""
    return pool.POOL.threads


def info() -> dict[str, Any]:
    """Versions, processor, threads, back end and cache, for reports and benchmark rows.

    `fast_argument_check` and `torch_fast_look` (None until `adamas.torch` is imported) say whether arrays and tensors
    are looked at in one compiled call; otherwise each step asks them one by one. `torch_paths` names the paths that
    steps of `adamas.torch` have taken so far, each with the kinds of device: "native" and "rows" (our kernels), "torch"
    (torch's own step), "operations" (the rule on torch's operations); `optimizer.paths` counts parameters.
    """
    import llvmlite.binding as llvm

    packages = {}
    for name in ("adamas", "numpy", "numba", "llvmlite", "ml_dtypes", "scipy", "scikit-learn", "torch", "jax", "keras"):
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    features = [n for n, on in llvm.get_host_cpu_features().items() if on]
    widest = "avx512f" if "avx512f" in features else "avx2" if "avx2" in features else "baseline"
    folder = cache.folder()
    torch_look = torch_paths = None
    if "torch" in sys.modules and "adamas.torch" in sys.modules:
        front = sys.modules["adamas.torch"]
        torch_look, torch_paths = front.looks_fast(), front.paths_taken()
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cpu": _cpu_name(),
        "cpu_target": llvm.get_host_cpu_name(),
        "vector_instructions": widest if platform.machine() in ("x86_64", "AMD64") else platform.machine(),
        "processors": os.cpu_count(),
        "threads": get_num_threads(),
        "backend": "cpu",
        "fast_argument_check": peek.available(),
        "torch_fast_look": torch_look,
        "torch_paths": torch_paths,
        "cache_folder": str(folder),
        "cached_kernels": len(list(folder.glob("adamas_*.py"))),
        "versions": packages,
    }


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
