"""The live optimizer that wrong calls are made on, and the form of a row of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import adamas


class Trip:
    """A schedule that can be made to misbehave."""

    def __init__(self) -> None:
        self.answer: Any = 0.01

    def __call__(self, step: int) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def arrays(kind: str, seed: int) -> Any:
    """Parameters or gradients of one of several structures."""
    rng = np.random.default_rng(seed)
    w, b = rng.standard_normal((2, 3)), rng.standard_normal(3)
    if kind == "nested":
        return {"w": w, "deep": {"list": [b, {"s": rng.standard_normal(())}]}, "b": rng.standard_normal(2)}
    if kind == "floats":
        return {"w": 0.5 + seed, "b": [1.5 + seed, np.float32(2.5 + seed)]}
    if kind == "list":
        return [w, b]
    if kind == "array":
        return w
    return {"w": w, "b": b}


class Live:
    """An optimizer after two steps, with its parameters `p` and the gradients `g` of the next."""

    def __init__(self, backend: str, kind: str, member: str, settings: dict[str, Any]):
        self.trip = Trip()
        self.opt = adamas.get(member)(backend=backend, **self.armed(settings))
        self.p, self.g = arrays(kind, 1), arrays(kind, 2)
        for k in range(2):
            self.opt.step(self.p, arrays(kind, 10 + k))

    def armed(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The settings with this optimizer's own schedule wherever `Trip` stands."""
        return {n: self.trip if v is Trip else self.armed(v) if isinstance(v, dict) else v for n, v in settings.items()}

    def step(self, p: Any = None, g: Any = None) -> None:
        """A step with something put in the place of parameters or gradients."""
        self.opt.step(self.p if p is None else p, self.g if g is None else g)

    def p_with(self, **changed: Any) -> Any:
        return {**self.p, **changed}

    def g_with(self, **changed: Any) -> Any:
        return {**self.g, **changed}

    def load(self, **changed: Any) -> None:
        """Load the state with entries replaced, or left out where they are `...`."""
        state = {**self.opt.state_dict(), **changed}
        self.opt.load_state_dict({n: v for n, v in state.items() if v is not ...})

    def slots(self, path: str = "w", **changed: Any) -> dict[str, Any]:
        """The state's arrays with slots of a path replaced, or left out where they are `...`."""
        state = self.opt.state_dict()["state"]
        held = {n: v for n, v in {**state[path], **changed}.items() if v is not ...}
        return {**state, path: held}


@dataclass(frozen=True)
class Wrong:
    """One wrong call: what it raises, what the text must say (in this order), and on which optimizer."""

    call: Callable[[Live], object]
    error: type[Exception]
    text: str
    kind: str = "flat"
    member: str = "NAdam"
    settings: tuple[tuple[str, Any], ...] = (("overrides", {"b*": {"lr": 0.02}}),)


def on(member: str, kind: str = "flat", **settings: Any) -> dict[str, Any]:
    return {"member": member, "kind": kind, "settings": tuple(settings.items())}


def assign(name: str, value: Any) -> Callable[[Live], object]:
    return lambda live: setattr(live.opt, name, value)


def make(member: str, *args: Any, **kwargs: Any) -> Callable[[Live], object]:
    return lambda live: adamas.get(member)(*args, **kwargs)


def trip(answer: Any) -> Callable[[Live], object]:
    def call(live: Live) -> None:
        live.trip.answer = answer
        try:
            live.step()
        finally:
            live.trip.answer = 0.01

    return call


def frozen(live: Live) -> None:
    """The very array of the steps before, made read-only since: the fast path must see it."""
    live.p["w"].flags.writeable = False
    try:
        live.step()
    finally:
        live.p["w"].flags.writeable = True


def reshaped(live: Live) -> None:
    """Both arrays of the steps before, reshaped in place."""
    for a in (live.p["w"], live.g["w"]):
        a.shape = (3, 2)
    try:
        live.step()
    finally:
        for a in (live.p["w"], live.g["w"]):
            a.shape = (2, 3)


def itself(live: Live) -> None:
    p: list[Any] = [live.p["w"]]
    p.append(p)
    live.step(p, p)


def swapped(a: Any) -> Any:
    return a.astype(a.dtype.newbyteorder())
