"""Speed as ratios: contestants take turns within one run; medians over the turns; bars beside the figures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

import adamas
from adamas.numpy import Optimizer

from .bench_peers import (
    GPT2,
    Contestant,
    Shapes,
    copy_step,
    has_torch,
    kernel_step,
    numpy_step,
    resnet50,
    torch_step,
    tutorial_step,
)  # fmt: skip
from .bench_process import Job, rows_of, user_class
from .bench_start import first_use
from .errors import InputError, LabError

SAME_TRAFFIC = {0: "SGD", 1: "Momentum", 2: "Adam", 3: "AMSGrad", 4: "Adan"}  # by number of state arrays
SETTLE = 0.05  # seconds before a turn: threads of the contestant before spin for some milliseconds after their work
STEP = ": step in it"  # added to a name where only the optimizer's part of a training iteration is meant
ALIKE = 1e-2  # a thousand times the rounding of a step; any other formula or setting differs by more
WARM = 3  # first calls of a turn are not counted: they meet another contestant's caches


@dataclass(frozen=True)
class Case:
    """One race.

    Attributes:
        name: on the command line.
        what: one line.
        shapes: of the parameters, float32.
        ours: makers of our contestants.
        peers: makers of the peers, with the ratio peer / ours that we aim for.
        turns: how often each contestant has its turn; calls: timed calls in a turn.
        limit_us: bar on our own time, if there is one.
    """

    name: str
    what: str
    shapes: Shapes
    ours: Sequence[Callable[[Shapes], Contestant]]
    peers: Sequence[tuple[Callable[[Shapes], Contestant], tuple[float | None, ...]]]
    turns: int
    calls: int
    limit_us: float | None = None


@dataclass(frozen=True)
class Row:
    """One of ours against one peer. Times in microseconds; ratio = peer / ours, so above 1 we are faster."""

    case: str
    what: str
    elements: int
    ours: str
    peer: str
    ours_us: float
    peer_us: float
    ratio: float
    ratio_low: float
    ratio_high: float
    bar: float | None
    met: bool | None


def _fused(shapes: Shapes) -> Contestant:
    return torch_step(shapes, fused=True)


def _default(shapes: Shapes) -> Contestant:
    return torch_step(shapes, fused=False)


def cases(user: type[Optimizer], quick: bool) -> list[Case]:
    """All races. `quick` shrinks the large ones 64 times: it shows that they run, not how fast."""
    big = 1_000_000 if quick else 64_000_000
    gpt2 = GPT2[2:14] if quick else GPT2
    slots = len([s for s in user.rule.slots if not s.scalar])
    builtin = adamas.get(SAME_TRAFFIC.get(slots, "Adan"))
    few = 2 if quick else 7
    return [
        Case(
            "memory", "64 M elements, far beyond the caches", ((big,),),
            [numpy_step], [(_fused, (1.0,)), (copy_step, (0.95,))], 2 * few + 1, 4,
        ),
        Case("tutorial", "64 M elements", ((big,),), [numpy_step], [(tutorial_step, (12.0,))], few, 1),
        Case("cache", "260 k elements, in cache", ((260_000,),), [numpy_step], [(_fused, (2.0,))], 4 * few, 60),
        Case(
            "small", "1000 tensors of 64", ((64,),) * 1000,
            [numpy_step, kernel_step], [(_fused, (5.0, 20.0))], 2 * few, 20,
        ),
        Case("gpt2", "GPT-2 124M shapes", gpt2, [numpy_step], [(_fused, (1.0,)), (_default, (5.0,))], few, 3),
        Case("resnet50", "ResNet-50 shapes", resnet50(), [numpy_step], [(_fused, (1.0,)), (_default, (5.0,))], few, 4),
        Case("two", "one call on 2 elements", ((2,),), [numpy_step], [(_fused, (None,))], 4 * few, 300, 10.0),
        Case(
            "user-rule", f"{user.rule.name} against {builtin.rule.name}, 16 M elements", ((big // 4,),),
            [lambda s: numpy_step(s, user, user.rule.name)],
            [(lambda s: numpy_step(s, builtin, builtin.rule.name), (0.95,))], 2 * few, 4,
        ),
    ]  # fmt: skip


FIRST_USE, FIRST_USE_LIMIT_US = "first-use", 1e6


def run_first_use(turns: int) -> Row:
    """The first step in a fresh process, beside a process that only imports NumPy."""
    with_step, without = (seconds * 1e6 for seconds in first_use(turns))
    added = with_step - without
    what, nan = "a fresh process with a warm cache, over importing NumPy", float("nan")
    return Row(
        FIRST_USE,
        what,
        3,
        "adamas added",
        "import numpy",
        added,
        without,
        nan,
        nan,
        nan,
        None,
        added <= FIRST_USE_LIMIT_US,
    )


def run_case(case: Case) -> list[Row]:
    """Run one race. Contestants take turns, and the order of the turns is reversed each time.

    Raises:
        LabError: a contestant's steps did not change its parameters, or not as another's.
    """
    peers = [(maker, bars) for maker, bars in case.peers if has_torch() or maker not in (_fused, _default)]
    ours = [maker(case.shapes) for maker in case.ours]
    others = [maker(case.shapes) for maker, _ in peers]
    everyone = (*ours, *others)
    before = [one.probe() for one in everyone]
    times = {id(one): np.zeros((2, case.turns)) for one in everyone}
    for turn in range(case.turns):
        for one in everyone[:: -1 if turn % 2 else 1]:
            times[id(one)][:, turn] = _turn(one, case.calls)
    _check(case, everyone, before)
    rows = []
    elements = sum(int(np.prod(shape)) for shape in case.shapes)
    for k, mine in enumerate(ours):
        whole, inside = times[id(mine)]
        if not others:
            rows.append(_row(case, elements, mine.name, "", whole, None, None))
        for other, (_, bars) in zip(others, peers, strict=True):
            rows.append(_row(case, elements, mine.name, other.name, whole, times[id(other)][0], bars[k]))
        for other in others:
            if mine.inside and other.inside:
                names = f"{mine.name}{STEP}", f"{other.name}{STEP}"
                rows.append(_row(case, elements, *names, inside, times[id(other)][1], None))
    return rows


def _turn(one: Contestant, calls: int) -> tuple[float, float]:
    """Median seconds of a call within one turn, and of the optimizer's step inside it."""
    time.sleep(SETTLE)
    seconds = []
    one.inside.clear()
    for _ in range(WARM + calls):
        begin = time.perf_counter()
        one.step()
        seconds.append(time.perf_counter() - begin)
    inside = float(np.median(one.inside[WARM:])) if one.inside else float("nan")
    return float(np.median(seconds[WARM:])), inside


def _check(case: Case, everyone: Sequence[Contestant], before: Sequence[Any]) -> None:
    """A figure is given only if all contestants did their work."""
    for one, start in zip(everyone, before, strict=True):
        now = one.probe()
        if np.any(now == start) or not np.all(np.isfinite(now)):
            raise LabError(f"{case.name}: the steps of {one.name!r} did not change its parameters; no figure is given.")
    known = [one for one in everyone if one.moved.size]
    for other in known[1:]:
        far = np.abs(known[0].moved).max()
        if not np.allclose(other.moved, known[0].moved, rtol=ALIKE, atol=ALIKE / 10 * far):
            raise LabError(f"{case.name}: {known[0].name!r} and {other.name!r} do different steps; no figure is given.")


def _row(case: Case, elements: int, ours: str, peer: str, mine: Any, other: Any, bar: float | None) -> Row:
    time_us = float(np.median(mine)) * 1e6
    if other is None:
        ratio, low, high, peer_us = float("nan"), float("nan"), float("nan"), float("nan")
    else:
        ratios = other / mine
        ratio, low, high = (float(np.quantile(ratios, q)) for q in (0.5, 0.25, 0.75))
        peer_us = float(np.median(other)) * 1e6
    met: bool | None = None if bar is None or other is None else ratio >= bar
    if case.limit_us is not None:
        met = time_us <= case.limit_us
    return Row(case.name, case.what, elements, ours, peer, time_us, peer_us, ratio, low, high, bar, met)


def suite(name: str, user: type[Optimizer], quick: bool) -> list[Case]:
    """The races of a suite: "engine" or "torch"."""
    if name == "torch":
        from . import bench_torch  # it stands on this module

        return bench_torch.cases(quick)
    return cases(user, quick)


def run(job: Job, only: Sequence[str], tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Run races by name (all if none is named), each in its own process; `tell` hears of each before it starts.

    Args:
        job: what is common to the races; its `race` is not read.
        only: names of races.
        tell: takes a line.

    Raises:
        InputError: no such race, file or rule; torch is missing.
        LabError: a race failed.
    """
    try:
        user = user_class(job.rule_path)
    except ValueError as error:
        raise InputError(str(error)) from error
    if job.suite == "torch" and not has_torch():
        raise InputError("torch is not installed, and every race here is beside it (pip install torch).")
    races = suite(job.suite, user, job.quick)
    known = [case.name for case in races] + [FIRST_USE] * (job.suite == "engine")
    wrong = [name for name in only if name not in known]
    if wrong:
        raise InputError(f"no race is called {wrong[0]!r}; there are: {', '.join(known)}.")
    rows: list[dict[str, Any]] = []
    for case in races:
        if not only or case.name in only:
            tell(f"{case.name}: {case.what}")
            rows += rows_of(replace(job, race=case.name))
    if FIRST_USE in known and (not only or FIRST_USE in only):
        tell(f"{FIRST_USE}: a fresh process")
        rows.append(asdict(run_first_use(job.repeats or (2 if job.quick else 7))))
    return rows
