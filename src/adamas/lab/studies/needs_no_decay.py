"""Adam adapts its rate; does it need no decay of the learning rate?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import adamas
from adamas.schedules import Schedule

from . import Outcome, study
from ._drawing import bars
from ._timetables import TIMETABLES
from ._training import Maker, best, digits, sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
BOWL_STEPS, BOWL_RUNS, WIDTH, SEED = 2000, 20, 20, 0
DIGITS_STEPS, DIGITS_BATCH, SEEDS = 400, 16, (0, 1, 2)


def noisy_bowl(lr: Schedule) -> float:
    """Mean noise-free loss of Adam at the end on sum of k x_k^2 / 2, from 1, with unit noise in each gradient."""
    curvature = np.arange(1, WIDTH + 1.0)
    x = np.ones((BOWL_RUNS, WIDTH))
    rng = np.random.default_rng(SEED)
    adam = adamas.Adam(lr=lr)
    for _ in range(BOWL_STEPS):
        adam.step(x, curvature * x + rng.standard_normal(x.shape))
    return float(np.mean(0.5 * np.sum(curvature * x * x, axis=1)))


@study(
    claim="Adam adapts its own rates, so it needs no learning-rate decay.",
    source="deep-learning course notes on Adam",
    criterion="On a quadratic with noisy gradients and on the digits, Adam's final loss at the best constant rate is "
    "at most 1.1 times that of the best decay (exponential, piecewise, 1/t, cosine, stable-then-decay), rates tuned "
    "alike.",
)
def run() -> Outcome:
    """Six rates for every schedule; noise-free losses."""
    problem = digits(DIGITS_BATCH)
    found: dict[str, dict[str, tuple[float, float]]] = {"noisy quadratic": {}, "digits": {}}
    for name, make in TIMETABLES.items():
        bowl = [noisy_bowl(make(lr, BOWL_STEPS)) for lr in RATES]
        found["noisy quadratic"][name] = best(RATES, bowl)
        found["digits"][name] = best(RATES, sweep(_maker(name), RATES, problem, DIGITS_STEPS, SEEDS))
    ratio, told = {}, []
    for place, results in found.items():
        winner = min((name for name in results if name != "constant"), key=lambda name: results[name][1])
        ratio[place] = results["constant"][1] / results[winner][1]
        told.append(f"on the {place} {ratio[place]:.2f} times that with the {winner} schedule")
    finding = "Adam's final loss at the best constant rate is " + " and ".join(told) + "."

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, 2)
        for axes, (place, results) in zip(panels, found.items(), strict=True):
            bars(axes, list(results), [loss for _, loss in results.values()], title=f"Adam: {place}", x="final loss")
        figure.suptitle("Each schedule at its best peak rate")

    numbers: dict[str, Any] = {
        "constant_over_best_decay": ratio,
        "best_rate": {place: {n: rate for n, (rate, _) in results.items()} for place, results in found.items()},
        "final_loss": {place: {n: loss for n, (_, loss) in results.items()} for place, results in found.items()},
    }
    return Outcome(numbers, max(ratio.values()) <= 1.1, finding, draw)


def _maker(schedule: str) -> Maker:
    return lambda lr: adamas.Adam(lr=TIMETABLES[schedule](lr, DIGITS_STEPS))
