"""Inside a run: the effective learning rate of a step, and its gradient against the second moment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rules import corrected
from ..rules.adam import SECOND_MOMENT

Floats = NDArray[np.float64]
MOST_READINGS = 40  # in one run


@dataclass(frozen=True)
class Reading:
    """One step, looked at from outside: the same two numbers for every optimizer.

    Attributes:
        step: Number of the step, from 1.
        rate: Effective learning rate |change of p| / |g|: lower quartile, median and upper quartile over the
            coordinates whose gradient is not zero; parameter per gradient units. SGD's is its learning rate. None
            without such coordinates, or where one is not finite.
        rms: RMS_t, the root of the mean over all coordinates of g^2 / max(v_hat, eps^2), without unit: 1 where the
            second moment knows gradients of this size, far above 1 where it lags behind. None for an optimizer
            without a mean of squared gradients, or where it is not finite. Source: Wortsman et al. (2023), "Stable
            and low-precision training for large-scale vision-language models", StableAdamW.
    """

    step: int
    rate: tuple[float, float, float] | None
    rms: float | None


def reading_steps(evaluated: list[int]) -> set[int]:
    """At most `MOST_READINGS` of the steps at which the loss is evaluated anyway, evenly spread, with the last."""
    places = np.linspace(0, len(evaluated) - 1, min(len(evaluated), MOST_READINGS))
    return {evaluated[round(place)] for place in places if evaluated}


def read(
    step: int, before: Mapping[str, Any], after: Mapping[str, Any], grads: Mapping[str, Any], made: Any
) -> Reading:
    """Look at a step that was done.

    Args:
        step: Its number, from 1.
        before: Parameters before it, by name.
        after: Parameters after it.
        grads: Its gradients.
        made: The optimizer after the step.
    """
    rate = rms = None
    with np.errstate(all="ignore"):  # a diverging run is a result, not a warning
        g = _flat(grads, before)
        moved = g != 0
        rates = np.abs(_flat(after, before) - _flat(before, before))[moved] / np.abs(g[moved])
        if rates.size and np.isfinite(rates).all():
            low, middle, high = np.quantile(rates, [0.25, 0.5, 0.75]).tolist()
            rate = (low, middle, high)
        moment = second_moment(made, list(before))
        if moment is not None:
            lowest = made.hyper.get("eps", 0.0) ** 2
            found = float(np.sqrt(np.mean(np.where(moved, g * g / np.maximum(moment, lowest), 0.0))))
            rms = found if math.isfinite(found) else None
    return Reading(step, rate, rms)


def second_moment(made: Any, names: list[str]) -> Floats | None:
    """v_hat of all coordinates, from the state; None where there is no mean of squared gradients.

    The state says v, the rule whether its formula corrects the bias, and the family's own term by how much.
    """
    rule = getattr(made, "rule", None)
    slot = next((s.name for s in getattr(rule, "slots", ()) if s.meaning == SECOND_MOMENT.meaning), None)
    if rule is None or slot is None:
        return None
    state = made.state_dict()["state"]
    v = np.concatenate([np.asarray(state[name][slot], np.float64).ravel() for name in names])
    if rule.bias_correction == "yes" and "beta2" in made.hyper:
        _, root_scale = corrected(made.t, 1.0, 0.0, made.hyper["beta2"], "paper")
        v = v * root_scale**2
    return v


def _flat(arrays: Mapping[str, Any], names: Mapping[str, Any]) -> Floats:
    return np.concatenate([np.asarray(arrays[name], np.float64).ravel() for name in names])


def median_reading(readings: list[list[Reading]]) -> tuple[list[int], Floats, Floats]:
    """Medians over runs at the steps that all of them read: steps, rates of shape (3, steps), RMS_t of shape (steps,).

    What no run has is NaN.
    """
    common = sorted(set.intersection(*({r.step for r in own} for own in readings))) if readings else []
    rates, rms = np.full((3, len(common)), math.nan), np.full(len(common), math.nan)
    for place, step in enumerate(common):
        found = [r for own in readings for r in own if r.step == step]
        known = [r.rate for r in found if r.rate is not None]
        if known:
            rates[:, place] = np.median(np.array(known), axis=0)
        moments = [r.rms for r in found if r.rms is not None]
        if moments:
            rms[place] = np.median(moments)
    return common, rates, rms
