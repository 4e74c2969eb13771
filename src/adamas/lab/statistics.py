"""Small statistics of a race: censored steps to a target, medians with infinity, paired comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CONSECUTIVE = 3
RESAMPLES = 10_000
LEVEL = 0.05


def steps_to_target(
    steps: Sequence[int], losses: Sequence[float], target: float, consecutive: int = CONSECUTIVE
) -> float:
    """First step of the first row of `consecutive` evaluations that are all at or below the target.

    Args:
        steps: Step of every evaluation, ascending.
        losses: Noise-free loss at those steps; NaN counts as not reached.
        target: The loss to reach.
        consecutive: Length of the row, 1 or more; one lucky evaluation is no success.

    Returns:
        The step, or infinity when the budget ended first (censored).
    """
    row = 0
    for i, loss in enumerate(losses):
        row = row + 1 if loss <= target else 0
        if row == consecutive:
            return float(steps[i - consecutive + 1])
    return math.inf


def quantile(values: Sequence[float] | Floats, q: float) -> float:
    """Quantile by linear interpolation in which infinity sorts last and stays infinity.

    The median of an even number of values is infinite as soon as the upper middle one is.

    Args:
        values: At least one number; infinities allowed, NaN not.
        q: Between 0 and 1.
    """
    ordered = sorted(float(v) for v in values)
    if not ordered or any(math.isnan(v) for v in ordered):
        raise ValueError(f"values = {list(values)!r}: give at least one value and no NaN (use inf for censored)")
    if not 0 <= q <= 1:
        raise ValueError(f"q = {q!r}: give a number from 0 to 1")
    place = q * (len(ordered) - 1)
    below = math.floor(place)
    weight = place - below
    if weight == 0:
        return ordered[below]
    low, high = ordered[below], ordered[below + 1]
    if low == high:
        return low
    if math.isinf(low) and math.isinf(high):
        return 0.0
    return low + weight * (high - low)


def median(values: Sequence[float] | Floats) -> float:
    """`quantile` at one half."""
    return quantile(values, 0.5)


def quantiles(table: Floats, shares: Sequence[float]) -> list[Floats]:
    """`quantile` of every column of a table at once: for each share, one number per column.

    Args:
        table: Shape (values, columns), at least one row; infinities allowed, NaN not.
        shares: Between 0 and 1.
    """
    ordered = np.sort(table, axis=0)
    found = []
    for share in shares:
        place = share * (len(ordered) - 1)
        below = math.floor(place)
        low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
        with np.errstate(invalid="ignore"):  # inf - inf is set right below
            between = low + (place - below) * (high - low)
        between = np.where(np.isneginf(low) & np.isposinf(high), 0.0, between)
        found.append(np.where((low == high) | (place == below), low, between))
    return found


def log_ratios(ours: Sequence[float], theirs: Sequence[float]) -> Floats:
    """log(ours/theirs) pair by pair for positive numbers, zero and infinity.

    Two equal values give 0, two censored ones (both infinite) too: nothing is known to separate them.
    """
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"{len(ours)} and {len(theirs)} values: pairs need the same number on both sides, 1 or more")
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        return np.where(a == b, 0.0, np.log(a) - np.log(b))


def bootstrap_median(differences: Floats, *, resamples: int = RESAMPLES, seed: int = 0) -> tuple[float, float]:
    """95 % percentile-bootstrap interval of the median of paired differences.

    The ends are values that occurred among the resampled medians, so infinities need no interpolation.

    Args:
        differences: One per seed; infinities allowed.
        resamples: Number of resamples.
        seed: Of the resampling: the same data give the same interval.
    """
    d = np.asarray(differences, np.float64)
    if (d == d[0]).all():
        return float(d[0]), float(d[0])
    ordered = np.sort(d[_resamples(len(d), resamples, seed)], axis=1)
    low, high = ordered[:, (len(d) - 1) // 2], ordered[:, len(d) // 2]
    with np.errstate(invalid="ignore"):
        medians = np.where(low == high, low, (low + high) / 2)
    medians = np.nan_to_num(medians, nan=0.0, posinf=np.inf, neginf=-np.inf)
    tail = math.floor(LEVEL / 2 * (resamples - 1))
    medians = np.partition(medians, (tail, resamples - 1 - tail))
    return float(medians[tail]), float(medians[resamples - 1 - tail])


@lru_cache(maxsize=8)
def _resamples(count: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """Which of `count` pairs every resample holds: the same for all comparisons of a race."""
    return np.random.default_rng(seed).integers(0, count, (resamples, count))


def signed_rank_p(differences: Floats) -> float:
    """Two-sided p of the Wilcoxon signed-rank test, by all 2^n sign patterns up to n = 16.

    Above that 20 000 random sign patterns with a fixed seed. Pairs without a difference are left out;
    with none left the p is 1. Works with ties and with infinities, which rank highest.
    """
    from scipy.stats import rankdata

    d = np.asarray(differences, np.float64)
    d = d[d != 0]
    n = len(d)
    if n == 0:
        return 1.0
    ranks: Floats = rankdata(np.abs(d))
    if n <= 16:
        signs = _sign_patterns(n)
    else:
        signs = np.random.default_rng(0).choice([-1, 1], (20_000, n))
        signs[0] = np.sign(d)
    observed = abs(float(np.sign(d) @ ranks))
    return float(np.mean(np.abs(signs @ ranks) >= observed - 1e-9))


@lru_cache(maxsize=17)
def _sign_patterns(n: int) -> NDArray[np.int64]:
    """All patterns of n signs, one a row."""
    return ((np.arange(2**n)[:, None] >> np.arange(n)) & 1) * 2 - 1


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment: the chance of one or more false findings stays below the level."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for place, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[i]))
        adjusted[i] = largest
    return adjusted


@dataclass(frozen=True)
class Comparison:
    """One optimizer against the reference, paired by seed.

    Attributes:
        centre: Median of the paired differences (or log-ratios turned back into a ratio).
        low: Lower end of its 95 % bootstrap interval.
        high: Upper end.
        p: Two-sided signed-rank p, adjusted by Holm over all optimizers compared.
        neutral: The value that means "no difference": 1 for ratios, 0 for differences.
    """

    centre: float
    low: float
    high: float
    p: float
    neutral: float

    @property
    def distinguishable(self) -> bool:
        """Both the interval excludes "no difference" and the adjusted p is below 5 %."""
        return not self.low <= self.neutral <= self.high and self.p < LEVEL

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {
            "centre": self.centre,
            "low": self.low,
            "high": self.high,
            "p_holm": self.p,
            "distinguishable": self.distinguishable,
        }


def compare_all(differences: dict[str, Floats], *, ratio: bool) -> dict[str, Comparison]:
    """Compare every optimizer with the reference and adjust the p values together.

    Args:
        differences: By optimizer, paired differences from the reference (log-ratios if `ratio`).
        ratio: Turn the results back by the exponential; "no difference" is then 1.
    """
    adjusted = holm([signed_rank_p(d) for d in differences.values()])
    result = {}
    for (name, d), p in zip(differences.items(), adjusted, strict=True):
        numbers = median_ratio(d) if ratio else (median(d), *bootstrap_median(d))
        result[name] = Comparison(*numbers, p=p, neutral=1.0 if ratio else 0.0)
    return result


def median_ratio(logs: Floats) -> tuple[float, float, float]:
    """Median of paired ratios, given as logarithms, and the ends of its 95 % bootstrap interval."""
    centre, low, high = (math.exp(x) if x < 700 else math.inf for x in (median(logs), *bootstrap_median(logs)))
    return centre, low, high


def rate_width(rates: Sequence[float], losses: Sequence[float], start: float) -> float:
    """Width, in decades, of the learning rates that do nearly as well as the best one.

    Nearly: loss at most best + 10 % of (start - best). Counted on the grid around the best rate:
    neighbouring rates that qualify, from the lowest to the highest; 0 when only the best does.

    Args:
        rates: Learning rates, ascending.
        losses: Loss of each at the end; infinity for a failed run.
        start: Loss before the first step.
    """
    best = min(range(len(losses)), key=lambda i: losses[i])
    if not math.isfinite(losses[best]):
        return 0.0
    allowed = losses[best] + 0.1 * max(0.0, start - losses[best])
    first = last = best
    while first > 0 and losses[first - 1] <= allowed:
        first -= 1
    while last < len(losses) - 1 and losses[last + 1] <= allowed:
        last += 1
    return math.log10(rates[last] / rates[first])


def expected_excess(losses: Sequence[float], start: float) -> float:
    """How much worse than the best rate a rate drawn from the grid does on average, in units of the loss.

    A run that ends above its start counts as the start: nobody keeps it. Source: Wortsman et al. (2023),
    "Small-scale proxies for large-scale Transformer training instabilities", learning-rate sensitivity.

    Args:
        losses: Loss at the end for every rate of an evenly spaced grid; infinity for a failed run.
        start: Loss before the first step.
    """
    if not losses:
        raise ValueError("losses is empty: give one loss per learning rate")
    kept = [min(loss, start) for loss in losses]
    return sum(kept) / len(kept) - min(kept)


def tuning_curve(losses: Sequence[float], start: float) -> list[float]:
    """Expected lowest loss of k different trials drawn at random, for k = 1 to all of them.

    With the losses in ascending order the i-th (from 0) is the lowest of k drawn ones in C(n-1-i, k-1) of
    C(n, k) cases. Source: order statistics without replacement; Dodge et al. (2019), "Show Your Work",
    treat draws with replacement.

    Args:
        losses: Loss of every trial, at least one; one that failed or ended above the start counts as the start.
        start: Loss before the first step: what one has without any trial.
    """
    if not losses:
        raise ValueError("losses is empty: give one loss per trial")
    ordered = sorted(min(loss, start) for loss in losses)
    n = len(ordered)
    return [
        sum(math.comb(n - 1 - i, k - 1) * loss for i, loss in enumerate(ordered)) / math.comb(n, k)
        for k in range(1, n + 1)
    ]
