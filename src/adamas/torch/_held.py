"""The state of a parameter for the length of a step: what the step works on stays alive, whoever changes the entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Held(dict[str, Any]):
    """An entry of an optimizer's state as it was when the step began, and what the step puts in, there and here.

    A kernel works on addresses. Meanwhile other threads, finalizers and callbacks of the garbage collector may take
    tensors out of the entry, or the entry out of the state.

    Args:
        state: of the optimizer.
        parameter: whose entry it is; an entry that is missing is made.
    """

    def __init__(self, state: Mapping[Any, Any], parameter: Any):
        self.state, self.parameter, self.entry = state, parameter, state[parameter]
        super().__init__(self.entry)

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self.entry[key] = value

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self.entry.pop(key, None)

    def unchanged(self) -> bool:
        """Whether the optimizer's state has the same things still; an empty entry need not be there."""
        if not self:
            return True
        present: Any = self.state.get(self.parameter)
        return present is self.entry and all(present.get(key) is value for key, value in self.items())
