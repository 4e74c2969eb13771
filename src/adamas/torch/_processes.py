"""What must be known of parameters that are divided among processes: the same on all of them, to the bit.

Sums of squares are whole numbers (`engine.survey.Sum`) and go over the wire as 32-bit digits, which any number of
processes add up without rounding. Each process takes part in every reduction of a step, whatever gradients it has;
where one of them raises, it says so in the next reduction, so that no other waits for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..engine.engine import Around
from ..engine.step import enlargement
from ..engine.survey import Met, Sum
from ._shards import groups_of, is_sharded_tensor
from ._wrappers import Zero

if TYPE_CHECKING:
    from ._members import Member

DIGITS = 144
"""32-bit digits of a sum: the square of the largest float64, 2**60 times, in units of 2**UNIT, has 4508 bits."""
INFINITE, NAN, FAILED, NARROW = range(4)
Path = tuple[str, ...]  # names of the process groups among whose members the elements of a tensor are divided
Words = NDArray[np.int64]
Groups = Sequence[tuple[Sequence[torch.Tensor], bool]]
"""Of each parameter group its parameters, and whether it asks for a cautious mask."""


class Processes:
    """The reductions of one optimizer's steps; see `engine.engine.Spread`.

    Args:
        groups: all groups, whose other settings need not have been read: a process that cannot read them must say so to
            the others. Which reductions a step has depends on these only, never on which gradients are there.
        around: of the engine.
        zero: the ZeroRedundancyOptimizer whose parameters are divided among its processes, if there is one.
    """

    def __init__(self, groups: Groups, around: Around, zero: Zero | None):
        self.parameters = _parameters(groups)
        self.kinds = _kinds(groups)
        self.links: dict[str, tuple[Any, str]] = {}
        self.paths: dict[int, Path] = {}
        self.counted: dict[int, tuple[Path, int]] = {}  # path and place of a parameter's count
        self.sizes: dict[Path, int] = {}  # counts that go each path
        self.base: Path = ()
        self.looks = False  # whether non-finite gradients are counted: not where that would wait for a device
        group = None if zero is None else zero.group(needed=around.surveys)
        if zero is not None and group is not None:
            self.links[zero.name] = (group, zero.device)
            self.base, self.looks = (zero.name,), zero.device == "cpu"
        for parameters, cautious in groups:
            for p in parameters:
                self._add(p, cautious)
        self.buckets = [*dict.fromkeys([self.base, *self.paths.values()])]
        self.by_row, self.masks = len(self.buckets) > 1, bool(self.counted)
        self.around, self.narrow = around, False
        self.rows: list[torch.Tensor] = []
        self.start(around)

    def _add(self, p: torch.Tensor, cautious: bool) -> None:
        if not is_sharded_tensor(p):
            return
        divided = []
        for name, group, device, apart in groups_of(p):
            self.links.setdefault(name, (group, device))
            if apart:
                divided.append(name)
        path = tuple(divided)
        self.looks |= p.device.type == "cpu"
        self.paths[id(p)] = self.base + path
        if cautious and path and id(p) not in self.counted:
            self.counted[id(p)] = path, self.sizes.get(path, 0)
            self.sizes[path] = self.sizes.get(path, 0) + 1

    def serves(self, groups: Groups) -> bool:
        """Whether groups, parameters and masks are those that it was made for."""
        parameters = _parameters(groups)
        same = len(parameters) == len(self.parameters) and all(map(_is, parameters, self.parameters))
        return same and self.kinds == _kinds(groups)

    def start(self, around: Around, members: Sequence[Member] = ()) -> None:
        """Begin a step.

        Args:
            around: of the engine.
            members: in the order of the plan's rows.
        """
        self.around, self.rows = around, [m.key for m in members] or self.rows
        self.bad = False
        phases = [(around.surveys, "total"), (self.masks, "agree"), (self.looks, "met")]
        self.ahead = [name for asked, name in phases if asked]

    def total(self, sums: Sequence[Sum], narrow: bool) -> Sum:
        """See `Spread`."""
        here = dict.fromkeys(self.buckets, Sum())
        for k, one in enumerate(sums):
            path = self.paths.get(id(self.rows[k]), self.base) if self.by_row else self.base
            here[path] = here[path] + one
        others = [one.other for one in here.values() if not one.finite]
        flags = [sum(map(math.isinf, others)), sum(map(math.isnan, others)), 0, int(narrow)]
        items = [(path, _digits(one.whole)) for path, one in here.items()]
        infinite, nan, failed, narrows = self._reduce("total", flags, items)
        self.bad, self.narrow = bool(infinite or nan), bool(narrows)
        if failed or (self.bad and self.around.nonfinite != "propagate"):
            self.ahead = []  # all processes leave the step here
        _check(failed)
        if self.bad:
            return Sum(0, math.nan if nan else math.inf)
        return Sum(sum(_whole(words) for _, words in items))

    def enlargements(self, kept: Sequence[int | None]) -> list[float]:
        """See `Spread`."""
        counts = {path: np.zeros(size, np.int64) for path, size in self.sizes.items()}
        found = [self.counted.get(id(p)) for p in self.rows]
        for count, place in zip(kept, found, strict=True):
            if place is not None and count is not None:
                counts[place[0]][place[1]] = count
        failed = self._reduce("agree", [0] * 4, list(counts.items()))[FAILED]
        self.ahead = [] if failed else self.ahead
        _check(failed)
        totals = [here if place is None else int(counts[place[0]][place[1]]) for here, place in zip(kept, found)]
        sizes = [p.numel() * (1 + p.is_complex()) for p in self.rows]
        return [1.0 if n is None else enlargement(size, n) for n, size in zip(totals, sizes, strict=True)]

    def overflows(self, here: Callable[[], bool]) -> bool:
        """See `Spread`."""
        self.ahead.insert(0, "overflow")
        found, _, failed, _ = self._reduce("overflow", [int(here()), 0, 0, 0], [])
        if found or failed:
            self.ahead = []
        _check(failed)
        return bool(found)

    def met(self, here: Met) -> Met:
        """See `Spread`."""
        if not self.looks:
            return here
        bad, overflow, *_ = self._reduce("met", [int(here.nonfinite), int(here.overflow), 0, 0], [])  # all have stepped
        return Met(bool(bad) or self.bad, bool(overflow))

    def abandon(self) -> None:
        """Tell the other processes that the step failed here, if they are about to wait for this one."""
        if not self.ahead:
            return
        phase = self.ahead[0]
        items: list[tuple[Path, Words]] = []
        if phase == "total":
            items = [(path, np.zeros(DIGITS, np.int64)) for path in self.buckets]
        elif phase == "agree":
            items = [(path, np.zeros(size, np.int64)) for path, size in self.sizes.items()]
        self.ahead = [phase]
        self._reduce(phase, [0, 0, 1, 0], items)

    def _reduce(self, phase: str, flags: Sequence[int], items: Sequence[tuple[Path, Words]]) -> list[int]:
        """Add up words over the processes of their path, in place, and flags over all; one message for each group."""
        rest = [name for name in self.ahead if name != phase]
        self.ahead = []  # should a reduction fail, as when a connection is lost, none is begun after it
        common: Words = np.asarray(flags, np.int64)
        for name, (group, device) in self.links.items():
            mine = [words for path, words in items if name in path]
            message = torch.from_numpy(np.concatenate([common, *mine])).to(device)
            torch.distributed.all_reduce(message, group=group)
            received, place = message.cpu().numpy(), 0
            for words in (common, *mine):
                words[...] = received[place : place + len(words)]
                place += len(words)
        self.ahead = rest
        return common.tolist()  # type: ignore[no-any-return]


def processes(before: Processes | None, groups: Groups, around: Around, zero: Zero | None) -> Processes | None:
    """The reductions of steps over these groups; None if no parameter is divided.

    Args:
        before: of the last step, used again if it serves.
        groups, around, zero: see `Processes`.
    """
    if zero is None and not any(map(is_sharded_tensor, _parameters(groups))):
        return None
    if before is not None and before.serves(groups):
        return before
    made = Processes(groups, around, zero)
    return made if made.links else None


def _check(failed: int) -> None:
    if failed:
        raise RuntimeError(
            f"the step failed on {failed} other process(es), whose message says why; nothing was changed here."
        )


def _parameters(groups: Groups) -> list[torch.Tensor]:
    return [p for parameters, _ in groups for p in parameters]


def _kinds(groups: Groups) -> list[tuple[int, bool]]:
    return [(len(parameters), cautious) for parameters, cautious in groups]


def _is(a: object, b: object) -> bool:
    return a is b


def _digits(whole: int) -> Words:
    return np.frombuffer(whole.to_bytes(4 * DIGITS, "little"), np.uint32).astype(np.int64)


def _whole(digits: Words) -> int:
    """The number of digits that were added up: each may have grown beyond 32 bits."""
    low, high = ((digits >> shift & 0xFFFFFFFF).astype(np.uint32).tobytes() for shift in (0, 32))
    return int.from_bytes(low, "little") + (int.from_bytes(high, "little") << 32)
