"""RAdam's rectification beside a plain linear warm-up."""

from __future__ import annotations

from typing import Any

import numpy as np

import adamas
from adamas import schedules

from ..statistics import log_ratios, median, median_ratio
from ..trial import run_trial
from ._declare import Outcome, study
from ._drawing import curves
from ._training import digits

CURVE_BETA2, CURVE_STEPS = 0.999, 6000
BETA2 = 0.99
WARMUP = round(2 / (1 - BETA2))
RATES = (0.003, 0.01, 0.03, 0.1)
STEPS, EVERY, SEEDS = 400, 50, (0, 1, 2, 3, 4)
MAKERS: dict[str, Any] = {
    "Adam": lambda lr: adamas.Adam(lr=lr, betas=(0.9, BETA2)),
    "Adam, warm-up": lambda lr: adamas.Adam(
        lr=schedules.warmup(lr, WARMUP, skip_start=True),
        betas=(0.9, BETA2),
    ),
    "RAdam": lambda lr: adamas.RAdam(lr=lr, betas=(0.9, BETA2)),
}


@study(
    claim="Adam with a linear warm-up over 2/(1 - beta2) steps does the same as RAdam, and without it does worse.",
    source="Ma & Yarats 2019, On the adequacy of untuned warmup for adaptive optimization; Liu et al. 2020",
    criterion="Digits, a network with three hidden layers, beta2 = 0.99, 400 steps, 5 seeds, at 3 times the rate "
    "that is best for Adam without warm-up (rates 0.003, 0.01, 0.03): the median final training losses of warm-up "
    "and RAdam are within a factor 1.25, and that of Adam without warm-up is higher than both.",
)
def run() -> Outcome:
    """The two factors of the rate by step, and training with each."""
    problem = digits(hidden=(32, 32, 32))
    ends = {(name, lr): _ends(problem, [make(lr) for _ in SEEDS]) for name, make in MAKERS.items() for lr in RATES}
    losses = {key: median(found) for key, found in ends.items()}
    place = int(np.argmin([losses["Adam", lr] for lr in RATES[:-1]]))
    high = RATES[place + 1]  # the grid's neighbours lie a factor of about 3 apart
    plain, warm, rectified = (losses[name, high] for name in MAKERS)
    factor = _factors()
    first = int(np.argmax(factor < 0.5)) + 1  # before it the factor is 1 but for rounding
    ours = {name: ends[name, high] for name in MAKERS}
    numbers: dict[str, Any] = {
        "first_rectified_step": first,
        "factor_at_first_100_1000_5000": [float(factor[t - 1]) for t in (first, 100, 1000, 5000)],
        "best_rate_of_adam": RATES[place],
        "rate": high,
        "median_loss_at_that_rate": {name: losses[name, high] for name in MAKERS},
        "median_loss_by_rate": {f"{lr:g}": {name: losses[name, lr] for name in MAKERS} for lr in RATES},
        "loss_by_seed_at_that_rate": ours,
    }
    beside = _told(ours["Adam, warm-up"], ours["RAdam"])
    without = _told(ours["Adam"], ours["Adam, warm-up"])
    others = "; ".join(
        f"at {lr:g}: {', '.join(f'{losses[name, lr]:.2g}' for name in MAKERS)}" for lr in RATES if lr != high
    )
    finding = (
        f"At lr {high:g}, 3 times Adam's best: Adam {plain:.2g}, with warm-up {warm:.2g}, RAdam {rectified:.2g}. "
        f"Ratios paired by seed, 95 % intervals: warm-up over RAdam {beside}; Adam over warm-up {without}. "
        f"{others[0].upper()}{others[1:]}. With beta2 = "
        f"0.999 RAdam is plain momentum before step {first}, then its factor is {factor[first - 1]:.3f}, "
        f"{factor[99]:.3f} at 100, {factor[999]:.3f} at 1000; the warm-up's is t/2000."
    )

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        t = np.arange(1, CURVE_STEPS + 1)
        rising = np.minimum(1, t * (1 - CURVE_BETA2) / 2)
        shown = {"RAdam": (t[first - 1 :], factor[first - 1 :]), "warm-up over 2/(1 - β₂)": (t, rising)}
        curves(left, shown, title="Factor of the step, β₂ = 0.999", x="step", y="factor", log="x")
        lines = {name: (RATES, [losses[name, lr] for lr in RATES]) for name in MAKERS}
        title = f"Digits, β₂ = {BETA2:g}, after {STEPS} steps"
        y = "median training loss (nats)"
        curves(right, lines, title=title, x="learning rate", y=y, reference="Adam", log="xy", marker="o")
        right.set_xticks(RATES, [f"{lr:g}" for lr in RATES])
        right.xaxis.minorticks_off()

    alike = max(warm, rectified) <= 1.25 * min(warm, rectified)
    return Outcome(numbers, alike and plain > max(warm, rectified), finding, draw)


def _ends(problem: Any, optimizers: Any) -> list[float]:
    """By seed, the training loss as the mean of the last three evaluations."""
    runs = [run_trial(problem, o, s, STEPS, evaluate_every=EVERY) for o, s in zip(optimizers, SEEDS, strict=True)]
    return [float(np.mean(run.train[-3:])) if run.status == "ok" else np.inf for run in runs]


def _told(ours: list[float], theirs: list[float]) -> str:
    """The 95 % interval of the paired ratio, in words."""
    _, low, high = median_ratio(log_ratios(ours, theirs))
    return f"{low:.2f} to {high:.2f}" + (", not distinguishable" if low <= 1 <= high else "")


def _factors() -> np.ndarray[Any, np.dtype[np.float64]]:
    """RAdam's step over lr on a constant gradient: 1 before it rectifies, then its factor."""
    optimizer = adamas.RAdam(lr=1.0, betas=(0.9, CURVE_BETA2), eps=0.0)
    x, one, factors = np.zeros(1), np.ones(1), np.empty(CURVE_STEPS)
    for k in range(CURVE_STEPS):
        x[:] = 0
        optimizer.step(x, one)
        factors[k] = -x[0]
    return factors
