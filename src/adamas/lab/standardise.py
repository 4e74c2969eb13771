"""Between the units of the data and features of mean 0 and deviation 1, where one rate suits all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .models import Params

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """Mean and deviation of every column; a constant column keeps the deviation 1."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, values: Floats) -> Scale:
        """Measure columns (population deviation)."""
        deviation = values.std(axis=0)
        constant = np.ptp(values, axis=0) == 0
        return cls(values.mean(axis=0), np.where(constant, 1.0, deviation))

    def apply(self, values: Floats) -> Floats:
        """(values - mean)/deviation."""
        scaled: Floats = (values - self.mean) / self.deviation
        return scaled


def in_data_units(params: Params, x: Scale, y: Scale | None) -> tuple[Floats, Any]:
    """Coefficients and intercept for the data as they were given.

    Args:
        params: `weight` (features, outputs) and `bias` (outputs,) in standardised units.
        x: Scale of the features.
        y: Scale of the target, None for classes.

    Returns:
        Coefficients (features,) and a number for one output; (features, outputs) and (outputs,) for
        more, centred over the outputs, because adding the same to all of them changes no prediction.
    """
    height = 1.0 if y is None else float(y.deviation[0])
    weight = params["weight"] * (height / x.deviation[:, None])
    bias = params["bias"] * height - x.mean @ weight + (0.0 if y is None else float(y.mean[0]))
    if weight.shape[1] == 1:
        return weight[:, 0], float(bias[0])
    return weight - weight.mean(axis=1, keepdims=True), bias - bias.mean()
