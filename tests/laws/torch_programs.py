"""Random programs of a torch optimizer's user: steps, and everything that may change between them.

A program is a recipe of whole numbers, each of which seeds one thing (a parameter, a change): Hypothesis draws and
shrinks the lists, and NumPy need not be asked for every number. An error carries what was done, in words.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from threading import Thread
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch_changes_kept import CHANGES
from torch_memory import (
    DENSE,
    DTYPES,
    GRADIENT_STYLES,
    LARGE,
    SHAPES,
    STYLES,
    Memory,
    Place,
    strides_of,
    values,
)
from torch_model import Cell, Gradient, Kept, Model, logical

import adamas.torch as at
from adamas.engine.cpu import plan as cpu_plan
from adamas.torch import _look

BETAS = (0.0, 0.5, 0.83, 0.9, 0.957)
SETTINGS: dict[str, Sequence[Any]] = {
    "lr": (0.01, 0.3, 0.001, 0.0), "eps": (1e-8, 1e-3, 0.0), "weight_decay": (0.0, 0.037, 0.3), "momentum": (0.9, 0.71),
    "alpha": (0.99, 0.5), "rho": (0.9, 0.5), "lr_decay": (0.0, 0.11), "momentum_decay": (4e-3, 0.03),
    "initial_accumulator_value": (0.0, 0.02), "maximize": (False, False, True),
}  # fmt: skip
SMALL: dict[str, Sequence[dict[str, Any]]] = {
    "AdamW": [{}],
    "Adam": [{}, {"amsgrad": True}],
    "SGD": [
        {"momentum": 0.9, "nesterov": False, "dampening": 0},
        {"momentum": 0.0, "nesterov": False, "dampening": 0},
        {"momentum": 0.9, "nesterov": False, "dampening": 0.3},
    ],
    "NAdam": [{}],
    "Adagrad": [{}],
    "RMSprop": [{"centered": True, "momentum": 0.9}],
    "Adan": [{}],
    "Lion": [{}],
}
LARGER: dict[str, Sequence[dict[str, Any]]] = {
    **SMALL,
    "Adam": [*SMALL["Adam"], {"amsgrad": False, "decoupled_weight_decay": True}],
    "SGD": [*SMALL["SGD"], {"momentum": 0.9, "nesterov": True, "dampening": 0}],
    "RMSprop": [{"centered": c, "momentum": m} for c in (True, False) for m in (0.9, 0.0)],
    "RAdam": [{}],
    "Adamax": [{}],
    "Adadelta": [{}],
    "Adan": [{"cautious": False}, {"cautious": True}],
    "ADOPT": [{}],
}
"""Classes and settings of a group that choose its formula. Every one is a kernel of its own for every combination of
dtypes, and takes about a second to compile where the cache is empty; hence the small choice."""


def kinds_of(name: str, wide: bool) -> tuple[str, ...]:
    """Dtypes of a class's parameters."""
    kinds: tuple[str, ...] = ("float32", "float32", "complex64")
    if wide or name in ("AdamW", "SGD", "NAdam", "Adagrad"):
        kinds += ("float64", "complex128")
    if name == "AdamW" or (wide and name in ("SGD", "Lion")):
        kinds += ("bfloat16", "float16") if wide else ("bfloat16",)
    return kinds + (("float16",) if name == "SGD" and not wide else ())


OTHER_KINDS = {
    "float32": ("bfloat16", "float16", "float64"),
    "bfloat16": ("float32",),
    "complex64": ("float32", "complex128"),
    "complex128": ("complex64", "float64"),
}
"""Dtypes of gradients beside the parameter's own."""


@cache
def defaults_of(name: str) -> dict[str, Any]:
    """Keys of a class's groups, with their defaults."""
    return dict(getattr(at, name)([torch.zeros(1)]).defaults)


@dataclass(frozen=True)
class Recipe:
    """A program.

    Attributes:
        start: seeds class, settings and everything that is not listed.
        parameters: a seed for each.
        rounds: before each step, a seed for each change.
        plain: whether tensors are looked at in Python (`PlainLook`).
        batched: whether the scalars of few groups are computed as those of many are.
        wide: whether to choose from all forms and dtypes.
    """

    start: int
    parameters: list[int]
    rounds: list[list[int]]
    plain: bool = False
    batched: bool = False
    wide: bool = False


def recipes(wide: bool) -> st.SearchStrategy[Recipe]:
    """All programs of 1 to 4 parameters and 2 to 6 steps."""
    seed = st.integers(0, 2**32 - 1)
    return st.builds(
        Recipe,
        seed,
        st.lists(seed, min_size=1, max_size=4),
        st.lists(st.lists(seed, max_size=3), min_size=2, max_size=6),
        st.booleans(),
        st.booleans(),
        st.just(wide),
    )


def random_recipe(seed: int) -> Recipe:
    """One of them without Hypothesis."""
    rng = random.Random(seed)
    draw = lambda: rng.getrandbits(32)
    rounds = [[draw() for _ in range(rng.randrange(3))] for _ in range(rng.randrange(2, 6))]
    return Recipe(draw(), [draw() for _ in range(rng.randrange(1, 4))], rounds, rng.random() < 0.25, rng.random() < 0.3)


def play(recipe: Recipe, safe: bool = False) -> Program:
    """Run a program; an error says what was done until then."""
    before = _look.layout_known, cpu_plan.MIN_GROUPS
    if recipe.plain:
        _look.layout_known = lambda: False  # type: ignore[assignment]
    if recipe.batched:
        cpu_plan.MIN_GROUPS = 1
    log: list[str] = []
    try:
        program = Program(recipe, log, safe)
        program.run()
    except Exception as error:
        error.add_note("\n".join(["The program:", *log]))
        raise
    finally:
        _look.layout_known, cpu_plan.MIN_GROUPS = before
    return program


class Program:
    """A program that runs.

    Args:
        recipe: what it is made of.
        log: takes what is done, in words.
        safe: keep the memory of everything that is replaced, so that a driver broken on purpose writes no other's.
    """

    def __init__(self, recipe: Recipe, log: list[str], safe: bool = False):
        self.recipe, self.safe, self.log = recipe, safe, log
        rng = self.rng = random.Random(recipe.start)
        self.graveyard: list[Any] = []
        self.memory = Memory(rng)
        forms = LARGER if recipe.wide else SMALL
        self.name = rng.choice((*forms, "AdamW"))
        self.forms, self.kinds = forms[self.name], kinds_of(self.name, recipe.wide)
        self.defaults = defaults_of(self.name)
        self.tidy = rng.random() < 0.75  # layouts mostly such that plans are kept
        self.hard = rng.random() < 0.3
        clip = rng.choice((None, None, None, 0.5)) if not self.hard else None
        nonfinite = rng.choice(("propagate",) * 6 + ("skip", "raise"))
        self.extras = {"clip_norm": clip, "nonfinite": nonfinite}
        self.model = Model(self.memory, clip, nonfinite)
        # AdamW meets other dtypes of gradients or state too: one kind of strangeness each time
        self.strange = rng.choice(("", "gradient", "state", "dtype")) if self.name == "AdamW" else ""
        self.number = 0
        cells = [self.new_cell(random.Random(seed)) for seed in recipe.parameters]
        groups: list[list[Cell]] = [[] for _ in range(rng.randrange(1, 4))]
        for cell in cells:
            rng.choice(groups).append(cell)
        self.say(f"{self.name}, {self.extras}, {'plain' if recipe.plain else 'native'}")
        self.optimizer = self.new_optimizer([[c.tensor for c in group] for group in groups])
        for group in self.optimizer.param_groups:
            settings = {k: v for k, v in group.items() if k != "params" and v is not None}
            self.say(f"group {[self.cell_of(p).name for p in group['params']]} {settings}")
        self.begin_adagrad(cells)

    def say(self, line: str) -> None:
        """Note what is done."""
        self.log.append(line)

    # -- making things --------------------------------------------------------------------------------------
    def new_place(self, rng: random.Random, kind: str, shape: tuple[int, ...], styles: Sequence[str] = ()) -> Place:
        """A place of random layout, new or one that has become free."""
        strides = strides_of(rng, shape, rng.choice(styles or (DENSE if self.tidy else STYLES)))
        return self.memory.reserve(kind, shape, strides, self.live())

    def live(self, gradients: bool = True) -> list[Place]:
        """Places in use."""
        out = [c.place for c in self.model.cells]
        if gradients:
            found = [c.gradient.place for c in self.model.cells if c.gradient is not None]
            out += [place for place in found if place is not None]
        return out + [k.place for c in self.model.cells for k in c.state.values() if k.place is not None]

    def new_cell(self, rng: random.Random) -> Cell:
        """A parameter with random values."""
        shape, kind = LARGE if rng.random() < 0.003 else rng.choice(SHAPES), rng.choice(self.kinds)
        if self.model.cells and rng.random() < 0.4:
            like = rng.choice(self.model.cells).place
            shape, kind = like.shape, like.kind
        place = self.new_place(rng, kind, shape)
        place.put(values(rng, place.kind, shape, self.hard))
        tensor = place.tensor(own=rng.random() < 0.5)
        parameter = torch.nn.Parameter(tensor) if rng.random() < 0.7 else tensor.requires_grad_()
        cell = Cell(f"p{self.number}", parameter, place)
        self.number += 1
        self.model.cells.append(cell)
        self.say(f"{cell.name} = {place}")
        return cell

    def settings(self, rng: random.Random) -> dict[str, Any]:
        """What a group may set."""
        chosen = {k: rng.choice(v) for k, v in SETTINGS.items() if k in self.defaults}
        if "betas" in self.defaults:
            chosen["betas"] = tuple(rng.choice(BETAS) for _ in self.defaults["betas"])
        return chosen | rng.choice(self.forms)

    def new_optimizer(self, groups: Sequence[Sequence[torch.Tensor]]) -> Any:
        """An optimizer of this program's class."""
        made = [{"params": list(tensors), **self.settings(self.rng)} for tensors in groups]
        return getattr(at, self.name)(made, **self.extras)

    def begin_adagrad(self, cells: Sequence[Cell]) -> None:
        """Adagrad's state is there from the constructor on."""
        if self.name != "Adagrad":
            return
        for group in self.optimizer.param_groups:
            for tensor in group["params"]:
                cell = self.cell_of(tensor)
                assert cell in cells
                kind = {"float16": "float32", "bfloat16": "float32"}.get(cell.place.kind, cell.place.kind)
                like = cell.place.view(cell.place.arena.image)
                start = self.optimizer.defaults["initial_accumulator_value"]  # of the constructor, as in torch
                cell.state["sum"] = Kept(kind, np.full(like.shape, start, DTYPES[kind][1]))
                cell.state["sum"].see(self.optimizer.state[tensor]["sum"])
                cell.numbers["step"] = 0.0

    # -- finding things -------------------------------------------------------------------------------------
    def cell_of(self, tensor: torch.Tensor) -> Cell:
        """The record of a parameter."""
        return next(c for c in self.model.cells if c.tensor is tensor)

    def members(self) -> list[Cell]:
        """Parameters that are in a group, once each."""
        tensors = {id(p) for group in self.optimizer.param_groups for p in group["params"]}
        return [c for c in self.model.cells if id(c.tensor) in tensors]

    def bury(self, *things: Any) -> None:
        """Something has been replaced."""
        if self.safe:
            self.graveyard += things

    # -- gradients ------------------------------------------------------------------------------------------
    def set_gradient(self, cell: Cell, gradient: Gradient | None, tensor: torch.Tensor | None) -> None:
        """Assign a gradient; another dtype than the parameter's is allowed where torch can."""
        self.bury(cell.tensor.grad)
        cell.gradient = gradient
        if tensor is not None and tensor.dtype != cell.tensor.dtype:
            cell.tensor.grad = None
            cell.tensor.grad_dtype = tensor.dtype
        elif getattr(cell.tensor, "grad_dtype", cell.tensor.dtype) not in (None, cell.tensor.dtype):
            cell.tensor.grad = None
            cell.tensor.grad_dtype = cell.tensor.dtype
        cell.tensor.grad = tensor

    def new_gradient(self, rng: random.Random, cell: Cell) -> None:
        """A new tensor of random layout."""
        kind = cell.place.kind
        if self.strange == "gradient" and rng.random() < 0.5:
            kinds = OTHER_KINDS.get(kind, (kind,))
            if kind == "complex64" and (self.hard or self.model.clip_norm is not None):
                kinds = ("float32",)  # a norm or a check may be of complex128 numbers or of what is left of them
            kind = rng.choice(kinds) if self.recipe.wide else kinds[0]
        styles = ("c",) if rng.random() < 0.5 else GRADIENT_STYLES
        if kind != cell.place.kind:  # strides may be equal in bytes and yet be others
            styles = ("c", "gaps", "gaps")
        if rng.random() < (0.95 if self.tidy and kind == cell.place.kind else 0.4) and cell.place.dense:
            place = self.memory.reserve(kind, cell.place.shape, cell.place.strides, self.live())
        else:
            place = self.new_place(rng, kind, cell.place.shape, styles)
        place.put(values(rng, kind, place.shape, self.hard))
        tensor, flip = place.tensor(own=rng.random() < 0.5), ""
        if rng.random() < 0.2:  # in memory that is free again as soon as another gradient comes
            tensor = tensor.clone(memory_format=torch.preserve_format)
            self.set_gradient(cell, Gradient(None, numbers=logical(tensor)), tensor)
            self.say(f"{cell.name}.grad = {place.kind} strides {tensor.stride()}, torch's own")
            return
        if rng.random() < 0.04:
            flip = "conjugated" if tensor.is_complex() else "negated"
            tensor = tensor.conj() if tensor.is_complex() else torch._neg_view(tensor)
        self.set_gradient(cell, Gradient(place, flip=flip), tensor)
        self.say(f"{cell.name}.grad = {flip} {place}")

    def gradients(self, rng: random.Random) -> None:
        """What happens to gradients in the ordinary course of things."""
        for cell in self.members():
            chance, now = rng.random(), cell.gradient
            if now is None:
                if chance < 0.85:
                    self.new_gradient(rng, cell)
            elif now.numbers is not None and chance < 0.5:
                cell.tensor.grad.mul_(0.5)
                now.numbers = logical(cell.tensor.grad)
            elif self.tidy and chance < 0.9 and now.place is not None and not now.place.same_layout(cell.place):
                self.new_gradient(rng, cell)
            elif chance < 0.45:
                if now.place is not None and not any(p.meets(now.place) for p in self.live(gradients=False)):
                    now.place.put(values(rng, now.place.kind, now.place.shape, self.hard))
                    self.say(f"{cell.name}.grad refilled")
            elif chance < 0.7:
                self.new_gradient(rng, cell)
            elif chance < 0.74:
                self.set_gradient(cell, None, None)
                self.say(f"{cell.name}.grad = None")

    # -- the step -------------------------------------------------------------------------------------------
    def step(self, way: str = "") -> None:
        """Step both, and compare; the step is called plainly, or with a closure, after a hook, in a thread."""
        way = way or self.rng.choice(("", "", "", "closure", "hook", "thread"))
        cells: list[Cell] = []
        before: list[tuple[int, int]] = []
        outcome: list[Any] = []

        def expect(*_: Any) -> None:
            if way in ("closure", "hook"):
                self.gradients(self.rng)
            cells[:] = self.model.cells
            before[:] = [(c.tensor._version, _version(c.tensor.grad)) for c in cells]
            outcome[:] = self.model.advance(self.optimizer)

        raised: list[Exception] = []

        def act() -> None:
            try:
                self.optimizer.step(*([expect] if way == "closure" else []))
            except Exception as error:
                raised.append(error)

        hook = self.optimizer.register_step_pre_hook(expect) if way == "hook" else None
        if way not in ("closure", "hook"):
            expect()
        if way == "thread":
            thread = Thread(target=act)
            thread.start()
            thread.join()
        else:
            act()
        if hook is not None:
            hook.remove()
        if not outcome:
            raise raised[0]
        stepped, error = outcome
        self.say(f"step {way} {error.__name__ if error else ''}")
        if raised and error is None:
            raise raised[0]
        assert [type(e) for e in raised] == ([error] if error else []), f"raised {raised}, expected {error}"
        for cell, (version, gradient) in zip(cells, before, strict=True):
            moved = cell.tensor._version != version
            assert moved == (cell in stepped), f"{cell.name}: _version {version} -> {cell.tensor._version}"
            if cell.gradient is None or cell.gradient.kept is None:
                assert _version(cell.tensor.grad) == gradient, f"{cell.name}.grad was written"
        self.model.check(self.optimizer, self.members())

    def run(self) -> None:
        """Everything, in order."""
        for seeds in self.recipe.rounds:
            for seed in seeds:
                CHANGES[seed % len(CHANGES)](self, random.Random(seed))
            self.gradients(self.rng)
            self.step()


def _version(tensor: torch.Tensor | None) -> int:
    return -1 if tensor is None else tensor._version
