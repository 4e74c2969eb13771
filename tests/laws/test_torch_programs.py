"""Random programs of torch's users against the oracle, with canaries around every tensor (see `torch_programs`)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ml_dtypes")
pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from torch_programs import Recipe, play, random_recipe, recipes  # noqa: E402

import adamas  # noqa: E402
from adamas.engine import plan as engine_plan  # noqa: E402
from adamas.torch import _driver, _look, _members, _slots  # noqa: E402

PROGRAMS = int(os.environ.get("ADAMAS_PROGRAMS", "1500"))
WIDE = "ADAMAS_PROGRAMS" in os.environ
pytestmark = pytest.mark.filterwarnings("ignore::adamas.PerformanceWarning")


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """Programs change the numbers of threads."""
    before = adamas.get_num_threads(), torch.get_num_threads()
    yield
    adamas.set_num_threads(before[0])
    torch.set_num_threads(before[1])


@settings(
    max_examples=PROGRAMS,
    deadline=None,
    database=None,
    derandomize=not WIDE,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@given(recipes(WIDE))
def test_programs_do_what_the_oracle_does(recipe: Recipe) -> None:
    """After every step each parameter, state tensor, step count and version is right to the bit, each gradient and
    every byte beside them as it was.

    By default the same 1500 programs every time (about 10 s, and half a minute more where no kernel is compiled yet);
    `ADAMAS_PROGRAMS=20000 pytest tests/laws/test_torch_programs.py` runs as many new ones, over more forms and dtypes.
    """
    play(recipe)


def test_programs_reach_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans are kept, serve, and are given up, often enough to be tested."""
    seen = {True: 0, False: 0}
    plain = _driver.Driver._current

    def counted(self: Any, optimizer: Any, look: Any, gradients: Any) -> bool:
        found = plain(self, optimizer, look, gradients)
        seen[found] += 1
        return found

    monkeypatch.setattr(_driver.Driver, "_current", counted)
    for seed in range(100):
        play(random_recipe(seed))
    assert min(seen.values()) > 40


def _beyond(row: Any) -> None:
    """Write a strided parameter back, and one byte more."""
    if not row.dense:
        engine_plan.np.copyto(row.p, row.work_p)
        ctypes.memset(engine_plan.np.lib.array_utils.byte_bounds(row.p)[1], 0, 1)


def _counts_alone(self: Any, groups: Any) -> None:
    """Write step counts and scalar slots, but tell autograd nothing of the parameters."""
    self.ledger.update(groups)
    for tensor, k in self.ledger.entries:
        tensor.detach().fill_(float(self.ledger.values[k]))


FAULTS: dict[str, tuple[Any, str, Any, str]] = {
    "the plan always serves": (_driver.Driver, "_current", lambda self, optimizer, look, gradients: True, ""),
    "changes of state go unseen": (
        _slots.Flag,
        "tell",
        lambda self: None,
        r"p\d: ",
    ),
    "settings never change": (_members.Reading, "same", lambda self: True, ""),
    "settings at a glance": (_members.Glance, "holds", lambda self, groups: True, ""),
    "gradients never overlap": (engine_plan.Spans, "meets", lambda self, low, high: False, r"p\d: \w+ is"),
    "gradients lie as parameters": (engine_plan, "same_layout", lambda a, b: True, r"p\d: \w+ is"),
    "counts are not written": (
        _look.NativeLook,
        "commit",
        lambda self, groups: self.write(self.address),  # the old ones again
        r"p\d: step \d+.0, expected",
    ),
    "counts, in Python": (
        _look.PlainLook,
        "commit",
        lambda self, groups: torch.autograd.graph.increment_version([w.member.key for w in self.watches]),
        r"p\d: step \d+.0, expected",
    ),
    "versions do not move": (
        torch.autograd.graph,
        "increment_version",
        lambda tensors: None,
        r"p\d: _version \d+ -> \d+",
    ),
    "versions, in machine code": (_look.NativeLook, "commit", _counts_alone, r"p\d: _version \d+ -> \d+"),
    "a byte beyond": (engine_plan.Row, "scatter", _beyond, r"\d+ wrong bytes"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_programs_find_faults(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver broken on purpose is found out within so many programs; a few dozen suffice."""
    owner, name, broken, message = FAULTS[fault]
    monkeypatch.setattr(owner, name, broken)
    with pytest.raises(AssertionError, match=f"^{message}"):
        _play_many(200)


def _play_many(number: int) -> None:
    for seed in range(number):
        play(random_recipe(seed), safe=True)
