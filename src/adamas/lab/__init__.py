"""The laboratory: races between optimizers, regressions, surfaces, reports; `adamas` on the command line.

Needs the extra libraries of `pip install 'adamas[lab]'`; they are imported when a name below is used.
Nothing in adamas outside this package imports it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batched import steps_grid
    from .contest import Race, compare
    from .errors import InputError, LabError
    from .fit_result import FitResult
    from .regression import fit
    from .studies._run import StudyResult
    from .studies._run import run_study as study
    from .surfaces import SURFACES
    from .sweep_contest import Sweep, sweep

_WHERE = {
    "FitResult": ("fit_result", "FitResult"),
    "InputError": ("errors", "InputError"),
    "LabError": ("errors", "LabError"),
    "SURFACES": ("surfaces", "SURFACES"),
    "Race": ("contest", "Race"),
    "compare": ("contest", "compare"),
    "StudyResult": ("studies._run", "StudyResult"),
    "Sweep": ("sweep_contest", "Sweep"),
    "fit": ("regression", "fit"),
    "steps_grid": ("batched", "steps_grid"),
    "study": ("studies._run", "run_study"),
    "sweep": ("sweep_contest", "sweep"),
}

__all__ = [
    "SURFACES",
    "FitResult",
    "InputError",
    "LabError",
    "Race",
    "StudyResult",
    "Sweep",
    "compare",
    "fit",
    "steps_grid",
    "study",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    module, attribute = _WHERE[name]
    try:
        return getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
    except ModuleNotFoundError as error:
        from .cli import missing_extras

        if not missing_extras():
            raise
        missing = ", ".join(missing_extras())
        raise ImportError(f"adamas.lab.{name} needs {missing}; install with: pip install 'adamas[lab]'") from error


def __dir__() -> list[str]:
    return sorted(__all__)
