"""Bytes that each member keeps for a parameter, measured."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np

import adamas
from adamas.rules import ROLL

from ._declare import Outcome, study
from ._drawing import bars

SIZE = 1_000_000


def kept(name: str) -> float:
    """Bytes per float32 parameter of the state's arrays after a step."""
    from ..trial import array_bytes

    optimizer, p = adamas.get(name)(backend="reference"), np.ones(1000, np.float32)
    with np.errstate(all="ignore"):
        optimizer.step(p, np.ones_like(p))
    return array_bytes(optimizer.state_dict()) / p.size


def allocated(name: str) -> float:
    """Bytes per float32 parameter of the arrays that NumPy still holds after the first step, by tracemalloc."""
    warm, small = adamas.get(name)(), np.ones(4, np.float32)
    warm.step(small, small.copy())  # what is compiled is no state
    optimizer, p, g = adamas.get(name)(), np.ones(SIZE, np.float32), np.ones(SIZE, np.float32)
    tracemalloc.start()
    optimizer.step(p, g)
    # arrays only: the objects of Python around them are not the same number of bytes in every process
    arrays = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)
    held = tracemalloc.take_snapshot().filter_traces([arrays]).statistics("filename")
    tracemalloc.stop()
    return sum(entry.size for entry in held) / SIZE


@study(
    claim="Adam needs more memory than gradient descent: two more numbers for each parameter.",
    source="gradient descent series, part 5",
    criterion="For float32 parameters Adam's state holds 8 bytes a parameter, Momentum's 4 and SGD's none; and 8 bytes "
    "to 1 % is what one step of a million parameters leaves allocated in arrays.",
)
def run() -> Outcome:
    """State of every member of the roll; memory that three of them take, as Python's allocator sees it."""
    state = {name: kept(name) for name in ROLL}
    real = {name: allocated(name) for name in ("SGD", "Momentum", "Adam")}
    numbers = {
        "state_bytes_per_parameter": state,
        "allocated_bytes_per_parameter": real,
        "training_bytes_per_parameter": {name: 4 + 4 + state[name] for name in ("SGD", "Momentum", "Adam")},
    }

    def draw(figure: Any) -> None:
        shown = {name: size for name, size in state.items() if name.removesuffix("W") not in state or name[-1] != "W"}
        title = "State of the optimizer, float32 parameters (the twins with a final W take the same)"
        bars(figure.subplots(), list(shown), list(shown.values()), title=title, x="bytes per parameter")

    told = sorted({(size, sum(s == size for s in state.values())) for size in state.values()})
    finding = (
        f"Adam keeps {state['Adam']:g} bytes a parameter (allocated: {real['Adam']:.3f}), Momentum "
        f"{state['Momentum']:g}, SGD {state['SGD']:g}: with parameters and gradients a model takes "
        f"{(8 + state['Adam']) / (8 + state['SGD']):g} times the memory under Adam. Members by size: "
        + ", ".join(f"{size:g} B: {count}" for size, count in told)
        + "."
    )
    exact = [state[name] for name in ("Adam", "Momentum", "SGD")] == [8, 4, 0]
    return Outcome(numbers, exact and abs(real["Adam"] / 8 - 1) <= 0.01, finding, draw)
