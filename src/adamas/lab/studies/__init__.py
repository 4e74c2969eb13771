"""The studies: each a claim about Adam, put to the test; one file each, found by being there."""

from __future__ import annotations

import importlib
import pkgutil

from ..errors import InputError
from ._declare import Outcome, Study, study

__all__ = ["Outcome", "Study", "get_study", "names", "study"]


def names() -> list[str]:
    """All studies, in alphabetical order."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name.replace("_", "-") for name in found if not name.startswith("_"))


def get_study(name: str) -> Study:
    """The study of that name.

    Raises:
        InputError: There is none; the text lists the names.
    """
    known = names()
    if name.lower() not in known:
        raise InputError(f"unknown study {name!r}; choose from: all, {', '.join(known)}")
    module = importlib.import_module(f"{__name__}.{name.lower().replace('-', '_')}")
    return next(value for value in vars(module).values() if isinstance(value, Study))
