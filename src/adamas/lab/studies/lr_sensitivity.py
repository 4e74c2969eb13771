"""How much the result depends on the learning rate, optimizer by optimizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import adamas
from adamas.schedules import warmup

from ..statistics import rate_width
from ..style import looks, plain_log
from . import Outcome, study
from ._training import Maker, best, digits, label, sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS, SEEDS = 300, (0, 1, 2)
RATES = tuple(float(f"{10**k:.3g}") for k in np.arange(-4, 1.01, 0.5))
MAKERS: dict[str, Maker] = {
    "Adam": lambda lr: adamas.Adam(lr=lr),
    "Adam, warm-up": lambda lr: adamas.Adam(lr=warmup(lr, 50, skip_start=True)),
    "AdamW 0.1": lambda lr: adamas.AdamW(lr=lr, weight_decay=0.1),
    "RMSprop": lambda lr: adamas.RMSprop(lr=lr),
    "Momentum": lambda lr: adamas.Momentum(lr=lr),
    "SGD": lambda lr: adamas.SGD(lr=lr),
}


def sensitivity(rates: tuple[float, ...], losses: list[float], start: float) -> float:
    """Mean excess over the best loss within a factor 10 of the best rate; no run counts as worse than the start.

    The scalar of Wortsman et al. 2023, "Small-scale proxies", section 2, here on rates around the optimum.
    """
    rate, lowest = best(rates, losses)
    near = [min(loss, start) for r, loss in zip(rates, losses, strict=True) if rate / 10.5 < r < rate * 10.5]
    return float(np.mean(near)) - lowest


@study(
    claim="Adam's learning rate needs little tuning: it works over a wider range than that of SGD and Momentum.",
    source="gradient descent tutorial series, part 5",
    criterion="On the digits, among rates from 1e-4 to 10 at half decades, the rates that do nearly as well as the "
    "best one span at least half a decade more for Adam than for SGD and for Momentum.",
)
def run() -> Outcome:
    """One hidden layer, 300 steps, three seeds; nearly: within 10 % of the way from the best loss to the start's."""
    problem = digits()
    losses = {name: sweep(make, RATES, problem, STEPS, SEEDS) for name, make in MAKERS.items()}
    start = float(np.mean([problem.evaluate(problem.start(seed)).train for seed in SEEDS]))
    width = {name: rate_width(RATES, values, start) for name, values in losses.items()}
    excess = {name: sensitivity(RATES, values, start) for name, values in losses.items()}
    optimum = {name: best(RATES, values) for name, values in losses.items()}
    passed = width["Adam"] >= max(width["SGD"], width["Momentum"]) + 0.5 - 1e-9
    finding = (
        "Decades of rates that do nearly as well as the best: "
        + ", ".join(f"{name} {value:.1f}" for name, value in width.items())
        + ". Mean excess loss within a factor 10 of the best rate: "
        + ", ".join(f"{name} {value:.2g}" for name, value in excess.items())
        + "."
    )

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        look = looks(list(losses), "Adam")
        for name, values in losses.items():
            axes.loglog(RATES, np.minimum(values, 10 * start), label=name, **look[name])
        axes.axhline(start, color="grey", linewidth=0.8)
        axes.annotate("loss at the start", (RATES[0], start), (0, 3), textcoords="offset points")
        plain_log(axes.yaxis)
        label(
            axes,
            f"Digits: training loss after {STEPS} steps, mean of {len(SEEDS)} seeds",
            "learning rate",
            "cross-entropy (nats)",
        )

    numbers: dict[str, Any] = {
        "rates": list(RATES),
        "loss": losses,
        "loss_at_start": start,
        "width_in_decades": width,
        "excess": excess,
        "best_rate": {name: rate for name, (rate, _) in optimum.items()},
        "best_loss": {name: loss for name, (_, loss) in optimum.items()},
    }
    return Outcome(numbers, passed, finding, draw)
