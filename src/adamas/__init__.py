"""adamas: write an update rule once; run it fused, at memory speed, with the same bits, in every framework.

The optimizers (`adamas.Adam`, `adamas.AdamW`, ...) are listed by `adamas.members()`. Importing this package imports
no framework; the kernel compiler is loaded at the first step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import rules as rules
    from . import schedules as schedules
    from ._info import get_num_threads as get_num_threads
    from ._info import info as info
    from ._info import set_num_threads as set_num_threads
    from ._minimize import MinimizeResult as MinimizeResult
    from ._minimize import minimize as minimize
    from .engine.errors import PerformanceWarning as PerformanceWarning
    from .numpy import Optimizer as Optimizer
    from .numpy import get as get
    from .numpy import members as members
    from .numpy import optimizer as optimizer
    from .rules import Hyper as Hyper
    from .rules import Rule as Rule
    from .rules import RuleError as RuleError
    from .rules import Slot as Slot
    from .rules import abs as abs
    from .rules import clip as clip
    from .rules import exp as exp
    from .rules import log as log
    from .rules import maximum as maximum
    from .rules import minimum as minimum
    from .rules import rule as rule
    from .rules import sign as sign
    from .rules import sqrt as sqrt
    from .rules import term as term
    from .rules import where as where

_HOMES = {
    "numpy": ("CLASSES", "Optimizer", "get", "members", "optimizer"),
    "rules": (
        "Hyper", "Rule", "RuleError", "Slot", "rule", "term",
        "abs", "clip", "exp", "log", "maximum", "minimum", "sign", "sqrt", "where",
    ),
    "_minimize": ("MinimizeResult", "minimize"),
    "_info": ("get_num_threads", "info", "set_num_threads"),
    "engine.errors": ("PerformanceWarning",),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def _load(name: str) -> Any:
    """A public name, loaded at its first use."""
    import importlib

    if name.startswith("__"):
        raise AttributeError(name)
    if name in ("rules", "schedules"):
        return importlib.import_module("." + name, __name__)
    if name in _HOME_OF:
        value = getattr(importlib.import_module("." + _HOME_OF[name], __name__), name)
    else:
        from .rules import ROLL

        if name not in ROLL:
            raise AttributeError(f"module 'adamas' has no attribute {name!r}")
        from .numpy import CLASSES

        value = CLASSES[name]
    globals()[name] = value
    return value


if TYPE_CHECKING:

    def __getattr__(name: str) -> type[Optimizer]: ...

else:
    __getattr__ = _load


def __dir__() -> list[str]:
    from .rules import ROLL

    return sorted([*_HOME_OF, *ROLL, "rules", "schedules", "__version__"])
