"""Few images, some with wrong labels: does Adam over-fit more than gradient descent?"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import adamas

from .. import digits
from ..networks import DenseNetwork
from ..statistics import bootstrap_median, median
from ._declare import Outcome, study
from ._drawing import curves
from ._rates import best, grid

EXAMPLES, WRONG, BATCH, STEPS, EVERY = 200, 0.2, 20, 600, 20
TUNING, JUDGED = range(2), range(100, 110)
NETWORK = DenseNetwork((64, 32, 10))
RATES = {"SGD": grid(1e-2, 10, 2), "Adam": grid(1e-4, 0.1, 2)}


def examples(seed: int) -> tuple[Any, NDArray[np.intp]]:
    """Some training images; a fifth of the labels is replaced by another digit."""
    rng, train = np.random.default_rng([seed, 3]), digits.load().train
    rows = rng.permutation(len(train.y))[:EXAMPLES]
    labels = train.y[rows].copy()
    wrong = slice(0, int(WRONG * EXAMPLES))
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, len(labels[wrong]))) % 10
    return train.x[rows], labels


@cache
def train(name: str, lr: float, seed: int) -> dict[str, Any]:
    """Losses and test accuracy over the run."""
    x, y = examples(seed)
    data, rng = digits.load(), np.random.default_rng([seed, 4])
    params, optimizer = NETWORK.start(np.random.default_rng([seed, 0])), adamas.get(name)(lr=lr)
    seen: dict[str, Any] = {"train": [], "valid": [], "test": []}
    for step in range(STEPS + 1):
        if step % EVERY == 0:
            seen["train"].append(NETWORK.loss(params, x, y))
            seen["valid"].append(NETWORK.loss(params, data.valid.x, data.valid.y))
            seen["test"].append(NETWORK.accuracy(params, data.test.x, data.test.y))
        rows = rng.permutation(EXAMPLES)[:BATCH]
        optimizer.step(params, NETWORK.gradient(params, x[rows], y[rows]))
    return seen


def chosen(name: str, part: str) -> float:
    """The rate with the lowest mean loss at the end on that part of the data."""
    return best({lr: float(np.mean([train(name, lr, seed)[part][-1] for seed in TUNING])) for lr in RATES[name]})


@study(
    claim="Adam over-fits more than gradient descent.",
    source="gradient descent series, part 5",
    criterion="Trained on 200 digits with a fifth of the labels wrong, rates tuned alike for the training loss, SGD "
    "has the higher test accuracy at the end: the 95 % interval of the paired difference over 10 seeds lies above 0.",
)
def run() -> Outcome:
    """Both tuned for the training loss, where over-fitting has its way, and for the validation loss."""
    kept: dict[str, dict[str, Any]] = {}
    numbers: dict[str, Any] = {}
    for part in ("train", "valid"):
        rates = {name: chosen(name, part) for name in RATES}
        runs = kept[part] = {name: [train(name, rates[name], seed) for seed in JUDGED] for name in RATES}
        ends = {name: np.array([r["test"][-1] for r in found]) for name, found in runs.items()}
        difference = ends["SGD"] - ends["Adam"]
        low, high = bootstrap_median(difference)
        numbers[f"tuned_for_{part}"] = {
            "rates": rates,
            "test_accuracy": {name: median(list(end)) for name, end in ends.items()},
            "best_test_accuracy_on_the_way": {n: median([max(r["test"]) for r in f]) for n, f in runs.items()},
            "training_loss": {n: median([r["train"][-1] for r in f]) for n, f in runs.items()},
            "sgd_minus_adam": {"median": median(list(difference)), "low": low, "high": high},
        }

    def draw(figure: Any) -> None:
        steps = range(0, STEPS + 1, EVERY)
        axes = figure.subplots(1, 2, sharey=True)
        for axis, part in zip(axes, kept, strict=True):
            lines = {
                f"{name}, lr {numbers[f'tuned_for_{part}']['rates'][name]:g}": (
                    steps,
                    100 * np.median([r["test"] for r in found], axis=0),
                )
                for name, found in kept[part].items()
            }
            word = "training" if part == "train" else "validation"
            curves(axis, lines, title=f"rates tuned for the {word} loss", x="step", y="test accuracy (%)")

    first, second = numbers["tuned_for_train"], numbers["tuned_for_valid"]
    gap = first["sgd_minus_adam"]
    finding = (
        f"Tuned for the training loss: test accuracy SGD {100 * first['test_accuracy']['SGD']:.1f} %, Adam "
        f"{100 * first['test_accuracy']['Adam']:.1f} %, difference {100 * gap['median']:.1f} points (95 % interval "
        f"{100 * gap['low']:.1f} to {100 * gap['high']:.1f}); tuned for the validation loss "
        f"{100 * second['test_accuracy']['SGD']:.1f} % and {100 * second['test_accuracy']['Adam']:.1f} %. Adam's "
        f"training loss is then {first['training_loss']['Adam']:.3f} and {second['training_loss']['Adam']:.3f}, SGD's "
        f"{first['training_loss']['SGD']:.3f} and {second['training_loss']['SGD']:.3f}."
    )
    return Outcome(numbers, gap["low"] > 0, finding, draw)
