"""The terms of Adam's formula for float64 arrays: what a study needs of them it calls, it does not write them again."""

from __future__ import annotations

import numpy as np

from adamas import rules
from adamas.engine.reference import bind, primitives

_WORDS = primitives(np.dtype(np.float64))
corrected = bind(rules.corrected, _WORDS)
ratio = bind(rules.ratio, _WORDS)
