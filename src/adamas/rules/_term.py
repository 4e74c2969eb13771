"""`term`: marks a function of the vocabulary that rules may call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def term(function: F) -> F:
    """Mark a function as part of rules: it obeys the vocabulary and is inlined wherever a rule calls it.

    Args:
        function: straight-line code in the vocabulary of rules.

    Returns:
        The same function, which still runs on plain floats.
    """
    function.__adamas_term__ = True  # type: ignore[attr-defined]
    return function


def is_term(value: object) -> bool:
    """Whether a value was marked by `term`."""
    return getattr(value, "__adamas_term__", False) is True
