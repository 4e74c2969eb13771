"""A dropped NumPy optimizer gives its memory back at once: nothing of it is part of a reference cycle."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

import adamas
from adamas.lab.batched import Rows


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Only reference counts free anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("rule", ["Adam", "SGD", "NAdam", "AdEMAMix"])
def test_numpy_optimizers_are_freed_at_once(rule: str, backend: str) -> None:
    opt = getattr(adamas, rule)(backend=backend, clip_norm=1.0)
    x = {"a": np.ones(50), "b": np.ones(3)}
    for _ in range(3):
        opt.step(x, {"a": np.ones(50), "b": np.ones(3)})
    opt.load_state_dict(opt.state_dict())
    opt.step(x, {"a": np.ones(50), "b": np.ones(3)})
    with pytest.raises(ValueError, match="shape"):
        opt.step(x, {"a": np.ones(51), "b": np.ones(3)})
    opt.step(x, {"a": np.ones(50), "b": np.ones(3)})
    parts = [weakref.ref(opt._engine), *(weakref.ref(a) for held in opt._engine.state.values() for a in held.values())]
    if opt._plan is not None:
        parts.append(weakref.ref(opt._plan))
    assert (opt._plan is not None) is (backend == "cpu")
    del opt
    assert [part() for part in parts] == [None] * len(parts)


def test_a_batch_of_runs_is_freed_at_once() -> None:
    run = Rows("adam", np.ones((4, 2)), {"lr": [0.1, 0.2, 0.3, 0.4]})
    for _ in range(3):
        run.step()
    part = weakref.ref(run._engine)
    del run
    assert part() is None
