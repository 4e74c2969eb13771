"""What a torch optimizer's step must do, kept in NumPy: the oracle's numbers for parameters and state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch_memory import DTYPES, Array, Memory, Place, settle

from adamas.engine.engine import Form
from adamas.engine.reference import run_pass
from adamas.engine.step import enlargement, scalar_inputs
from adamas.engine.survey import Sum, coefficient
from adamas.torch._hosts import read

COMPUTE = {"float64": "float64", "complex128": "complex128", "complex64": "complex64"}
KIND_OF = {dtype: kind for kind, (dtype, _) in DTYPES.items()}


def logical(t: torch.Tensor) -> Array:
    """A tensor's elements as an array in C order, complex ones as pairs."""
    t = t.detach().clone()  # numpy() would forbid to resize the storage
    t = torch.view_as_real(t) if t.is_complex() else t
    dtype = DTYPES[KIND_OF[t.dtype]][1]
    return np.array(t.view(torch.int16).numpy() if t.dtype is torch.bfloat16 else t.numpy(), order="C").view(dtype)


@dataclass(eq=False)
class Kept:
    """One state tensor: what it must hold, where it lies if the test supplied it, and where it was last seen."""

    kind: str
    values: Array
    place: Place | None = None
    address: int | None = None
    strides: tuple[int, ...] = ()

    def see(self, tensor: torch.Tensor) -> None:
        """It is this tensor now; no reference to it is held, for its memory shall be free when it is replaced."""
        self.address, self.strides = tensor.data_ptr(), tensor.stride()


@dataclass(eq=False)
class Gradient:
    """One gradient: its place, or the state tensor that it is, or numbers in memory of torch's; and a lazy sign."""

    place: Place | None
    kept: Kept | None = None
    numbers: Array | None = None
    flip: str = ""

    def values(self) -> Array:
        """What torch says that it holds."""
        if self.kept is not None:
            return self.kept.values.copy()
        if self.numbers is not None:
            return self.numbers
        assert self.place is not None
        found = np.array(self.place.view(self.place.arena.image), order="C")
        if self.flip == "conjugated":
            np.negative(found[..., 1], out=found[..., 1])
        elif self.flip == "negated":
            np.negative(found, out=found)
        return found


@dataclass(eq=False)
class Cell:
    """One parameter; `numbers` are the step count and scalar slots."""

    name: str
    tensor: torch.Tensor
    place: Place
    gradient: Gradient | None = None
    state: dict[str, Kept] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)

    def forget(self) -> None:
        """No state any more."""
        self.state, self.numbers = {}, {}


@dataclass(eq=False)
class Job:
    """One parameter in one step."""

    cell: Cell
    form: Form
    settings: Any
    host: Any

    def __post_init__(self) -> None:
        assert self.cell.gradient is not None
        self.g = self.cell.gradient.values()
        if self.cell.place.kind.startswith("complex") and self.g.ndim == len(self.cell.place.shape):
            self.g = np.stack([self.g, np.zeros_like(self.g)], -1)  # a real gradient of a complex parameter
        self.compute = DTYPES[COMPUTE.get(self.cell.place.kind, "float32")][1]

    def steps(self) -> int:
        """Steps done; classes without a count know only whether they have begun."""
        keys = [self.host.key(s.name) for s in self.form.resolved.slots]
        return (
            int(self.cell.numbers.get("step", 0)) if self.host.counts else int(any(k in self.cell.state for k in keys))
        )

    def scalars(self) -> tuple[float, ...]:
        """The scalar slots."""
        slots = self.form.resolved.scalar_slots
        return tuple(self.cell.numbers.get(self.host.key(s.name), self.start(s.start)) for s in slots)

    def start(self, start: float | str) -> float:
        """What a slot begins with."""
        return float(self.settings.values[start]) if isinstance(start, str) else start


def sum_of(g: Array) -> Sum:
    """Exact sum of squares, each rounded to float64."""
    total, squares = Sum(), np.square(g.astype(np.float64)).ravel()
    if not np.isfinite(squares).all():
        return Sum(0, float(squares.sum()))
    for square in squares.tolist():
        total += Sum.of(square)
    return total


class Model:
    """Parameters, their memory and state, and what a step makes of them.

    Args:
        memory: of the program.
        clip_norm, nonfinite: of the optimizer.
    """

    def __init__(self, memory: Memory, clip_norm: float | None, nonfinite: str):
        self.memory, self.clip_norm, self.nonfinite = memory, clip_norm, nonfinite
        self.cells: list[Cell] = []
        self.tied = False  # whether parameters may share memory

    def jobs(self, optimizer: Any) -> list[Job]:
        """All parameters that have a gradient, in order."""
        known = {id(c.tensor): c for c in self.cells}
        out = []
        for group in optimizer.param_groups:
            form, settings = read(optimizer.host, group, "group")
            for tensor in group["params"]:
                cell = known[id(tensor)]
                assert (tensor.grad is None) == (cell.gradient is None), f"{cell.name}.grad"
                if cell.gradient is not None:
                    out.append(Job(cell, form, settings, optimizer.host))
        return out

    @np.errstate(all="ignore")
    def advance(self, optimizer: Any) -> tuple[list[Cell], type[Exception] | None]:
        """Let the model take a step.

        Returns:
            The parameters that are stepped, and the exception that the step must raise instead.
        """
        try:
            jobs = self.jobs(optimizer)
        except ValueError:
            return [], ValueError
        if any(j.cell.place.repeats or j.cell.tensor.grad.shape != j.cell.tensor.shape for j in jobs):
            return [], RuntimeError
        tied = self.tied and any(
            a.cell.place.meets(b.cell.place) for k, a in enumerate(jobs) for b in jobs[:k] if a.cell.place.extent()
        )
        if tied and (self.clip_norm is not None or self.nonfinite != "propagate"):
            return [], ValueError
        factor = 1.0
        if self.nonfinite != "propagate" and not all(np.isfinite(j.g.astype(np.float64)).all() for j in jobs):
            return [], FloatingPointError if self.nonfinite == "raise" else None
        if self.clip_norm is not None:
            factor = coefficient(self.clip_norm, sum((sum_of(j.g) for j in jobs), Sum()).root())
        if tied:
            for job in jobs:
                self._run([job], factor)
        else:
            batches: dict[Any, list[Job]] = {}
            for job in jobs:
                alone = job if job.form.shape.cautious else None
                key = (job.form, job.settings.at(0), job.steps(), job.scalars(), job.compute, alone)
                batches.setdefault(key, []).append(job)
            large = not sum((sum_of(j.g) for j in jobs), Sum()).root() < 2.0**51  # else no square overflows
            if self.nonfinite != "propagate" and large and any(self._overflows(b, factor) for b in batches.values()):
                return [], FloatingPointError if self.nonfinite == "raise" else None
            for batch in batches.values():
                self._run(batch, factor)
        return [job.cell for job in jobs], None

    def _overflows(self, jobs: Sequence[Job], factor: float) -> bool:
        """Whether a step would make state that is not finite from gradients that are."""
        _, x, new = self._pass(jobs, factor)
        good, slots = np.isfinite(x["g"]), [s.name for s in jobs[0].form.resolved.slots]
        return any(bool((good & ~np.isfinite(np.asarray(new[n]))).any()) for n in slots)

    def _pass(self, jobs: Sequence[Job], factor: float) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Arrays of each parameter, what the pass takes, and what it gives: of all of them as one long array."""
        first = jobs[0]
        form, dtype, host = first.form, first.compute, first.host
        t, scalars, resolved = first.steps(), first.scalars(), first.form.resolved
        arrays = {"p": [j.cell.place.view(j.cell.place.arena.image) for j in jobs], "g": [j.g for j in jobs]}
        for slot in resolved.slots:
            key, begin = host.key(slot.name), first.start(slot.start)
            held = [j.cell.state.get(key) for j in jobs]
            arrays[slot.name] = [
                np.full(j.g.shape, begin, dtype) if h is None else h.values for h, j in zip(held, jobs, strict=True)
            ]
        numbers = (t + 1, *first.settings.at(0), -1.0 if form.maximize else 1.0, np.inf, *scalars)
        x: dict[str, Any] = dict.fromkeys(s.name for s in resolved.rule.slots)
        x |= dict(zip(scalar_inputs(resolved), map(float, numbers), strict=True))
        x |= {n: np.concatenate([a.astype(dtype).ravel() for a in some]) for n, some in arrays.items()}
        x |= {"t": t + 1, "coefficient": factor, "keep_scale": 1.0}
        new = run_pass(resolved, form.shape, x, dtype)
        if form.shape.cautious:
            x["keep_scale"] = enlargement(first.g.size, int(np.sum(new["agreement"])))
            new = run_pass(resolved, form.shape, x, dtype)
        return arrays, x, new

    def _run(self, jobs: Sequence[Job], factor: float) -> None:
        """Step parameters of equal form, settings and history."""
        arrays, x, new = self._pass(jobs, factor)
        first = jobs[0]
        t, dtype, host, resolved = first.steps(), first.compute, first.host, first.form.resolved
        bounds = np.cumsum([j.g.size for j in jobs])[:-1]
        parts = {n: np.split(np.broadcast_to(np.asarray(new[n]), x["p"].shape), bounds) for n in arrays if n != "g"}
        for k, job in enumerate(jobs):
            cell, shape = job.cell, job.g.shape
            cell.place.expect(parts["p"][k].reshape(shape).astype(DTYPES[cell.place.kind][1]))
            for slot in resolved.slots:
                key = host.key(slot.name)
                kept = cell.state.get(key)
                if kept is None:
                    kind = COMPUTE.get(cell.place.kind, "float32")
                    kept = cell.state[key] = Kept(kind, np.empty(shape, dtype))
                kept.values = np.array(parts[slot.name][k].reshape(shape).astype(kept.values.dtype))
            if host.counts:
                cell.numbers["step"] = float(np.float32(t + 1))
            for slot in resolved.scalar_slots:
                cell.numbers[host.key(slot.name)] = float(np.float32(new[slot.name]))

    @np.errstate(all="ignore")
    def check(self, optimizer: Any, cells: Sequence[Cell], memory: bool = True) -> None:
        """Compare everything with what is there.

        Args:
            optimizer: whose state to look at.
            cells: parameters that may have state.
            memory: whether to compare parameters, gradients and canaries too.
        """
        for cell in cells:
            self._check_state(cell, optimizer.state.get(cell.tensor))
            if cell.gradient is not None and cell.gradient.numbers is not None:
                assert logical(cell.tensor.grad).tobytes() == cell.gradient.numbers.tobytes(), f"{cell.name}.grad"
        if memory and not self.memory.holds():
            for cell in self.cells:
                cell.place.forgive()
                for kept in cell.state.values():
                    if kept.place is not None:
                        kept.place.forgive()
            assert self.memory.holds(), self._damage()

    def _check_state(self, cell: Cell, entry: Any) -> None:
        if not entry:
            assert not cell.state, f"{cell.name}: no state, expected {list(cell.state)}"
            assert not cell.numbers, f"{cell.name}: no state, expected {list(cell.numbers)}"
            return
        assert entry.keys() == cell.state.keys() | cell.numbers.keys(), (
            f"{cell.name}: state {list(entry)}, expected {[*cell.state, *cell.numbers]}"
        )
        for key, number in cell.numbers.items():
            assert float(entry[key]) == number or number != number, (
                f"{cell.name}: {key} {entry[key]}, expected {number}"
            )
        for key, kept in cell.state.items():
            tensor = entry[key]
            assert tensor.dtype is DTYPES[kept.kind][0], f"{cell.name}: {key} is {tensor.dtype}, expected {kept.kind}"
            assert tensor.shape == cell.tensor.shape, f"{cell.name}: {key} has shape {tensor.shape}"
            if tensor.data_ptr() != kept.address:
                self._moved(cell, key, kept)
                kept.see(tensor)
            if kept.place is not None:
                kept.place.expect(kept.values)
                kept.place.forgive()
            found = logical(tensor)
            assert settle(found, kept.values), f"{cell.name}: {key} is\n{found}\nexpected\n{kept.values}"

    def _moved(self, cell: Cell, key: str, kept: Kept) -> None:
        """A state tensor in the place of another: only because the other does not lie as the parameter does."""
        if kept.address is not None:
            before = replace(cell.place, strides=kept.strides)
            fits = cell.place.dense and cell.place.same_layout(before)
            assert not fits or not kept.values.size, f"{cell.name}: {key} was replaced, though it lay as the parameter"
            for other in self.cells:
                if other.gradient is not None and other.gradient.kept is kept:  # it is the old tensor, as it was
                    numbers = logical(other.tensor.grad) if kept.place is None else None
                    other.gradient = Gradient(kept.place, numbers=numbers)
            kept.place = None

    def _damage(self) -> str:
        lines = []
        for arena in self.memory.arenas:
            wrong = np.nonzero(arena.actual != arena.image)[0]
            if not len(wrong):
                continue
            base = arena.actual.ctypes.data
            lines.append(f"{len(wrong)} wrong bytes, first at {base + wrong[0]:#x}, last at {base + wrong[-1]:#x}")
            for cell in self.cells:
                place = cell.place
                named = [(cell.name, place)]
                if cell.gradient is not None and cell.gradient.place is not None:
                    named.append((f"{cell.name}.grad", cell.gradient.place))
                named += [(f"{cell.name} {k}", v.place) for k, v in cell.state.items() if v.place is not None]
                for name, one in named:
                    if one.arena is arena:
                        a, b = one.view(arena.actual), one.view(arena.image)
                        if a.tobytes() != b.tobytes():
                            lines.append(f"{name}, {one}: is\n{a}\nexpected\n{b}")
        return "\n".join([*lines, "otherwise canaries"])
