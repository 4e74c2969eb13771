"""Tensors divided among engines: with what they tell each other, the parts step to the bits of the whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
import pytest

import adamas
from adamas.engine.step import enlargement
from adamas.engine.survey import Met, Sum

ROWS = (5, 2, 0)  # of the first tensor, for each of three engines; the second tensor is the last engine's


class Desk:
    """One of several engines; all meet at a barrier to exchange what they know."""

    by_row = False
    masks = True
    narrow = False

    def __init__(self, place: int, board: list[Any], barrier: threading.Barrier):
        self.place, self.board, self.barrier = place, board, barrier

    def exchange(self, mine: Any) -> list[Any]:
        """What all have to say."""
        self.board[self.place] = mine
        self.barrier.wait(timeout=60)
        found = list(self.board)
        self.barrier.wait(timeout=60)
        return found

    def total(self, sums: Sequence[Sum], narrow: bool) -> Sum:
        """See `Spread`."""
        return sum(self.exchange(sum(sums, Sum())), Sum())

    def enlargements(self, kept: Sequence[int | None]) -> list[float]:
        """See `Spread`."""
        found = self.exchange(list(kept))
        first = enlargement(7 * 3, sum(counts[0] for counts in found if counts))
        return [first, *[enlargement(4, n or 0) for n in kept[1:]]]

    def overflows(self, here: Callable[[], bool]) -> bool:
        """See `Spread`."""
        return any(self.exchange(here()))

    def met(self, here: Met) -> Met:
        """See `Spread`."""
        return reduce(or_, self.exchange(here))


def split(arrays: Sequence[np.ndarray[Any, Any]]) -> list[list[np.ndarray[Any, Any]]]:
    """The parts of each engine."""
    parts = np.split(arrays[0], np.cumsum(ROWS)[:-1])
    return [[part.copy()] for part in parts[:-1]] + [[parts[-1].copy(), arrays[1].copy()]]


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("nonfinite", ["skip", "propagate"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, about what is not finite
def test_parts_step_as_the_whole_does(backend: str, nonfinite: str) -> None:
    """Norm, mask, skipped steps and counters of engines that hold parts, against one that holds all."""
    rng = np.random.default_rng(3)
    settings: dict[str, Any] = {"lr": 0.01, "cautious": True, "nonfinite": nonfinite, "backend": backend}
    settings |= {"clip_norm": 0.5} if nonfinite == "skip" else {}
    whole = [rng.standard_normal(shape).astype(np.float32) for shape in ((7, 3), (4,))]
    held = split(whole)
    one, many = adamas.Lion(**settings), [adamas.Lion(**settings) for _ in held]
    barrier, board = threading.Barrier(len(held)), [None] * len(held)
    for place, opt in enumerate(many):
        opt._engine.spread = Desk(place, board, barrier)
    for step in range(4):
        gradients = [
            (rng.standard_normal(x.shape) * np.exp(4 * rng.standard_normal(x.shape))).astype(np.float32) for x in whole
        ]
        if step == 2:
            gradients[0][6, 2] = np.inf
        parts = split(gradients)
        errors: list[BaseException] = []

        def run(k: int, parts: Any = parts, errors: Any = errors) -> None:
            try:
                many[k].step(held[k], parts[k])
            except BaseException as error:
                errors.append(error)
                barrier.abort()

        threads = [threading.Thread(target=run, args=(k,)) for k in range(len(held))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors, errors
        one.step(whole, gradients)
        for mine, expected in zip(held, split(whole), strict=True):
            for a, b in zip(mine, expected, strict=True):
                assert a.tobytes() == b.tobytes()
        assert len({repr(opt.last_norm) for opt in (one, *many)}) == 1
        assert all(opt.counters == one.counters for opt in many)
    assert one.counters["nonfinite"] == 1
    assert one.counters["skipped"] == (nonfinite == "skip")
