"""Learning-rate schedules overtake each other: half-way standings do not foretell the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import adamas

from ..trial import run_trial
from . import Outcome, study
from ._drawing import curves
from ._timetables import TIMETABLES
from ._training import digits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATES, STEPS, BATCH, SEEDS, EVERY = (0.01, 0.03, 0.1), 600, 16, (0, 1, 2, 3, 4), 10
HALF, END = STEPS // 2 // EVERY, STEPS // EVERY
Floats = NDArray[np.float64]


def crossings(losses: dict[str, Floats]) -> list[list[str]]:
    """Pairs of which the first is ahead half-way and the second at the end; losses by seed (rows) and evaluation."""

    def ahead(a: str, b: str, at: int) -> bool:
        ours, theirs = losses[a][:, at], losses[b][:, at]
        return bool(np.sum(ours < theirs) >= len(SEEDS) - 1 and np.mean(theirs) >= 1.1 * np.mean(ours))

    return [[a, b] for a in losses for b in losses if ahead(a, b, HALF) and ahead(b, a, END)]


@study(
    claim="A ranking in the middle of a run does not foretell the ranking at its end, because schedules cross.",
    source="Wen et al. 2025, Fantastic pretraining optimizers and where to find them",
    criterion="Of six schedules of Adam on the digits, each at the peak rate with its lowest final loss, some pair "
    "is in one order after half of 600 steps and in the other at the end, each time in at least 4 of 5 seeds and by "
    "10 % in the mean.",
)
def run() -> Outcome:
    """One hidden layer, batches of 16; reported too: all at the rate 0.01, which is below the best of each."""
    problem = digits(BATCH)

    def train(name: str, rate: float) -> Floats:
        makers = (adamas.Adam(lr=TIMETABLES[name](rate, STEPS)) for _ in SEEDS)
        trials = [run_trial(problem, adam, seed, STEPS, evaluate_every=EVERY) for adam, seed in zip(makers, SEEDS)]
        return np.array([trial.train for trial in trials])

    runs = {name: [train(name, rate) for rate in RATES] for name in TIMETABLES}
    chosen = {name: int(np.argmin([np.mean(run[:, END]) for run in kept])) for name, kept in runs.items()}
    losses = {name: kept[chosen[name]] for name, kept in runs.items()}
    found = crossings(losses)
    untuned = crossings({name: kept[0] for name, kept in runs.items()})
    order = {place: _ranked(losses, at) for place, at in (("half-way", HALF), ("end", END))}
    finding = (
        f"{len(found)} of {len(losses) * (len(losses) - 1) // 2} pairs change places; half-way "
        f"{order['half-way'][0]} leads, at the end {order['end'][0]}. "
        f"At the common rate {RATES[0]:g} {len(untuned)} pairs do."
    )

    def draw(figure: Figure) -> None:
        steps = np.arange(0, STEPS + 1, EVERY)
        axis = figure.subplots()
        curves(
            axis,
            {name: (steps[1:], np.median(values, axis=0)[1:]) for name, values in losses.items()},
            title="Adam on the digits: six schedules, each at its best peak rate",
            x="step",
            y="training loss (nats), median of 5 seeds",
            reference="constant",
            log="y",
        )
        axis.axvline(STEPS // 2, color="0.5", linewidth=0.8)
        top = axis.get_ylim()[1]
        axis.annotate("half-way", (STEPS // 2, top), (4, -10), textcoords="offset points")

    numbers: dict[str, Any] = {
        "order": order,
        "rate": {name: RATES[k] for name, k in chosen.items()},
        "crossings": found,
        f"crossings_at_rate_{RATES[0]:g}": untuned,
        "mean_loss_half_way": {name: float(np.mean(values[:, HALF])) for name, values in losses.items()},
        "mean_loss_end": {name: float(np.mean(values[:, END])) for name, values in losses.items()},
    }
    return Outcome(numbers, bool(found), finding, draw)


def _ranked(losses: dict[str, Floats], at: int) -> list[str]:
    return sorted(losses, key=lambda name: float(np.mean(losses[name][:, at])))
