"""An optimizer's `state`: dicts as torch has them that also tell when an entry is put in or taken out.

Between steps the driver keeps addresses of state tensors; a change from outside must not go unseen.
"""

from __future__ import annotations

import weakref
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from torch.utils import _pytree


class Flag:
    """How often state was changed: a plan holds while the number does.

    Attributes:
        changes: the number.
        listener: weak reference to what is called at each change; what it keeps of the old state it can let go.
    """

    __slots__ = ("changes", "listener")

    def __init__(self) -> None:
        self.changes = 0
        self.listener: weakref.WeakMethod[Callable[[], None]] | None = None

    def tell(self) -> None:
        """Count a change."""
        self.changes += 1
        call = None if self.listener is None else self.listener()
        if call is not None:
            call()


def _telling(name: str) -> Callable[..., Any]:
    """A method of dict that counts the change.

    It does so afterwards: a step of another thread that sees the new number sees the change, too.
    """
    plain = getattr(dict, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return plain(self, *args, **kwargs)
        finally:
            self.flag.tell()

    method.__name__, method.__doc__ = name, plain.__doc__
    return method


CHANGES = ("__setitem__", "__delitem__", "clear", "pop", "popitem", "setdefault", "update", "__ior__")


class Slots(dict[str, Any]):
    """The state of one parameter. Copies and pickles are plain dicts."""

    __slots__ = ("flag",)
    flag: Flag

    def __init__(self, *args: Any, **kwargs: Any):
        dict.__init__(self, *args, **kwargs)  # as clients rebuild mappings: `type(mapping)(items)`
        self.flag = Flag()

    @classmethod
    def of(cls, flag: Flag, items: Any = ()) -> Slots:
        """An entry of the state that a flag belongs to."""
        made = cls(items)
        made.flag = flag
        return made

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return dict, (), None, None, iter(self.items())

    def copy(self) -> dict[str, Any]:
        """A plain dict."""
        return dict(self)


class State(defaultdict[Any, Any]):
    """State by parameter; an entry that is asked for is made, as in torch. Copies and pickles are plain."""

    flag: Flag

    def __init__(self, *args: Any, **kwargs: Any):
        """Arguments as of `defaultdict`; its factory may be left out."""
        super().__init__(dict)
        self.flag = Flag()
        given = args[1:] if args and (args[0] is None or callable(args[0])) else args
        for parameter, entry in dict(*given, **kwargs).items():
            self[parameter] = entry
        self.track()

    def __missing__(self, parameter: Any) -> Any:
        self[parameter] = Slots.of(self.flag)
        return self[parameter]

    def __setitem__(self, parameter: Any, entry: Any) -> None:
        super().__setitem__(parameter, entry)
        self.flag.tell()

    def track(self) -> None:
        """Make entries that tell of changes of those that users have put in as plain dicts."""
        for parameter, entry in list(self.items()):
            if not (type(entry) is Slots and entry.flag is self.flag) and isinstance(entry, dict):
                self[parameter] = Slots.of(self.flag, entry)

    def filled(self) -> dict[int, bool]:
        """Of each parameter that has an entry, by its identity, whether there is something in it."""
        return {id(parameter): bool(self.get(parameter)) for parameter in list(self)}

    def settle(self, before: Mapping[int, bool], done: bool) -> None:
        """Take out what a step has put in but not filled, or everything if it was refused: torch shows nothing then.

        Args:
            before: `filled` before the step.
            done: whether the step was made.
        """
        for parameter in list(self):
            entry, had = self.get(parameter), before.get(id(parameter))
            if had is None and not (entry and done):
                self.pop(parameter, None)
            elif had is False and not done and entry:
                entry.clear()
        self.track()

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


def _register(kind: type, plain: Callable[[Any], Any]) -> None:
    """Let torch's trees (`torch.utils._pytree`) see the contents; what they build from them is plain."""
    _pytree.register_pytree_node(
        kind,
        lambda d: (list(d.values()), list(d)),
        lambda values, keys: plain(zip(keys, values, strict=True)),
        serialized_type_name=f"adamas.torch.{kind.__name__}",
        flatten_with_keys_fn=lambda d: ([(_pytree.MappingKey(k), v) for k, v in d.items()], list(d)),
    )


_register(Slots, dict)
_register(State, lambda items: defaultdict(dict, items))
