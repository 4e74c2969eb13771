"""Members in turns that do not overlap, their rows for the engine, and the plans of several lanes as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import islice
from operator import or_

import torch

from ..engine.engine import Engine, Plan
from ..engine.plan import Row, Spans, lay_out, overlaps, places_repeat
from ..engine.survey import Met, Sum
from ._keeper import usable
from ._members import Member
from ._tensors import array_of, format_of, gradient_array


class PlanOfLanes:
    """Several plans as one: the members of each lane in turn."""

    def __init__(self, engine: Engine, plans: Sequence[Plan]):
        self.engine, self.plans = engine, plans

    @property
    def narrow(self) -> bool:
        """See `Plan`."""
        return any(plan.narrow for plan in self.plans)

    def scalars(self) -> list[dict[str, float]]:
        """See `Plan`; a lane returns the scalar slots of groups that it does not hold as they are."""
        results = [plan.scalars() for plan in self.plans]
        return [
            next((r[k] for r in results if r[k] is not group.scalar_state), group.scalar_state)
            for k, group in enumerate(self.engine.groups)
        ]

    def survey(self, clips: bool) -> list[Sum]:
        """See `Plan`."""
        return [one for plan in self.plans for one in plan.survey(clips)]

    def agreements(self, coefficients: float | Sequence[float]) -> list[int | None]:
        """See `Plan`."""
        self.found = [plan.agreements(coefficients) for plan in self.plans]
        return [one for found in self.found for one in found]

    def overflows(self, coefficients: float | Sequence[float]) -> bool:
        """See `Plan`."""
        return any(plan.overflows(coefficients) for plan in self.plans)

    def run(self, coefficients: float | Sequence[float], enlargements: Sequence[float] | None = None) -> Met:
        """See `Plan`."""
        assert isinstance(coefficients, float)
        if enlargements is None:
            met = [plan.run(coefficients) for plan in self.plans]
        else:
            given = iter(enlargements)
            shares = [list(islice(given, len(found))) for found in self.found]
            met = [plan.run(coefficients, share) for plan, share in zip(self.plans, shares, strict=True)]
        return reduce(or_, met)


def waves_of(members: list[Member]) -> list[list[Member]]:
    """Members in turns, so that none of a turn share memory; torch steps what appears twice twice."""
    native = [m for m in members if m.lane == "native"]
    for member in members:
        if member.lane != "torch" and _repeats(member.parameter):
            raise RuntimeError(
                f"{member.label} has elements that share memory (an expanded tensor); each must be updated once. "
                "Give the optimizer parameter.clone()."
            )
    if not native and len(members) == 1:
        return [members]
    arrays = [array_of(m.parameter) for m in native]
    turn = [0] * len(native)
    for first, second in sorted({(min(pair), max(pair)) for pair in (*overlaps(arrays), *_same(native))}):
        turn[second] = max(turn[second], turn[first] + 1)
    waves = [[m for m, k in zip(native, turn, strict=True) if k == wave] for wave in range(max(turn, default=0) + 1)]
    taken = [(extent(m.parameter), k) for m, k in zip(native, turn, strict=True)]
    for member in members:
        if member.lane != "native":
            mine = extent(member.parameter)
            wave = 1 + max((k for other, k in taken if meet(mine, other)), default=-1)
            taken.append((mine, wave))
            waves += [[] for _ in range(wave + 1 - len(waves))]
            waves[wave].append(member)
    return waves


def _repeats(p: torch.Tensor) -> bool:
    return p.layout is torch.strided and not p.is_contiguous() and places_repeat(p.shape, p.stride(), 1)


Extent = tuple[int, int, int]  # what identifies the storage; where the elements begin and end in it


def extent(tensor: torch.Tensor) -> Extent:
    """Where a tensor lies; a tensor without a storage is alone."""
    try:
        storage = tensor.untyped_storage()._cdata
    except (RuntimeError, NotImplementedError):
        return -id(tensor), 0, 1
    size, first = tensor.element_size(), int(tensor.storage_offset())
    last = first + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True) if n)
    return storage, size * first, size * (last + 1)


def meet(a: Extent, b: Extent) -> bool:
    """Whether two tensors may share memory."""
    return a[0] == b[0] and a[1] < b[2] and b[1] < a[2]


def _same(members: Sequence[Member]) -> Iterator[tuple[int, int]]:
    """Pairs of shards of one DTensor: all processes must see them, those with empty shards too."""
    places: dict[int, int] = {}
    for k, member in enumerate(members):
        if member.whole is not None:
            if id(member.whole) in places:
                yield places[id(member.whole)], k
            places[id(member.whole)] = k


NOWHERE = Spans([])


def spans_of(members: Sequence[Member]) -> Spans:
    """Memory that the step writes: parameters and the state that is there."""
    if not members:
        return NOWHERE
    arrays = [array_of(m.parameter) for m in members]
    for member in members:
        held = (member.state.get(key) for key in member.slots)
        arrays += [array_of(s) for s in held if usable(s)]
    return Spans(arrays)


def row_of(member: Member, spans: Spans) -> Row:
    p = array_of(member.parameter)
    g = gradient_array(member.grad, member.parameter)
    kind = format_of(member.parameter)
    g_kind = format_of(member.grad) if member.grad.is_complex() == member.parameter.is_complex() else kind
    assert kind is not None
    assert g_kind is not None
    return lay_out(member.label, p, g, spans, kind, g_kind)
