"""Errors and warnings of the engine, and the words in which it speaks of values."""

from __future__ import annotations


class PerformanceWarning(UserWarning):
    """A slower path was taken; the message says why and how to avoid it."""


def shown(value: object, limit: int = 80) -> str:
    """A value as text for a message, cut to a length."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
