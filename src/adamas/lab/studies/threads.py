"""Parallel computing changes the time of a step, never its bits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import adamas

from ..style import COLOURS
from . import Outcome, study
from ._training import label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ELEMENTS, STEPS, SEED = 4_000_000, 8, 0
THREADS = (1, 2, 3)
Floats = NDArray[np.float32]


def train(threads: int, parts: int) -> tuple[Floats, float]:
    """AdamW with clipping by the global norm on fixed gradients, the parameters cut into parts.

    Returns:
        All parameters in one array, and the median time of a step in ms.
    """
    rng = np.random.default_rng(SEED)
    whole = rng.standard_normal(ELEMENTS, np.float32)
    gradient = rng.standard_normal(ELEMENTS, np.float32)
    bounds = np.linspace(0, ELEMENTS, parts + 1).astype(int)[1:-1]
    params, grads = np.split(whole, bounds), np.split(gradient, bounds)
    adam, times = adamas.AdamW(lr=1e-3, clip_norm=1.0), []
    before = adamas.get_num_threads()
    adamas.set_num_threads(threads)
    try:
        for _ in range(STEPS):
            begin = time.perf_counter()
            adam.step(params, grads)
            times.append(1e3 * (time.perf_counter() - begin))
    finally:
        adamas.set_num_threads(before)
    return whole, float(np.median(times[1:]))


@study(
    claim="A step can be computed in parallel without changing its result.",
    source="principle and practice of Adam, a tutorial, on parallel computing",
    criterion="AdamW with clipping by the global norm gives the same bits on 1, 2 and 3 threads, and with the "
    "parameters in 1 and in 7 tensors. Times are reported, not judged.",
)
def run() -> Outcome:
    """Four million float32 parameters, eight steps."""
    reference, _ = train(1, 1)
    runs = {(threads, parts): train(threads, parts) for threads in THREADS for parts in (1, 7)}
    differing = {key: int(np.sum(p.view(np.uint32) != reference.view(np.uint32))) for key, (p, _) in runs.items()}
    moved = int(np.sum(reference != np.random.default_rng(SEED).standard_normal(ELEMENTS, np.float32)))
    milliseconds = {threads: runs[threads, 1][1] for threads in THREADS}
    passed = not any(differing.values()) and moved == ELEMENTS
    finding = (
        f"{max(differing.values())} of {ELEMENTS} parameters differ in any of {len(runs)} runs; one thread takes "
        f"{milliseconds[1] / milliseconds[2]:.2f} times as long as two on this machine."
    )

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.set_axisbelow(True)
        axes.bar([str(threads) for threads in THREADS], list(milliseconds.values()), 0.5, color=COLOURS[0])
        label(
            axes,
            "Four million parameters: the bits are the same, the time is not",
            "threads",
            "time of a step (ms)",
            legend=False,
        )

    numbers: dict[str, Any] = {
        "parameters": ELEMENTS,
        "parameters_moved": moved,
        "differing_bits": {f"threads {threads}, tensors {parts}": n for (threads, parts), n in differing.items()},
        "time_of_a_step_ms": {str(threads): value for threads, value in milliseconds.items()},
        "time_ratio_1_to_2_threads": milliseconds[1] / milliseconds[2],
    }
    return Outcome(numbers, passed, finding, draw)
