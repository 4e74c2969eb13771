"""What a user may do between two steps of a torch optimizer, each beside what it means for the model."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch_memory import DTYPES, Place, itemsize, strides_of, values
from torch_model import Cell, Gradient

import adamas

if TYPE_CHECKING:
    from torch_programs import Program

Change = Callable[["Program", random.Random], None]
CHANGES: list[Change] = []


def often(times: int) -> Callable[[Change], Change]:
    """A change, and how often it is chosen."""

    def add(function: Change) -> Change:
        CHANGES.extend([function] * times)
        return function

    return add


def some_cell(program: Program, rng: random.Random, having: str = "") -> Cell | None:
    """A parameter that has state, or a gradient."""
    cells = [c for c in program.members() if not having or getattr(c, having)]
    return rng.choice(cells) if cells else None


# -- settings ---------------------------------------------------------------------------------------------------
@often(3)
def set_number(program: Program, rng: random.Random) -> None:
    """A hyper-parameter as a float, NumPy's float or a tensor; a tensor that is there is filled."""
    group = rng.choice(program.optimizer.param_groups)
    chosen = program.settings(rng)
    key = rng.choice([k for k in chosen if k in ("lr", "betas", "eps", "weight_decay", "momentum_decay", "maximize")])
    value = chosen[key]
    if isinstance(group[key], torch.Tensor) and rng.random() < 0.7:
        group[key].fill_(value)
    elif key == "lr":
        wide = torch.tensor(value, dtype=rng.choice((torch.float32, torch.float64)))
        group[key] = rng.choice((value, np.float64(value), np.float32(value), wide))
    elif key == "betas" and rng.random() < 0.4:
        group[key] = list(value) if rng.random() < 0.5 else tuple(map(torch.tensor, value))
    elif key == "betas" and isinstance(group[key][0], torch.Tensor):
        group[key][0].fill_(value[0])
    elif type(group[key]) is list:
        group[key][:] = value
    else:
        group[key] = value
    program.say(f"group[{key!r}] = {group[key]!r}")


@often(1)
def set_form(program: Program, rng: random.Random) -> None:
    """Another formula: amsgrad, momentum, ... switched."""
    group, form = rng.choice(program.optimizer.param_groups), rng.choice(program.forms)
    group.update({k: program.defaults[k] for f in program.forms for k in f if k not in form} | form)
    program.say(f"group.update({form})")


@often(1)
def bad_number(program: Program, rng: random.Random) -> None:
    """A step that raises changes nothing."""
    group = rng.choice(program.optimizer.param_groups)
    before, group["lr"] = group["lr"], float("nan")
    program.say("group['lr'] = nan")
    program.step("bad")
    group["lr"] = before


# -- parameters -------------------------------------------------------------------------------------------------
def move(program: Program, cell: Cell, place: Place, new: Any) -> None:
    """Tell the model that a parameter lies elsewhere now."""
    place.put(new)
    cell.place = place


@often(2)
def replace_data(program: Program, rng: random.Random) -> None:
    """`p.data = other`: memory of another address and other strides, with the old values or new ones."""
    cell = some_cell(program, rng)
    if cell is None:
        return
    old = np.array(cell.place.view(cell.place.arena.image))
    program.bury(cell.tensor.data)
    place = program.new_place(rng, cell.place.kind, cell.place.shape)
    move(program, cell, place, old if rng.random() < 0.5 else values(rng, place.kind, place.shape, program.hard))
    cell.tensor.data = place.tensor(own=rng.random() < 0.5)
    program.say(f"{cell.name}.data = {place}")


@often(1)
def set_memory(program: Program, rng: random.Random) -> None:
    """`p.set_(storage, ...)`: the same tensor object over other memory; sometimes of another shape, without state."""
    cell = some_cell(program, rng)
    if cell is None:
        return
    shape = cell.place.shape
    if rng.random() < 0.3:
        shape = tuple(reversed(shape)) if rng.random() < 0.5 else (*shape, 2)
    program.bury(cell.tensor.data)
    place = program.new_place(rng, cell.place.kind, shape)
    if shape != cell.place.shape:
        program.set_gradient(cell, None, None)
        program.bury(dict(program.optimizer.state.pop(cell.tensor, {})))
        cell.forget()
    move(program, cell, place, values(rng, place.kind, shape, program.hard))
    like = place.tensor(own=rng.random() < 0.5)
    with torch.no_grad():
        cell.tensor.set_(like.untyped_storage(), like.storage_offset(), like.shape, like.stride())
    program.say(f"{cell.name}.set_({place})")


@often(1)
def write_parameter(program: Program, rng: random.Random) -> None:
    """`p.data.copy_(values)`."""
    cell = some_cell(program, rng)
    if cell is not None:
        cell.place.put(values(rng, cell.place.kind, cell.place.shape, program.hard))
        with torch.no_grad():
            cell.tensor.mul_(0.5)
        cell.place.sync()
        program.say(f"{cell.name}.data.copy_(...)")


@often(1)
def change_dtype(program: Program, rng: random.Random) -> None:
    """`module.double()`, `module.bfloat16()`: state stays what it was."""
    cell = some_cell(program, rng)
    if cell is None or program.strange != "dtype" or cell.place.kind not in ("float32", "float64", "bfloat16"):
        return
    kind = {"float32": rng.choice(("float64", "bfloat16")), "float64": "float32", "bfloat16": "float32"}[
        cell.place.kind
    ]
    program.set_gradient(cell, None, None)
    program.bury(cell.tensor.data)
    place = program.new_place(rng, kind, cell.place.shape)
    move(program, cell, place, values(rng, kind, place.shape, program.hard))
    cell.tensor.data = place.tensor(own=True)
    program.say(f"{cell.name}.data = {place}")


@often(1)
def tie(program: Program, rng: random.Random) -> None:
    """Two parameters over the same memory, or memory that overlaps."""
    first, second = some_cell(program, rng), some_cell(program, rng)
    if first is None or second is None or first is second or first.place.kind != second.place.kind:
        return
    if rng.random() < 0.7 or not first.place.extent():
        return  # rarely: it ends the keeping of plans
    strides = strides_of(rng, second.place.shape, "c")
    place = Place(first.place.arena, first.place.kind, first.place.offset, second.place.shape, strides)
    shift = rng.randrange(first.place.extent()) * itemsize(place.kind)
    place.offset += shift
    if place.span()[1] > place.arena.used or any(
        c.gradient.kept or (c.gradient.place and any(c.gradient.place.meets(p) for p in (place, *program.live(False))))
        for c in program.model.cells
        if c.gradient is not None
    ):
        return
    if any(place.meets(p) for p in program.live() if p is not first.place):
        return
    place.sync()
    program.model.tied = True
    program.bury(second.tensor.data)
    second.place = place
    second.tensor.data = place.tensor(own=rng.random() < 0.5)
    program.say(f"{second.name}.data = {place}, within {first.name}")


@often(1)
def resize_storage(program: Program, rng: random.Random) -> None:
    """`p.untyped_storage().resize_(n)`: torch moves the memory and the tensor does not know."""
    cell = some_cell(program, rng)
    if cell is None or program.safe:
        return
    others = (p for p in program.live() if p is not cell.place)
    storage, start = cell.tensor.untyped_storage(), cell.place.arena.actual.ctypes.data
    whole = storage.resizable() and storage.data_ptr() == start  # not a storage over a part of the arena
    own = whole and cell.place.arena.resizable and not any(p.arena is cell.place.arena for p in others)
    if not own or cell.tensor.data_ptr() == 0:
        old = np.array(cell.place.view(cell.place.arena.image))
        place, tensor = program.memory.fresh(cell.place.kind, cell.place)
        move(program, cell, place, old)
        cell.tensor.data = tensor
        program.say(f"{cell.name}.data = {place}, torch's own")
        if rng.random() < 0.5:
            return
    arena = cell.place.arena
    old = np.array(cell.place.view(arena.image))
    storage = cell.tensor.untyped_storage()
    assert storage.data_ptr() == arena.actual.ctypes.data
    size = len(arena.actual) + rng.choice((0, 64, 4096))
    arena.actual = np.empty(0, np.uint8)
    if rng.random() < 0.5:
        storage.resize_(0)
    storage.resize_(size)
    arena.adopt(cell.tensor)
    cell.place.put(old)
    program.say(f"{cell.name}.untyped_storage().resize_({size}): {cell.place}")


@often(1)
def swap(program: Program, rng: random.Random) -> None:
    """`torch.utils.swap_tensors(p, other)`: the same object, other insides."""
    cell = some_cell(program, rng)
    if cell is None:
        return
    place = program.new_place(rng, cell.place.kind, cell.place.shape)
    place.put(values(rng, place.kind, place.shape, program.hard))
    other: Any = place.tensor(own=rng.random() < 0.5)
    other = torch.nn.Parameter(other) if isinstance(cell.tensor, torch.nn.Parameter) else other.requires_grad_()
    torch.utils.swap_tensors(cell.tensor, other)
    program.bury(other)
    cell.place, cell.gradient = place, None
    program.say(f"swap_tensors({cell.name}, {place})")


@often(1)
def freeze(program: Program, rng: random.Random) -> None:
    """`requires_grad_` off or on: a parameter that has a gradient is stepped all the same."""
    cell = some_cell(program, rng)
    if cell is not None:
        cell.tensor.requires_grad_(not cell.tensor.requires_grad)
        program.say(f"{cell.name}.requires_grad = {cell.tensor.requires_grad}")


@often(1)
def expand(program: Program, rng: random.Random) -> None:
    """An expanded parameter is refused, and nothing has changed."""
    cell = some_cell(program, rng, "gradient")
    if cell is None or cell.place.extent() < 2:
        return
    place, data = cell.place, cell.tensor.data
    cell.place = Place(place.arena, place.kind, place.offset, place.shape, tuple(0 for _ in place.shape))
    cell.tensor.data = cell.place.tensor(own=False)
    program.say(f"{cell.name}.data expanded")
    program.step("bad")
    cell.place, cell.tensor.data = place, data


# -- gradients --------------------------------------------------------------------------------------------------
@often(2)
def alias_gradient(program: Program, rng: random.Random) -> None:
    """A gradient that lies in a parameter (its own too), in state, or in another gradient."""
    cell, other = some_cell(program, rng), some_cell(program, rng)
    if cell is None or other is None or program.model.tied:
        return
    choices = [other.place]
    choices += [k.place for k in other.state.values() if k.place is not None]
    if other.gradient is not None and other.gradient.place is not None and not other.gradient.flip:
        choices.append(other.gradient.place)
    found = rng.choice(choices)
    if found.kind != cell.place.kind:
        return
    place = Place(found.arena, found.kind, found.offset, found.shape, found.strides)
    if found.shape != cell.place.shape:
        place.shape, place.strides = cell.place.shape, strides_of(rng, cell.place.shape, "c")
    if rng.random() < 0.4:
        place.offset += itemsize(place.kind) * rng.choice((-2, -1, 1, 2))
    if place.offset < 0 or place.span()[1] > len(place.arena.actual):
        return
    if program.model.clip_norm is not None and not place.same(found):
        return  # canaries are numbers whose squares overflow
    program.set_gradient(cell, Gradient(place), place.tensor(own=rng.random() < 0.3))
    program.say(f"{cell.name}.grad = {place}, near {other.name}'s")


@often(1)
def state_as_gradient(program: Program, rng: random.Random) -> None:
    """A gradient that is a state tensor."""
    cell, other = some_cell(program, rng), some_cell(program, rng, "state")
    if cell is None or other is None or program.model.tied:
        return
    key = rng.choice(sorted(other.state))
    kept = other.state[key]
    if kept.kind == cell.place.kind and other.place.shape == cell.place.shape:
        program.set_gradient(cell, Gradient(None, kept=kept), program.optimizer.state[other.tensor][key])
        program.say(f"{cell.name}.grad = state[{other.name}][{key!r}]")


@often(1)
def misfit_gradient(program: Program, rng: random.Random) -> None:
    """A gradient that has another shape than the parameter, since one of them was given other memory, is refused."""
    cell = some_cell(program, rng, "gradient")
    if cell is None or cell.gradient.place is None or cell.gradient.flip or program.model.tied:
        return
    gradient, data, shape = cell.gradient, cell.tensor.grad.data, cell.place.shape
    shape = rng.choice(((*shape, 2), (*shape[:-1], shape[-1] + 2) if shape else (2,)))  # as what torch cannot broadcast
    place = program.new_place(rng, gradient.place.kind, shape)
    cell.gradient, cell.tensor.grad.data = Gradient(place), place.tensor(own=True)
    program.say(f"{cell.name}.grad.data = {place}")
    program.step("bad")
    cell.gradient, cell.tensor.grad.data = gradient, data


@often(1)
def zero_gradients(program: Program, rng: random.Random) -> None:
    """`zero_grad`, both ways."""
    keep = rng.random() < 0.7
    for cell in program.members():
        now = cell.gradient
        # in place it would change parameters and state that gradients lie in; memory that overlaps is torch's error
        if keep and now is not None and (
            now.place is None or len(set(now.place.strides)) < len(now.place.strides) or 0 in now.place.strides
            or any(p.meets(now.place) for p in program.live() if p is not now.place)
        ):  # fmt: skip
            return
    program.bury([c.tensor.grad for c in program.members()])
    program.optimizer.zero_grad(set_to_none=not keep)
    for cell in program.members():
        if not keep:
            cell.gradient = None
        elif cell.gradient is not None and cell.gradient.place is not None:
            cell.gradient.place.sync()
            assert not cell.gradient.values().any()
    program.say(f"zero_grad(set_to_none={not keep})")


@often(1)
def move_gradient(program: Program, rng: random.Random) -> None:
    """`p.grad.data = other`: the same gradient object over other memory."""
    cell = some_cell(program, rng, "gradient")
    if cell is None or cell.gradient.place is None or cell.gradient.flip:
        return
    place = program.new_place(rng, cell.gradient.place.kind, cell.place.shape, ("c", "permuted", "expanded"))
    place.put(values(rng, place.kind, place.shape, program.hard))
    program.bury(cell.tensor.grad.data)
    cell.tensor.grad.data = place.tensor(own=rng.random() < 0.5)
    cell.gradient = Gradient(place)
    program.say(f"{cell.name}.grad.data = {place}")


# -- the process ------------------------------------------------------------------------------------------------
@often(1)
def set_threads(program: Program, rng: random.Random) -> None:
    """Other numbers of threads."""
    ours, torchs = rng.choice((1, 2)), rng.choice((1, 2))
    adamas.set_num_threads(ours)
    torch.set_num_threads(torchs)
    program.say(f"threads: adamas {ours}, torch {torchs}")


@often(1)
def collect_garbage(program: Program, rng: random.Random) -> None:
    """Memory of what is gone is given to other tensors."""
    if rng.random() < 0.1:
        gc.collect(0)
    program.graveyard.append([torch.full((n,), 3.0, dtype=DTYPES[k][0]) for n in (1, 16, 65) for k in program.kinds])
    program.say("gc")
