"""Numbers over whole tensors where parameters are divided among two and four processes: the bits of one process.

What each case does is in `norms_worker.py`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from adamas.engine.survey import Sum
from adamas.torch._processes import _digits, _whole
from frontends.pytorch.processes import run_processes
from snapshots import GUARD

Reports = list[dict[str, str]]
pytestmark = pytest.mark.skipif(
    os.environ.get("OPT", "adamas.torch") != "adamas.torch", reason="torch.optim has no numbers over whole tensors"
)

STEPS = ("clip", "skip", "clip and skip", "raise", "cautious", "cautious and clip", "plain")
FAILURES = ("a reduction fails, clip", "a reduction fails, cautious")
OTHERS = ("trained", "checkpoint", "one fails, clip", "one fails, cautious", "one fails, plain", *FAILURES)
CASES = {
    "fsdp": (*STEPS, *OTHERS, "scaled"),
    "tp": (*STEPS, *OTHERS, "NaN in one copy"),
    "zero": (*STEPS, "more processes than parameters", "copies", "overlapping"),
    "fsdp1": ("flat", "originals"),
    "gradients": ("still to be added up", "differentiable", "refused"),
}
IN_FOUR = {"hsdp": (*STEPS, *OTHERS, "scaled"), "fsdp and tp": (*STEPS, *OTHERS)}
ALL = [
    (world, f"{way}: {case}")
    for world, ways in ((2, CASES), (4, CASES | IN_FOUR))
    for way, cases in ways.items()
    for case in cases
]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Reports]:
    """What so many processes found; they run once."""
    found: dict[int, Reports] = {}

    def run(world: int) -> Reports:
        if world not in found:
            found[world] = run_processes("norms_worker.py", world, tmp_path_factory.mktemp("gloo"), GUARD)
        return found[world]

    return run


@pytest.mark.parametrize(("world", "case"), ALL, ids=[f"{world}-{case}" for world, case in ALL])
def test_divided_parameters_step_as_one_process_does(reports: Callable[[int], Reports], world: int, case: str) -> None:
    """Parameters, state, norm, skipped steps and counters, after every step, on every process."""
    for rank, report in enumerate(reports(world)):
        assert not report[case], f"process {rank}: {report[case]}"


@pytest.mark.parametrize("world", [2, 4])
def test_every_case_of_the_processes_is_listed_here(reports: Callable[[int], Reports], world: int) -> None:
    """None is run without being judged."""
    assert sorted(reports(world)[0]) == sorted(case for size, case in ALL if size == world)


def test_sums_over_the_wire_are_exact() -> None:
    """Digits of whole numbers, added up one by one, are the digits of the sum: of a million processes, and the largest."""
    largest = Sum.of(1.7e308).whole << 1024  # the square of the largest float64
    rng = random.Random(1)
    for numbers in ([0], [1, 2**32 - 1], [largest << 60], [rng.getrandbits(4500) for _ in range(50)]):
        assert _whole(sum(map(_digits, numbers))) == sum(numbers)
    top = 2**4508 - 1
    assert _whole(_digits(top) * 1_000_000) == top * 1_000_000
