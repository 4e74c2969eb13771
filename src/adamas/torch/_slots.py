"""An optimizer's `state`: dicts as torch has them that also tell when an entry is put in or taken out.

Between steps the driver keeps addresses of state tensors; a change from outside must not go unseen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any


class Flag:
    """Whether state was changed from outside since the last plan."""

    __slots__ = ("stale",)

    def __init__(self) -> None:
        self.stale = True


def _telling(name: str) -> Callable[..., Any]:
    """A method of dict that raises the flag first."""
    plain = getattr(dict, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.flag.stale = True
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

    def __missing__(self, parameter: Any) -> Any:
        self[parameter] = Slots(self.flag)
        return self[parameter]

    def __setitem__(self, parameter: Any, entry: Any) -> None:
        self.flag.stale = True
        own = type(entry) is Slots and entry.flag is self.flag
        super().__setitem__(parameter, entry if own or not isinstance(entry, dict) else Slots(self.flag, entry))

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
