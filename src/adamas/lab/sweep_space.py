"""Search spaces: axes over hyper-parameters, and points drawn from them as a pure function of seed and number."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

DEFAULT_SPACE = "lr=1e-5:10:log"


def _same(x: float) -> float:
    return x


def _logit(x: float) -> float:
    return math.log(x / (1 - x))


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@dataclass(frozen=True)
class Scale:
    """On what scale an axis is uniform.

    Attributes:
        forward: From the hyper-parameter to the scale.
        back: The inverse.
        low, high: Open limits of the hyper-parameter on this scale.
    """

    forward: Callable[[float], float]
    back: Callable[[float], float]
    low: float
    high: float


SCALES = {
    "linear": Scale(_same, _same, -math.inf, math.inf),
    "log": Scale(math.log, math.exp, 0.0, math.inf),
    "logit": Scale(_logit, _logistic, 0.0, 1.0),
}


@dataclass(frozen=True)
class Axis:
    """One hyper-parameter of a search space.

    Attributes:
        name: By the formula's name: lr, beta1, eps, ...
        low: Least value.
        high: Greatest value, above `low`.
        scale: "linear", "log", or "logit" (uniform in log(x/(1 - x)): for betas near 1).
    """

    name: str
    low: float
    high: float
    scale: str = "linear"

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise InputError(f"--space {self}: the scale must be one of {', '.join(SCALES)}")
        scale = SCALES[self.scale]
        if not scale.low < self.low < self.high < scale.high:
            raise InputError(
                f"--space {self}: a {self.scale} axis needs low < high, both between {scale.low:g} and {scale.high:g}"
            )

    def __str__(self) -> str:
        return f"{self.name}={self.low:g}:{self.high:g}:{self.scale}"

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends on the scale on which the axis is uniform."""
        forward = SCALES[self.scale].forward
        return forward(self.low), forward(self.high)

    def value(self, place: float) -> float:
        """The hyper-parameter at a place on the scale; rounding never leaves the axis."""
        return min(max(SCALES[self.scale].back(place), self.low), self.high)

    def place(self, value: float) -> float | None:
        """The place of a value; None if it lies outside the axis."""
        return SCALES[self.scale].forward(value) if self.low <= value <= self.high else None


def parse_space(text: str) -> tuple[Axis, ...]:
    """Axes from text such as "lr=1e-4:1:log,beta2=0.9:0.9999:logit,momentum=0:0.99".

    Raises:
        InputError: Not of that form; limits or scale that do not fit; a name given twice; no axis.
    """
    axes = tuple(_parse_axis(item.strip()) for item in text.split(",") if item.strip())
    if not axes:
        raise InputError(f"--space {text!r}: give at least one axis, e.g. {DEFAULT_SPACE}")
    names = [axis.name for axis in axes]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"--space {text!r}: {twice} is given twice")
    return axes


def _parse_axis(item: str) -> Axis:
    name, _, rest = item.partition("=")
    try:
        low, high, *scale = rest.split(":")
        (word,) = scale or ("linear",)
        limits = float(low), float(high)
    except ValueError:
        raise InputError(
            f"--space {item!r}: give NAME=LOW:HIGH or NAME=LOW:HIGH:SCALE with scale "
            f"{', '.join(SCALES)}, e.g. lr=1e-4:1:log"
        ) from None
    return Axis(name.strip(), *limits, word)


Point = NDArray[np.float64]


def random_point(seed: int, number: int, dimensions: int) -> Point:
    """Independent uniform numbers in [0, 1)."""
    return np.random.default_rng([seed, number]).random(dimensions)


def sobol_point(seed: int, number: int, dimensions: int) -> Point:
    """Point `number` of Sobol's sequence, the whole sequence shifted by a random vector of the seed (modulo 1)."""
    from scipy.stats.qmc import Sobol

    sequence = Sobol(dimensions, scramble=False)
    if number:
        sequence.fast_forward(number)
    shift = np.random.default_rng([seed]).random(dimensions)
    point: Point = (sequence.random(1)[0] + shift) % 1.0
    return point


POINTS: dict[str, Callable[[int, int, int], Point]] = {"random": random_point, "qmc": sobol_point}


def draw(points: str, axes: Sequence[Axis], seed: int, number: int) -> dict[str, float]:
    """Places of trial `number` on all axes, the same for every optimizer and in every process."""
    shares = POINTS[points](seed, number, len(axes))
    found = {}
    for axis, share in zip(axes, shares.tolist(), strict=True):
        low, high = axis.ends
        found[axis.name] = low + share * (high - low)
    return found
