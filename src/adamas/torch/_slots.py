"""An optimizer's `state`: dicts as torch has them that also tell when an entry is put in or taken out.

Between steps the driver keeps addresses of state tensors; a change from outside must not go unseen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any


class Flag:
    """How often state was changed: a plan holds while the number does."""

    __slots__ = ("changes",)

    def __init__(self) -> None:
        self.changes = 0


def _telling(name: str) -> Callable[..., Any]:
    """A method of dict that counts the change first."""
    plain = getattr(dict, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.flag.changes += 1
        return plain(self, *args, **kwargs)

    method.__name__, method.__doc__ = name, plain.__doc__
    return method


CHANGES = ("__setitem__", "__delitem__", "clear", "pop", "popitem", "setdefault", "update", "__ior__")


class Slots(dict[str, Any]):
    """The state of one parameter. Copies and pickles are plain dicts."""

    __slots__ = ("flag",)
    flag: Flag

    def __init__(self, flag: Flag, items: Iterable[Any] = ()):
        dict.__init__(self, items)
        self.flag = flag

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return dict, (), None, None, iter(self.items())

    def copy(self) -> dict[str, Any]:
        """A plain dict."""
        return dict(self)


class State(defaultdict[Any, Any]):
    """State by parameter; an entry that is asked for is made, as in torch. Copies and pickles are plain."""

    flag: Flag

    def __init__(self, items: Iterable[tuple[Any, Any]] = ()):
        super().__init__(dict)
        self.flag = Flag()
        for parameter, entry in items:
            self[parameter] = entry
        self.track()

    def __missing__(self, parameter: Any) -> Any:
        self[parameter] = Slots(self.flag)
        return self[parameter]

    def __setitem__(self, parameter: Any, entry: Any) -> None:
        self.flag.changes += 1
        super().__setitem__(parameter, entry)

    def track(self) -> None:
        """Make entries that tell of changes of those that users have put in as plain dicts."""
        for parameter, entry in self.items():
            if not (type(entry) is Slots and entry.flag is self.flag) and isinstance(entry, dict):
                self[parameter] = Slots(self.flag, entry)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """As dict.update."""
        for parameter, entry in dict(*args, **kwargs).items():
            self[parameter] = entry

    def setdefault(self, parameter: Any, default: Any = None) -> Any:
        """As dict.setdefault."""
        if parameter not in self:
            self[parameter] = default
        return self[parameter]

    def __ior__(self, other: Any) -> State:  # type: ignore[misc]
        self.update(other)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return defaultdict, (dict,), None, None, iter(self.items())

    def copy(self) -> defaultdict[Any, Any]:  # type: ignore[override]
        """A plain defaultdict."""
        return defaultdict(dict, self)

    def __copy__(self) -> State:
        return self.copy()  # type: ignore[return-value]


for _name in CHANGES:
    setattr(Slots, _name, _telling(_name))
for _name in ("__delitem__", "clear", "pop", "popitem"):
    setattr(State, _name, _telling(_name))
