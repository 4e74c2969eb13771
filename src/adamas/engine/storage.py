"""How arrays are stored: the dtypes that the engine accepts and the type it computes in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Format:
    """One storage dtype.

    Attributes:
        name: NumPy's (or ml_dtypes') name.
        compute: dtype of arithmetic and of state slots; 8/16/32-bit storage computes in float32.
        itemsize: bytes per element.
    """

    name: str
    compute: str
    itemsize: int

    @property
    def compute_dtype(self) -> np.dtype[Any]:
        return np.dtype(self.compute)


FORMATS = {
    "float32": Format("float32", "float32", 4),
    "float64": Format("float64", "float64", 8),
    "float16": Format("float16", "float32", 2),
    "bfloat16": Format("bfloat16", "float32", 2),
}


def format_of(dtype: np.dtype[Any]) -> Format | None:
    """The format of a dtype in native byte order, or None if the engine does not know it."""
    if not dtype.isnative:
        return None
    return FORMATS.get(dtype.name)
