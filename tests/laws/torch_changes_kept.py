"""What a user may do to state, groups and the optimizer as a whole between two steps."""

from __future__ import annotations

import copy
import pickle
import random
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch_changes import CHANGES, often, some_cell
from torch_memory import Arena, Place, strides_of, values
from torch_model import Cell, Gradient, Kept, logical

if TYPE_CHECKING:
    from torch_programs import Program

__all__ = ["CHANGES"]  # those of `torch_changes` and these


# -- state ------------------------------------------------------------------------------------------------------
def supply(program: Program, rng: random.Random, cell: Cell, key: str) -> torch.Tensor:
    """A state tensor in memory with canaries, laid out as the parameter or otherwise."""
    kind = cell.state[key].kind
    if program.strange == "state" and key == "exp_avg" and kind == "float32":
        kind = rng.choice(("bfloat16", "float64")) if program.recipe.wide else "bfloat16"
    if rng.random() < (0.9 if program.tidy else 0.6):
        place = program.memory.reserve(kind, cell.place.shape, cell.place.strides, program.live())
    else:
        place = program.new_place(rng, kind, cell.place.shape, ("c", "permuted", "gaps", "expanded"))
    new = values(rng, kind, place.shape, program.hard)
    place.put(new if key in ("exp_avg", "momentum_buffer") else np.abs(new))
    kept = cell.state[key] = Kept(kind, np.array(place.view(place.arena.image), order="C"), place)
    tensor = place.tensor(own=rng.random() < 0.5)
    kept.see(tensor)
    program.say(f"state[{cell.name}][{key!r}] = {place}")
    return tensor


@often(3)
def replace_state(program: Program, rng: random.Random) -> None:
    """Another tensor in the place of one; by the entry, or the old object over other memory."""
    cell = some_cell(program, rng, "state")
    if cell is None:
        return
    entry = program.optimizer.state[cell.tensor]
    supplied = [k for k, kept in cell.state.items() if kept.place is not None]
    key = rng.choice(sorted(supplied if supplied and rng.random() < 0.5 else cell.state))
    old = entry[key]
    if any(c.gradient is not None and c.gradient.kept is cell.state[key] for c in program.model.cells):
        return
    program.bury(old, old.data)
    tensor = supply(program, rng, cell, key)
    how = rng.randrange(6)
    if how == 0 and tensor.dtype == old.dtype:
        old.data = tensor
    elif how == 4:
        entry |= {key: tensor}
    elif how == 5 and tensor.dtype == old.dtype:
        torch.utils.swap_tensors(old, tensor)
        program.bury(tensor)
    elif how == 1 and tensor.dtype == old.dtype:
        old.set_(tensor.untyped_storage(), tensor.storage_offset(), tensor.shape, tensor.stride())
    elif how == 2:
        entry.update({key: tensor})
    else:
        entry[key] = tensor
    program.say(f"  by way {how}")


@often(2)
def restride(program: Program, rng: random.Random) -> None:
    """`as_strided_`: the same tensor over the same memory, its axes in another order."""
    cell = some_cell(program, rng)
    if cell is None:
        return
    what = rng.choice(("parameter", "gradient", *sorted(cell.state)))
    gradient, kept = cell.gradient, cell.state.get(what)
    if what == "gradient" and (gradient is None or gradient.kept is not None or gradient.flip):
        return
    place = {"parameter": cell.place, "gradient": gradient and gradient.place}.get(what, kept and kept.place)
    tensors = {"parameter": cell.tensor, "gradient": cell.tensor.grad}
    tensor = tensors[what] if what in tensors else program.optimizer.state[cell.tensor][what]
    strides = strides_of(rng, cell.place.shape, "permuted")
    if place is not None and not place.dense:
        return
    with torch.no_grad():
        tensor.as_strided_(tensor.shape, strides, tensor.storage_offset())
    if place is not None:
        place = replace(place, strides=strides)
    if kept is not None:
        kept.place, kept.values = place, logical(tensor)
        kept.see(tensor)
    elif what == "parameter":
        cell.place = place
    elif place is None:
        gradient.numbers = logical(tensor)
    else:
        gradient.place = place
    program.say(f"{cell.name}'s {what} restrided: {strides}")


@often(2)
def edit_state(program: Program, rng: random.Random) -> None:
    """State changed in place."""
    cell = some_cell(program, rng, "state")
    if cell is None:
        return
    key = rng.choice(sorted(cell.state))
    kept, tensor = cell.state[key], program.optimizer.state[cell.tensor][key]
    if kept.place is not None and kept.place.repeats:
        return
    tensor.mul_(0.25) if rng.random() < 0.5 else tensor.zero_()
    if kept.place is not None:
        kept.place.sync()
    kept.values = logical(tensor)
    program.say(f"state[{cell.name}][{key!r}] edited")


@often(1)
def share_state(program: Program, rng: random.Random) -> None:
    """`share_memory_()`: the storage moves, the tensor does not know."""
    cell = some_cell(program, rng, "state")
    if cell is None or program.safe or rng.random() < 0.5:
        return
    key = rng.choice(sorted(cell.state))
    kept, tensor = cell.state[key], program.optimizer.state[cell.tensor][key]
    if kept.place is None and kept.values.size:
        tensor.share_memory_()
        kept.see(tensor)
        program.say(f"state[{cell.name}][{key!r}].share_memory_()")


@often(2)
def edit_numbers(program: Program, rng: random.Random) -> None:
    """Step count or scalar slot: filled in place, another tensor, or a Python number."""
    cell = some_cell(program, rng, "numbers")
    if cell is None:
        return
    entry = program.optimizer.state[cell.tensor]
    key = rng.choice(sorted(cell.numbers))
    value = rng.choice((0.0, 1.0, 7.0, 1000.0, 2.0**24 - 100)) if key == "step" else 0.5
    how = rng.randrange(4)
    program.bury(torch.as_tensor(entry[key]).data)
    if how == 0 or not isinstance(entry[key], torch.Tensor):
        entry[key] = torch.tensor(value)
    elif how == 1 and key == "step":
        entry[key] = int(value)
    elif how == 2:
        entry[key].data = torch.tensor(value)
    else:
        entry[key].fill_(value)
    cell.numbers[key] = value
    program.say(f"state[{cell.name}][{key!r}] is {value} by way {how}")


@often(2)
def drop_state(program: Program, rng: random.Random) -> None:
    """State taken away, in all the ways there are."""
    cell = some_cell(program, rng, "state")
    if cell is None or any(c.gradient is not None and c.gradient.kept for c in program.model.cells):
        return
    optimizer, way = program.optimizer, rng.randrange(10)
    state, tensor = optimizer.state, cell.tensor
    program.bury(*[list(entry.values()) for entry in state.values()])
    all_, part = way in (0, 1), sorted(cell.state)[0]
    if way == 0:
        state.clear()
    elif way == 1:
        optimizer.state = defaultdict(dict)
    elif way == 2:
        del state[tensor]
    elif way == 3:
        state.pop(tensor)
    elif way == 4:
        state[tensor] = {}
    elif way == 5:
        state[tensor].clear()
    elif way == 6:
        state[tensor] = {k: v for k, v in state[tensor].items() if k != part}
    elif way == 7:
        del state[tensor][part]
    elif way == 8:
        state[tensor].pop(part)
    else:
        state.update({tensor: {}})
    for one in program.members() if all_ else [cell]:
        if way in (6, 7, 8):
            del one.state[part]
        else:
            one.forget()
    program.say(f"state of {'all' if all_ else cell.name} dropped by way {way}")


# -- groups -----------------------------------------------------------------------------------------------------
@often(1)
def add_group(program: Program, rng: random.Random) -> None:
    """`add_param_group`."""
    cell = program.new_cell(rng)
    program.optimizer.add_param_group({"params": [cell.tensor], **program.settings(rng)})
    program.say(f"add_param_group {cell.name}")


@often(2)
def edit_groups(program: Program, rng: random.Random) -> None:
    """Groups and their lists: replaced, reordered, extended, shortened."""
    groups, way = program.optimizer.param_groups, rng.randrange(10)
    group = rng.choice(groups)
    if way == 0:
        group["params"] = list(group["params"])
    elif way == 1:
        group["params"].reverse()
    elif way == 2:
        groups.reverse()
    elif way == 3:
        k = rng.randrange(len(groups))
        groups[k] = dict(groups[k])
    elif way == 9:
        groups = program.optimizer.param_groups = [dict(g) for g in groups]
    elif way == 4 and group["params"]:
        group["params"][rng.randrange(len(group["params"]))] = program.new_cell(rng).tensor
    elif way == 5:
        group["params"].append(program.new_cell(rng).tensor)
    elif way == 6 and group["params"]:
        group["params"].pop()
    elif way == 7 and len(groups) > 1:
        groups[0]["params"].extend(groups.pop()["params"])
    elif way == 8 and group["params"] and group["params"][0].numel():
        group["params"].append(group["params"][0])  # stepped twice
        program.model.tied = True
        program.set_gradient(program.cell_of(group["params"][0]), None, None)
    names = [[program.cell_of(p).name for p in g["params"]] for g in groups]
    program.say(f"param_groups by way {way}: {names}")


# -- the whole optimizer ----------------------------------------------------------------------------------------
@often(2)
def save_and_load(program: Program, rng: random.Random) -> None:
    """Through a state dict into the same optimizer or a new one; what was loaded from may change then."""
    optimizer, copies = program.optimizer, rng.random() < 0.7
    if any(c.gradient is not None and c.gradient.kept for c in program.model.cells):
        return
    if any(len({id(p) for p in g["params"]}) < len(g["params"]) for g in optimizer.param_groups):
        return  # a parameter that appears twice has two numbers
    if program.name == "Adagrad" and not all(optimizer.state.values()):
        return  # torch's own cannot load an entry without a step count
    members = {id(c.tensor) for c in program.members()}
    for tensor in [t for t in optimizer.state if id(t) not in members]:
        optimizer.state.pop(tensor)  # torch cannot save state of parameters that are in no group
    saved = optimizer.state_dict()
    if rng.random() < 0.5:
        if rng.random() < 0.5:  # a step between, which the loaded state takes back
            saved = copy.deepcopy(saved)
            copies = True
        program.bury(optimizer)
        program.optimizer = program.new_optimizer([g["params"] for g in optimizer.param_groups])
    program.bury(*[list(entry.values()) for entry in optimizer.state.values()])
    program.optimizer.load_state_dict(saved, copy=copies)
    for cell in program.members():
        for key, kept in cell.state.items():
            now = program.optimizer.state[cell.tensor][key]
            if copies:
                assert not kept.values.size or now.data_ptr() != kept.address, f"{cell.name}: {key} is shared"
                kept.place = None
            kept.see(now)
    if copies:
        for entry in saved["state"].values():
            for value in entry.values():
                if isinstance(value, torch.Tensor):
                    value.fill_(77)
        for arena in program.memory.arenas:
            arena.image[...] = arena.actual
    program.say(f"load_state_dict(copy={copies})")
    program.model.check(program.optimizer, program.members())


@often(1)
def copy_all(program: Program, rng: random.Random) -> None:
    """`copy.deepcopy` or `pickle` of the optimizer and its parameters; the copy goes on."""
    if program.name == "Adagrad" and not all(program.optimizer.state.values()):
        return
    for cell in program.model.cells:  # state may hold parameters that are in no group any more
        now = cell.gradient
        if now is not None and (now.flip or now.place is None or now.place.kind != cell.place.kind):  # torch cannot all
            program.set_gradient(cell, None, None)
    cells, pickled = program.members(), rng.random() < 0.4
    both = (program.optimizer, [c.tensor for c in cells])
    optimizer, tensors = pickle.loads(pickle.dumps(both)) if pickled else copy.deepcopy(both)
    program.bury(both)
    program.optimizer = optimizer
    arenas = {a.actual.ctypes.data: a for a in program.memory.arenas}

    def found(tensor: torch.Tensor, place: Place) -> Place:
        if not place.extent():
            return Place(place.arena, place.kind, place.offset, tuple(tensor.shape), tensor.stride())
        base = tensor.untyped_storage().data_ptr()
        if base not in arenas:
            arenas[base] = Arena(rng, tensor=tensor)
            program.memory.arenas.insert(0, arenas[base])
        arena = arenas[base]
        new = Place(arena, place.kind, tensor.data_ptr() - base, tuple(tensor.shape), tensor.stride())
        assert new.view(arena.actual).tobytes() == place.view(place.arena.image).tobytes(), "the copy differs"
        return new

    for cell, tensor in zip(cells, tensors, strict=True):
        cell.place, cell.tensor = found(tensor, cell.place), tensor
        if tensor.grad is None:
            cell.gradient = None
        elif cell.gradient is not None:
            cell.gradient = Gradient(found(tensor.grad, cell.gradient.place))
        for key, kept in cell.state.items():
            now = optimizer.state[tensor][key]
            kept.place = found(now, kept.place) if kept.place is not None else None
            kept.see(now)
    program.model.cells = cells
    program.say("pickle" if pickled else "deepcopy")
    program.model.check(optimizer, cells)
