"""Rare features: a linear model whose inputs follow Zipf's law."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

import adamas

from ..statistics import log_ratios, median, median_ratio
from ._declare import Outcome, study
from ._drawing import curves
from ._rates import best, grid

FEATURES, BATCH, STEPS, SEEDS = 400, 32, 200, 10
RATES = grid(1e-3, 1.0)  # the first feature, always present, makes SGD diverge above 2
MEMBERS = ("SGD", "Momentum", "Adagrad", "Adam")
PRESENT = 1 / np.arange(1.0, FEATURES + 1)
RARE = slice(3 * FEATURES // 4, None)
Floats = NDArray[np.float64]
Batch = tuple[NDArray[np.int8], Floats]


def batches(seed: int, steps: int) -> Iterator[Batch]:
    """Inputs, shape (seeds, batch, features), and noise: feature k is 1 or -1 with chance 1/k and else 0."""
    rng = np.random.default_rng([seed, 7])
    for _ in range(steps):
        u = rng.random((SEEDS, BATCH, FEATURES), dtype=np.float32)
        x = (u < PRESENT / 2).astype(np.int8) - (u > 1 - PRESENT / 2)
        yield x, 0.1 * rng.standard_normal((SEEDS, BATCH))


def errors(name: str, lr: float, examples: Iterable[Batch], steps: int = STEPS) -> Floats:
    """Squared errors of the weights at the end, shape (seeds, features); the rate falls to 0.

    All weights are 1 and begin at 0; each seed is a row, so that one step serves all of them.
    """
    weights, optimizer = np.zeros((SEEDS, FEATURES)), adamas.get(name)(lr=adamas.schedules.cosine(lr, steps))
    with np.errstate(all="ignore"):  # rates that are too large diverge
        for x, noise in examples:
            miss = np.einsum("sbf,sf->sb", x, weights - 1.0) - noise
            optimizer.step(weights, np.einsum("sb,sbf->sf", miss, x) / BATCH)
        found: Floats = (weights - 1.0) ** 2
    return found


def excess(found: Floats) -> float:
    """Mean loss above the noise: errors weighted by how often the features occur."""
    value = float(np.mean(found @ PRESENT))
    return value if np.isfinite(value) else np.inf


@study(
    claim="Adam suits sparse data: rare features get larger steps and are learnt as well.",
    source="gradient descent series, part 5",
    criterion="While the rarest quarter of 400 Zipf features is met about 18 times each, with rates tuned alike on the "
    "mean loss, SGD's squared error there is at least twice Adam's, the 95 % interval over 10 seeds above 1.",
)
def run() -> Outcome:
    """Rates are tuned on ten seeds and judged on ten others; then again with ten times the examples."""
    tuning, judging = list(batches(0, STEPS)), list(batches(1, STEPS))
    rates = {name: best({lr: excess(errors(name, lr, tuning)) for lr in RATES}) for name in MEMBERS}
    found = {name: errors(name, rates[name], judging) for name in MEMBERS}
    rare = {name: [float(e) for e in f[:, RARE].mean(axis=1)] for name, f in found.items()}
    more = {name: errors(name, rates[name], batches(2, 10 * STEPS), 10 * STEPS) for name in ("SGD", "Adam")}
    ratio, low, high = median_ratio(log_ratios(rare["SGD"], rare["Adam"]))
    rare_error = {name: median(r) for name, r in rare.items()}
    total = {name: excess(f) for name, f in found.items()}
    later = {name: float(f[:, RARE].mean()) for name, f in more.items()}
    numbers = {
        "rates": rates,
        "excess_loss": total,
        "rare_quarter_error": rare_error,
        "sgd_over_adam_on_the_rare_quarter": {"median": ratio, "low": low, "high": high},
        "rare_quarter_error_after_10_times_the_steps": later,
    }

    def draw(figure: Any) -> None:
        groups = np.arange(FEATURES).reshape(20, -1)
        often = PRESENT[groups].mean(axis=1)
        lines = {
            f"{name}, lr {rates[name]:g}": (often, f.mean(axis=0)[groups].mean(axis=1)) for name, f in found.items()
        }
        curves(
            figure.subplots(),
            lines,
            title="Error of the weights by how often their feature occurs",
            x="share of the examples that have the feature",
            y="squared error (0: learnt, 1: as at the start)",
            reference=list(lines)[-1],
            log="xy",
            marker="o",
        )

    finding = (
        f"On the rarest quarter SGD's error is {ratio:.2f} times Adam's (95 % interval {low:.2f} to {high:.2f}): "
        + ", ".join(f"{name} {value:.3f}" for name, value in rare_error.items())
        + f". Excess loss: Adam {total['Adam']:.3f}, SGD {total['SGD']:.3f}. With ten times the examples the error "
        f"there is {later['SGD']:.2g} by SGD and {later['Adam']:.2g} by Adam."
    )
    return Outcome(numbers, ratio >= 2 and low > 1, finding, draw)
