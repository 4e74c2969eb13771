"""A rule run on torch's own operations: for tensors off the CPU, tensor subclasses and `differentiable=True`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch

from ..engine.cpu.codegen import step_module
from ..engine.cpu.segment import scalar_function
from ..engine.engine import ARITHMETIC, Engine, Form, scalar_error
from ..engine.reference import bind
from ..engine.step import enlargement, prepared, scalar_inputs
from ..engine.survey import NOTHING, Met, Sum
from ._keeper import begin
from ._lists import TensorList
from ._members import Member
from ._shards import local
from ._tensor_pass import run_pass, words
from ._tensors import PLAIN, REAL_OF, is_as_read, is_native, is_traced, no_autocast

NARROW = (torch.float16, torch.complex32)
WIDE = (torch.float64, torch.complex128)


@cache
def _scalar_part(form: Form) -> Callable[..., tuple[tuple[float, ...], tuple[float, ...]]]:
    formats = ("float64",) * (2 + len(form.resolved.slots))
    return scalar_function(step_module(form.resolved, form.shape, formats).scalars)


class OperationsPlan:
    """A plan over members whose tensors only torch can reach.

    Args:
        engine: whose groups these are.
        members: in any order.
    """

    def __init__(self, engine: Engine, members: Sequence[Member]):
        self.engine, self.members = engine, members
        self.values: list[dict[str, Any]] = []
        self.rows: dict[int, Index] = {}
        state = [m.state.get(key) for m in members for key in m.slots]
        self.narrow = any(isinstance(s, torch.Tensor) and s.dtype in NARROW for s in state)
        for member in members:
            if member.grad.layout is torch.sparse_coo:
                gradient = member.grad.detach().coalesce()
                self.rows[id(member)] = tuple(gradient.indices())
                member.grad = gradient.values()

    def scalars(self) -> list[dict[str, float]]:
        out = []
        self.values = []
        mine = {member.group for member in self.members}
        for k, group in enumerate(self.engine.groups):
            values = self.engine.inputs(group)
            self.values.append(dict(zip(scalar_inputs(group.form.resolved), values, strict=True)))
            try:
                slots = _scalar_part(group.form)(*values)[1] if k in mine else ()
                out.append(
                    dict(zip(group.scalar_state, map(float, slots), strict=True)) if k in mine else group.scalar_state
                )
            except ARITHMETIC as error:
                raise scalar_error(group, error) from error
        return out

    def survey(self, clips: bool) -> list[Sum]:
        scale, clip_value = self.engine.around.numbers
        out = []
        for member in self.members:
            g = local(member.grad.detach())
            g = torch.view_as_real(g.resolve_conj()) if g.is_complex() else g
            g = bind(prepared, words(torch.float64))(g.double(), scale, clip_value, clips, True)
            out.append(_sum_of_squares(g, member.grad.dtype in WIDE))
        return out

    def agreements(self, coefficients: float | Sequence[float]) -> list[int | None]:
        return [self._agreement(member, _at(coefficients, k)) for k, member in enumerate(self.members)]

    def _agreement(self, member: Member, factor: float) -> int | None:
        form = self.engine.groups[member.group].form
        if not form.shape.cautious:
            return None
        self._make_state(member)
        with no_autocast(member.parameter), torch.no_grad():
            new = run_pass(form, self._whole_inputs(member, factor)[0], member.reading.differentiable)
            return int(local(new["agreement"]).sum())

    def overflows(self, coefficients: float | Sequence[float]) -> bool:
        return self._pass(coefficients, None, stores=False).overflow

    def run(self, coefficients: float | Sequence[float], enlargements: Sequence[float] | None = None) -> Met:
        return self._pass(coefficients, enlargements, stores=True)

    def _pass(self, coefficients: float | Sequence[float], enlargements: Sequence[float] | None, stores: bool) -> Met:
        met = NOTHING
        lists: dict[Any, list[Member]] = {}
        for k, member in enumerate(self.members):
            factor = _at(coefficients, k)
            self._make_state(member)
            with no_autocast(member.parameter), torch.set_grad_enabled(member.reading.differentiable):
                if self._goes_in_list(member):
                    lists.setdefault((member.group, factor, *_kind(member)), []).append(member)
                else:
                    met |= self._step(member, factor, None if enlargements is None else enlargements[k], stores)
        for (_, factor, *_), members in lists.items():
            with no_autocast(members[0].parameter), torch.no_grad():
                met |= self._step_list(members, factor, stores)
        return met

    def _goes_in_list(self, member: Member) -> bool:
        """Whether a parameter is stepped in one go with others of its kind (`torch._foreach_*`)."""
        held = [member.parameter, member.grad, *(member.state[key] for key in member.slots)]
        return (
            not member.reading.differentiable
            and id(member) not in self.rows
            and not self.engine.groups[member.group].form.shape.cautious
            and not is_traced()
            and all(type(t) in PLAIN and t.layout is torch.strided and not t.is_complex() for t in held)
            and all(map(is_as_read, held))
        )

    def _make_state(self, member: Member) -> None:
        group = self.engine.groups[member.group]
        begin(member, group)
        resolved = group.form.resolved
        keys = dict(zip((s.name for s in resolved.slots), member.slots, strict=True))
        for slot in sorted(resolved.slots, key=lambda s: _place(member, s.name)):
            held = member.state.get(keys[slot.name])
            if held is None:
                member.state[keys[slot.name]] = _state_like(member.parameter, group.start(slot.start))
            elif held.is_inference() and not torch.is_inference_mode_enabled():  # else it could not be written
                member.state[keys[slot.name]] = held.clone()

    def _inputs(self, member: Member, factor: float) -> tuple[dict[str, Any], dict[str, str]]:
        """What the pass takes besides tensors, and the state key of each slot."""
        resolved = self.engine.groups[member.group].form.resolved
        keys = dict(zip((s.name for s in resolved.slots), member.slots, strict=True))
        dropped = {s.name: None for s in resolved.rule.slots if not s.scalar and s.name not in keys}
        return {**self.values[member.group], **dropped, "coefficient": factor, "keep_scale": 1.0}, keys

    def _step_list(self, members: Sequence[Member], factor: float, stores: bool) -> Met:
        form = self.engine.groups[members[0].group].form
        x, keys = self._inputs(members[0], factor)
        parameters = [m.parameter for m in members]
        g = TensorList([_compute(m.grad) for m in members])
        x |= {"p": TensorList([_compute(p) for p in parameters]), "g": g}
        x |= {n: TensorList([_compute(m.state[key]) for m in members]) for n, key in keys.items()}
        new = run_pass(form, x, False)
        met = NOTHING
        for k, p in enumerate(parameters):
            state = members[k].state
            met |= _look(p, g.tensors[k], [(new[n].tensors[k], state[key]) for n, key in keys.items()])
        if stores:
            torch._foreach_copy_(parameters, new["p"].tensors)
            for name, key in keys.items():
                torch._foreach_copy_([m.state[key] for m in members], new[name].tensors)
        return met

    def _whole_inputs(self, member: Member, factor: float) -> tuple[dict[str, Any], dict[str, str]]:
        """What the pass takes, and the state key of each slot."""
        p, rows = member.parameter, self.rows.get(id(member))
        x, keys = self._inputs(member, factor)
        x |= _own_tensors(member) if member.reading.differentiable else {}
        g = member.grad.to(p.dtype) if p.is_complex() else member.grad
        x |= {"p": _wide(p, rows), "g": _wide(g)}
        return x | {n: _wide(member.state[key], rows) for n, key in keys.items()}, keys

    def _step(self, member: Member, factor: float, enlarged: float | None, stores: bool) -> Met:
        group, p = self.engine.groups[member.group], member.parameter
        x, keys = self._whole_inputs(member, factor)
        kept = {n: x[n] for n in group.scalar_state if isinstance(x[n], torch.Tensor)}
        if enlarged is None:
            enlarged = enlargement(x["p"].numel(), self._agreement(member, factor) or 0)
        x["keep_scale"] = enlarged
        new = run_pass(group.form, x, member.reading.differentiable)
        met = _look(p, x["g"], [(new[n], member.state[key]) for n, key in keys.items()])
        if stores:
            rows = self.rows.get(id(member))
            _put(p, new["p"], rows)
            for name, key in keys.items():
                _put(member.state[key], new[name], rows)
            for name in kept:
                member.state[member.reading.host.key(name)] = new[name].to(kept[name].dtype)
        return met


def _look(p: torch.Tensor, g: torch.Tensor, new: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> Met:
    """What a step of a parameter met; nothing where to look would wait for a device, or end a trace.

    Args:
        p, g: parameter and gradient.
        new: new state, each with the tensor that it will be stored in.
    """
    if not is_native(p) or is_traced():
        return NOTHING
    state = [value.to(REAL_OF.get(held.dtype, held.dtype)) for value, held in new]
    return Met(*(not all(bool(torch.isfinite(t).all()) for t in tensors) for tensors in ([g], state)))


def _at(coefficients: float | Sequence[float], k: int) -> float:
    return coefficients if isinstance(coefficients, float) else coefficients[k]


def _place(member: Member, name: str) -> int:
    order = member.reading.host.order
    return order.index(name) if name in order else 0


def _state_like(p: torch.Tensor, start: float) -> torch.Tensor:
    dtype = p.dtype if p.is_complex() or p.dtype in WIDE else torch.float32
    with torch.inference_mode(False), torch.no_grad():
        made = torch.zeros_like(p, dtype=dtype, memory_format=torch.preserve_format)
        return made if not start else made.fill_(complex(start, start) if made.is_complex() else start)


def _kind(member: Member) -> tuple[Any, ...]:
    p = member.parameter
    return p.device, p.dtype is torch.float64, is_native(p)


def _compute(x: torch.Tensor) -> torch.Tensor:
    """A tensor in the compute type; itself if it is of that type."""
    return x if x.dtype is torch.float64 else x.to(torch.float32)


def _own_tensors(member: Member) -> dict[str, torch.Tensor]:
    """Hyper-parameters and scalar slots that are tensors with a gradient of their own."""
    host, group = member.reading.host, member.reading.view
    named = {n: group.get(host.settings.get(n, n)) for n in member.reading.values}
    betas = [n for n in named if n.startswith("beta")]
    named |= dict(zip(betas, group.get("betas", ()), strict=False))
    named |= {s.name: member.state[host.key(s.name)] for s in member.reading.form.resolved.scalar_slots}
    return {n: v for n, v in named.items() if isinstance(v, torch.Tensor) and v.requires_grad}


def _sum_of_squares(g: torch.Tensor, wide: bool) -> Sum:
    """Of float64 numbers; squares of what was narrower once can neither overflow nor vanish."""
    if not wide or not g.numel():
        return Sum.of(float(g.square().sum()))
    top = float(g.abs().max())
    if not 0 < top < math.inf:
        return Sum.of(top)
    exponent = math.frexp(top)[1]
    half = -exponent // 2
    found = Sum.of(float((g * 2.0**half * 2.0 ** (-exponent - half)).square().sum()))
    return Sum(found.whole << 2 * exponent if exponent >= 0 else found.whole >> -2 * exponent)


Index = tuple[torch.Tensor, ...]  # of rows: a tensor for each sparse dimension


def _wide(x: torch.Tensor, rows: Index | None = None) -> torch.Tensor:
    """A copy in the compute type (the step writes in place), of some rows only if given; complex numbers as pairs."""
    x = x if rows is None else x[rows]
    x = torch.view_as_real(x.resolve_conj()) if x.is_complex() else x
    return x.clone() if x.dtype is torch.float64 else x.to(torch.float32, copy=True)


def _put(target: torch.Tensor, new: torch.Tensor, rows: Index | None = None) -> None:
    new = torch.view_as_complex(new.contiguous()) if target.is_complex() else new
    if rows is None:
        target.copy_(new)
    else:
        target.index_put_(rows, new.to(target.dtype))
