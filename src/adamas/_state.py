"""Saving and loading an optimizer's state as plain arrays and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .engine.errors import shown
from .engine.hyper import checked, declared

if TYPE_CHECKING:
    from .numpy import Optimizer

FORMAT = 1


def dump(optimizer: Optimizer) -> dict[str, Any]:
    """See `Optimizer.state_dict`."""
    engine = optimizer._engine
    groups = {"|".join(patterns): engine.groups[k] for patterns, k in optimizer._groups.items()}
    return {
        "format": FORMAT,
        "rule": optimizer.rule.name,
        "options": dict(engine.resolved.options),
        "t": engine.t,
        "hyper": {n: v for n, v in engine.groups[0].settings.values.items() if not callable(v)},
        "overrides": {
            pattern: {n: v for n, v in values.items() if not callable(v)}
            for pattern, values in optimizer._arguments.overrides.items()
        },
        "scalars": {name: dict(group.scalar_state) for name, group in groups.items()},
        "state": {path: {slot: a.copy() for slot, a in slots.items()} for path, slots in engine.state.items()},
        "counters": dict(engine.counters),
    }


def load(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """See `Optimizer.load_state_dict`."""
    engine, rule = optimizer._engine, optimizer.rule
    if not isinstance(state, Mapping):
        raise TypeError(f"state={shown(state)} must be what state_dict() returned.")
    missing = sorted(
        {"format", "rule", "options", "t", "hyper", "overrides", "scalars", "state", "counters"} - set(state)
    )
    if missing:
        raise ValueError(f"the state lacks {', '.join(missing)}; it must be what state_dict() returned.")
    _equal("format", state["format"], FORMAT)
    _equal("rule", state["rule"], rule.name)
    _equal("options", dict(state["options"]), dict(engine.resolved.options))
    _equal("override patterns", list(state["overrides"]), list(optimizer._arguments.overrides))
    t = state["t"]
    if isinstance(t, bool) or not isinstance(t, (int, np.integer)) or t < 0:
        raise ValueError(f"t={shown(t)} must be a whole number from 0 on.")
    hyper = {n: checked(declared(rule)[n], v) for n, v in state["hyper"].items() if n in declared(rule)}
    _equal("hyper-parameters", sorted(state["hyper"]), sorted(hyper))
    schedules = [n for n, v in engine.groups[0].settings.values.items() if n not in hyper and not callable(v)]
    if schedules:
        raise ValueError(f"{schedules[0]} was a schedule when the state was saved; give this optimizer one as well.")
    optimizer._arguments.check_derived({**engine.groups[0].settings.values, **hyper})
    overrides = {
        pattern: {n: checked(declared(rule)[n], v) for n, v in values.items()}
        for pattern, values in state["overrides"].items()
    }
    slots = {s.name: s for s in engine.resolved.slots}
    arrays: dict[str, dict[str, Any]] = {}
    for path, held in state["state"].items():
        _equal(f"slots of {path!r}", sorted(held), sorted(slots))
        arrays[path] = {n: np.array(held[n], order="K", copy=True) for n in slots}
        wrong = [n for n, a in arrays[path].items() if a.dtype not in (np.float32, np.float64)]
        if wrong:
            raise TypeError(
                f"state {wrong[0]!r} of {path!r} has dtype {arrays[path][wrong[0]].dtype}; float32 or float64 needed."
            )
        if len({a.shape for a in arrays[path].values()}) > 1:
            raise ValueError(f"the slots of {path!r} have different shapes.")
    scalars = {s.name for s in engine.resolved.scalar_slots}
    for name, values in state["scalars"].items():
        _equal(f"scalar state of group {name!r}", sorted(values), sorted(scalars))
    # everything fits: change
    engine.reset()
    for pattern, values in overrides.items():
        optimizer._arguments.overrides[pattern] |= values
    for name in [p for p in optimizer._groups if p]:
        engine.groups[optimizer._groups[name]].settings.values |= {
            n: v for pattern in name for n, v in optimizer._arguments.overrides[pattern].items()
        }
    for n, v in hyper.items():
        setattr(optimizer, n, v)
    for name, values in state["scalars"].items():
        patterns = tuple(name.split("|")) if name else ()
        index = optimizer._group_for(patterns)
        engine.groups[index].scalar_state = {n: float(v) for n, v in values.items()}
    engine.t = int(t)
    engine.state = arrays
    engine.counters |= {n: int(v) for n, v in state["counters"].items() if n in engine.counters}


def _equal(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise ValueError(
            f"the state's {what} is {shown(found)}, this optimizer's {shown(expected)}; they must be equal."
        )
