"""Saving and loading an optimizer's state as plain arrays and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .engine.errors import shown
from .engine.hyper import Setting, checked, declared
from .rules import Hyper

if TYPE_CHECKING:
    from .numpy import Optimizer

FORMAT = 1
DICTS = ("options", "hyper", "overrides", "scalars", "state", "counters")


def dump(optimizer: Optimizer) -> dict[str, Any]:
    """See `Optimizer.state_dict`."""
    engine = optimizer._engine
    groups = {"|".join(patterns): engine.groups[k] for patterns, k in optimizer._groups.items()}
    begun = {n: g for n, g in groups.items() if n == "" or (engine.t and g.scalar_state)}
    return {
        "format": FORMAT,
        "rule": optimizer.rule.name,
        "options": dict(engine.form.resolved.options),
        "t": engine.t,
        "hyper": {n: v for n, v in engine.settings[0].values.items() if not callable(v)},
        "overrides": {
            pattern: {n: v for n, v in values.items() if not callable(v)}
            for pattern, values in optimizer._arguments.overrides.items()
        },
        "scalars": {name: dict(group.scalar_state) for name, group in begun.items()},
        "state": {path: {slot: a.copy() for slot, a in slots.items()} for path, slots in engine.state.items()},
        "counters": dict(engine.counters),
    }


def load(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """See `Optimizer.load_state_dict`."""
    engine, arguments = optimizer._engine, optimizer._arguments
    if not isinstance(state, Mapping):
        raise TypeError(f"state={shown(state)} must be what state_dict() returned.")
    missing = sorted({"format", "rule", "t", *DICTS} - set(state))
    if missing:
        raise ValueError(f"the state lacks {', '.join(missing)}; it must be what state_dict() returned.")
    for name in DICTS:
        _mapping(f"the state's {name}", state[name])
    _equal("format", state["format"], FORMAT)
    _equal("rule", state["rule"], optimizer.rule.name)
    _equal("options", dict(state["options"]), dict(engine.form.resolved.options))
    _equal("override patterns", list(state["overrides"]), list(arguments.overrides))
    t = _whole("t", state["t"])
    counters = {n: _whole(f"counters[{n!r}]", state["counters"].get(n, 0)) for n in engine.counters}
    present = engine.settings[0].values
    hyper = _numbers("hyper-parameters", state["hyper"], present, declared(optimizer.rule))
    arguments.check_derived({**present, **hyper})
    overrides = {}
    for pattern, own in arguments.overrides.items():
        saved = _mapping(f"the state's overrides[{pattern!r}]", state["overrides"][pattern])
        overrides[pattern] = _numbers(f"overrides[{pattern!r}]", saved, own, declared(optimizer.rule))
        arguments.check_derived({**present, **hyper, **own, **overrides[pattern]})
    scalars = _scalars(optimizer, state["scalars"])
    arrays = _arrays(state["state"], [s.name for s in engine.form.resolved.slots])
    # everything fits: change
    engine.reset()
    for pattern, values in overrides.items():
        arguments.overrides[pattern] |= values
    optimizer._assign(hyper)
    for patterns, index in optimizer._groups.items():
        for pattern in patterns:
            for n, v in arguments.overrides[pattern].items():
                engine.settings[index].set(n, v)
    for patterns, numbers in scalars.items():
        engine.groups[optimizer._group_for(patterns)].scalar_state = numbers
    engine.restore(t, arrays)
    engine.counters |= counters


def _numbers(
    what: str, saved: Mapping[str, Any], present: Mapping[str, Any], known: Mapping[str, Hyper]
) -> dict[str, Setting]:
    """Saved settings, checked; a setting that was a schedule is not among them and must be one here."""
    unknown = sorted(set(saved) - set(present))
    if unknown:
        raise ValueError(f"the state's {what} have {unknown[0]!r}, this optimizer's have not; they must be the same.")
    for n, v in present.items():
        if n not in saved and not callable(v):
            raise ValueError(f"{what}: {n} was a schedule when the state was saved; give this optimizer one as well.")
    return {n: checked(known[n], v) for n, v in saved.items()}


def _scalars(optimizer: Optimizer, saved: Mapping[str, Any]) -> dict[tuple[str, ...], dict[str, float]]:
    """Saved scalar slots by the override patterns of their group."""
    names = sorted(s.name for s in optimizer._engine.form.resolved.scalar_slots)
    out = {}
    if "" not in saved:
        raise ValueError("the state's scalars lack the group ''; they must be what state_dict() returned.")
    for key, values in saved.items():
        patterns = tuple(key.split("|")) if key else ()
        _equal(
            f"patterns of group {key!r}", list(patterns), [p for p in optimizer._arguments.overrides if p in patterns]
        )
        _equal(f"scalar state of group {key!r}", sorted(_mapping(f"scalars[{key!r}]", values)), names)
        for n, v in values.items():
            if isinstance(v, bool) or not isinstance(v, (int, float, np.floating, np.integer)):
                raise TypeError(f"scalars[{key!r}][{n!r}]={shown(v)} must be a number.")
        out[patterns] = {s.name: float(values[s.name]) for s in optimizer._engine.form.resolved.scalar_slots}
    return out


def _arrays(saved: Mapping[str, Any], slots: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Copies of the saved slots of every parameter."""
    out: dict[str, dict[str, Any]] = {}
    for path, held in saved.items():
        _equal(f"slots of {path!r}", sorted(_mapping(f"state[{path!r}]", held)), sorted(slots))
        out[path] = {n: np.array(held[n], order="K", copy=True) for n in slots}
        for n, a in out[path].items():
            if a.dtype not in (np.float32, np.float64):
                raise TypeError(f"state {n!r} of {path!r} has dtype {a.dtype}; float32 or float64 needed.")
        shapes = {a.shape for a in out[path].values()}
        if len(shapes) > 1:
            raise ValueError(f"the slots of {path!r} have different shapes {sorted(shapes)}; they must be equal.")
    return out


def _mapping(what: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{what}={shown(value)} must be a dict, as state_dict() returned it.")
    return value


def _whole(what: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise ValueError(f"{what}={shown(value)} must be a whole number from 0 on.")
    return int(value)


def _equal(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise ValueError(
            f"the state's {what} is {shown(found)}, this optimizer's {shown(expected)}; they must be equal."
        )
