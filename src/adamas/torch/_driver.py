"""Plans and runs the steps of one torch optimizer; keeps what can be kept between them."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from ..engine.arrays import warn_staged
from ..engine.cpu.plan import CpuPlan
from ..engine.engine import Around, Engine, Group, Plan
from ..engine.plan import Row
from ._checks import check_devices, check_state
from ._keeper import Keeper, history, note
from ._lanes import members_of, take_note
from ._look import make_look
from ._members import Glance, Member, Reading
from ._operations import OperationsPlan
from ._own_step import own_step
from ._plain_look import count_versions
from ._processes import Processes, processes
from ._slots import State
from ._sparse import touched_rows
from ._team import TEAM
from ._tensors import has_version, is_recorded, is_traced, lies_ready
from ._watch import Look, Watch
from ._waves import PlanOfLanes, row_of, spans_of, waves_of
from ._wrappers import check_fsdp1

if TYPE_CHECKING:
    from ._optimizer import FusedOptimizer


class Driver:
    """Steps of one optimizer.

    It does not refer to the optimizer, which hands itself over at every step: a reference cycle would keep the state of
    a dropped optimizer until the garbage collector runs.

    Args:
        around: clipping and what becomes of gradients that are not finite.
    """

    def __init__(self, around: Around):
        self.keeper = Keeper()
        self.engine = Engine(around, self.keeper)
        self.engine.workers = TEAM
        self.spread: Processes | None = None
        self.readings: list[Reading] = []
        self.glance: Glance | None = None
        self.plan: CpuPlan | None = None
        self.look: Look | None = None
        self.cohorts: list[list[Reading]] = []
        self.exact: dict[int, int] = {}
        self.fresh: tuple[CpuPlan, list[Member], list[Row]] | None = None
        self.unscaled: list[torch.Tensor] = []
        self.lanes: list[str] = []
        self.state: State | None = None
        self.seen = -1
        self.stepping, self.listener = False, weakref.WeakMethod(self.forget)

    def step(self, optimizer: FusedOptimizer, grad_scale: float = 1.0) -> bool:
        """One step of an optimizer, always the same, with gradients multiplied by a number; False if left out."""
        engine = self.engine
        with engine.lock:
            if self.stepping:  # on this thread, by a callback of the garbage collector or of the step's operations
                raise RuntimeError("step() was called from within a step of the same optimizer; call it afterwards.")
            self.stepping = True
            try:
                if engine.around.grad_scale != grad_scale:
                    engine.around = replace(engine.around, grad_scale=grad_scale)
                done = self._repeat(optimizer) if self.spread is None else None
                return self._step(optimizer) if done is None else done
            except Exception:
                if self.spread is not None:
                    self.spread.abandon()
                raise
            finally:
                self.stepping = False

    def forget(self) -> None:
        """Let go of tensors that are kept between steps: state was changed, and what was taken out is to be freed.

        A step that is under way holds what it works on.
        """
        with self.engine.lock:
            self.plan = self.look = self.state = None

    def _repeat(self, optimizer: FusedOptimizer) -> bool | None:
        """One step of the plan that was kept, as `step`; None if it does not serve any more."""
        plan, look = self.plan, self.look  # held here, should something change state meanwhile
        if plan is None or look is None or is_recorded() or not plan.serves():
            return None
        gradients = look.hold()
        if not self._current(optimizer, look, gradients):
            return None
        done = self.engine.advance(plan)
        if done:
            look.commit(self.engine.groups)
        return done

    def _step(self, optimizer: FusedOptimizer) -> bool:
        """One step with other processes, or one for which no plan was kept."""
        if self.spread is not None:
            self.spread.start(self.engine.around)
            again = self._repeat(optimizer)
            if again is not None:
                return again
        self.plan = self.look = None
        state = optimizer.tracked_state()
        before, done = state.filled(), False
        try:
            done = self._anew(optimizer, state, is_traced())
        finally:
            fresh, self.fresh, self.keeper.members = self.fresh, None, {}
            state.settle(before, done)
            state.flag.listener = self.listener
        if fresh is not None:
            self._remember(state, *fresh)
        return done

    def _current(self, optimizer: FusedOptimizer, look: Look, gradients: list[Any] | None) -> bool:
        """Whether the plan still serves; notes where gradients are now."""
        state: State = optimizer.__dict__["state"]
        groups = optimizer.param_groups
        if state is not self.state or state.flag.changes != self.seen or len(groups) != len(self.readings):
            return False
        if self.glance is None or not self.glance.holds(groups):
            for reading, group in zip(self.readings, groups, strict=True):
                if reading.group is not group or not reading.same():
                    return False
            for readings in self.cohorts:
                if any(r.numbers != readings[0].numbers for r in readings):
                    return False
            self.glance = Glance(self.readings)
        return look.holds(gradients)

    def _anew(self, optimizer: FusedOptimizer, state: State, traced: bool) -> bool:
        """Read everything again, and step."""
        self.glance = None
        groups, graph = optimizer.param_groups, bool(optimizer.defaults.get("differentiable"))
        masks = "cautious" in optimizer.settings
        shares = [(group["params"], masks and bool(group.get("cautious"))) for group in groups]
        found = processes(self.spread, shares, self.engine.around, optimizer._zero)
        self.spread = self.engine.spread = found  # before anything is refused, so that other processes hear of it
        known = {id(r.group): r for r in self.readings if len(groups) == len(self.readings) and r.same()}
        self.readings = [
            known.get(id(group)) or Reading(optimizer.host, group, optimizer.settings, f"param_groups[{k}]", graph)
            for k, group in enumerate(groups)
        ]
        check_fsdp1(groups, self.engine.around)
        delegates = optimizer.delegates and not traced
        everyone = list(members_of(self.readings, state, type(optimizer).__name__, delegates))
        if traced:
            for member in everyone:
                member.lane = "operations"
        check_devices(everyone, isinstance(optimizer, torch.optim.Adam))
        delegated = [m for m in everyone if m.lane == "torch"]
        members = [m for m in everyone if m.lane != "torch"]
        for member in members:
            check_state(member)
        self.lanes = [m.lane for m in everyone]
        for member in everyone:
            take_note(member.lane, member.parameter.device.type)
        waves = waves_of(members)
        if len(waves) > 1 and self.engine.around.surveys:
            raise ValueError(
                "parameters appear twice or share memory: which gradient would a norm or a check count? "
                "Pass every parameter once, or leave out clip_norm and nonfinite."
            )
        done = True
        for wave in waves:
            if wave or not delegated or self.spread is not None:  # other processes may have some
                done = self._wave(wave, lasting=len(waves) == 1 and not delegated)
        if delegated:
            assert optimizer.theirs is not None
            scale, found_inf = (getattr(optimizer, name, None) for name in ("grad_scale", "found_inf"))
            own_step(optimizer.theirs, optimizer, delegated, scale, found_inf)
            self.unscaled = [] if scale is None else [m.grad for m in delegated]
        return done

    def _wave(self, members: list[Member], lasting: bool) -> bool:
        """Step members that do not overlap."""
        engine = self.engine
        self.keeper.members = {}
        self._gather_groups(members)
        rows, groups, operations = [], [], []
        dense = [m for m in members if m.lane == "native"]
        spans = spans_of(dense)
        for member in members:
            if member.lane == "operations":
                operations.append(member)
                continue
            rows.append(touched_rows(member) if member.lane == "rows" else row_of(member, spans))
            self.keeper.members[id(rows[-1])] = member
            groups.append(member.group)
        staged = [r.name for r in rows if not r.dense and type(r) is Row]
        engine.counters["staged"] = len(staged)
        if staged:
            warn_staged(staged, "tensors (tensor.contiguous())")
        if self.spread is not None:
            self.spread.start(engine.around, [m for m in members if m.lane != "operations"] + operations)
        native = CpuPlan(engine, rows, groups)
        plan: Plan = native
        if operations:
            plan = PlanOfLanes(engine, [native, OperationsPlan(engine, operations)])
        if not engine.advance(plan):
            return False
        with torch.no_grad():
            for member in members:
                note(member, engine.groups[member.group], self.exact)
        touched = [m.parameter for m in members if m.lane == "native"]
        count_versions(touched + [m.whole for m in members if m.whole is not None])
        ready = all(lies_ready(m.grad, m.parameter) and has_version(m.parameter) for m in members)
        if lasting and ready and not operations and not native.staged:
            self.fresh = native, members, rows
        return True

    def _gather_groups(self, members: list[Member]) -> None:
        """Make the engine's groups: members that share numbers, form and history."""
        engine = self.engine
        engine.groups, self.cohorts = [], []
        known: dict[Any, int] = {}
        for member in members:
            reading = member.reading
            past = history(member, self.exact)
            kinds = tuple(getattr(member.state.get(k), "dtype", None) for k in ("step", *member.scalar_keys))
            key = (reading.form, reading.numbers, past, kinds)
            if key not in known:
                known[key] = len(engine.groups)
                t, *scalars = past
                names = [s.name for s in reading.form.resolved.scalar_slots]
                held = dict(zip(names, scalars, strict=True)) if scalars else {}
                engine.groups.append(Group(reading.form, reading, int(t), held))
                self.cohorts.append([])
            member.group = known[key]
            if reading not in self.cohorts[member.group][-1:]:
                self.cohorts[member.group].append(reading)

    def _remember(self, state: State, plan: CpuPlan, members: list[Member], rows: list[Row]) -> None:
        """Keep the plan, if its tensors can be watched and are in the optimizer's state still."""
        seen = state.flag.changes  # whoever changes state from here on counts it afterwards
        watches = [
            Watch(m.parameter, m.grad, word, r.work_g.nbytes, r.work_g.itemsize, m)
            for m, r, word in zip(members, rows, plan.gradient_words(), strict=True)
        ]
        look = make_look([r.parameters for r in self.readings], watches, self.engine.groups, spans_of(members))
        if look is None or not all(member.state.unchanged() for member in members):
            return
        self.plan, self.look, self.state, self.seen = plan, look, state, seen
        for row in rows:
            row.release()
        for member in members:
            member.grad = member.parameter
