"""A problem on which adaptive methods find a solution that does not generalise, and gradient descent one that does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import adamas

from ..models import Linear
from ..problems.wilson import examples
from ..style import COLOURS
from . import Outcome, study
from ._training import label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXAMPLES, POSITIVE, SEED = 60, 37, 0
LONG_STEPS, STEPS = 1500, 800
Floats = NDArray[np.float64]


def solve(x: Floats, y: Floats, optimizer: Any, steps: int) -> Floats:
    """Weights of least squares without intercept after full-batch steps from zero."""
    model = Linear(x, y)
    weight = model.start()["weight"]
    bias = np.zeros(1)
    for _ in range(steps):
        optimizer.step(weight, model.gradient({"weight": weight, "bias": bias})["weight"])
    return weight[:, 0].astype(np.float64)


@study(
    claim="Adaptive methods can find solutions that generalise far worse than those of gradient descent.",
    source="Wilson et al. 2017, The marginal value of adaptive gradient methods, section 3",
    criterion="On Wilson's problem (60 rows, 37 positive) all fit every training row; gradient descent errs on no "
    "fresh example; Adam, Adagrad and RMSprop err on every fresh negative, their first three weights equal to 1e-6.",
)
def run() -> Outcome:
    """Least squares on labels -1 and 1; a fresh example shares only its first three features with training."""
    y = np.where(np.arange(EXAMPLES) < POSITIVE, 1.0, -1.0)
    y = np.random.default_rng(SEED).permutation(y)
    x = examples(y)
    entrants = {
        "SGD": (adamas.SGD(lr=0.15), LONG_STEPS),
        "Adam": (adamas.Adam(lr=0.01), STEPS),
        "Adagrad": (adamas.Adagrad(lr=0.1), STEPS),
        "RMSprop": (adamas.RMSprop(lr=0.01), STEPS),
    }
    weights = {name: solve(x, y, optimizer, steps) for name, (optimizer, steps) in entrants.items()}
    share = float(np.mean(y < 0))
    numbers: dict[str, Any] = {"share_of_negatives": share}
    for name, w in weights.items():
        # its own features never occurred in training, so a fresh example is scored by the first three
        wrong_positive, wrong_negative = bool(w[:3].sum() <= 0), bool(-w[0] + w[1] + w[2] >= 0)
        numbers[name] = {
            "first_weights": w[:3].tolist(),
            "spread": float(np.ptp(w[:3])),
            "train_error": float(np.mean(np.sign(x @ w) != y)),
            "test_error": float(np.mean(np.where(y < 0, wrong_negative, wrong_positive))),
        }
    adaptive = [numbers[name] for name in ("Adam", "Adagrad", "RMSprop")]
    passed = (
        all(numbers[name]["train_error"] == 0 for name in weights)
        and numbers["SGD"]["test_error"] == 0
        and all(each["test_error"] == share and each["spread"] < 1e-6 for each in adaptive)
    )
    finding = (
        "Test error "
        + ", ".join(f"{numbers[name]['test_error']:.1%} by {name}" for name in weights)
        + "; first weights ({:.3f}, {:.3f}, {:.3f}) by SGD, ".format(*weights["SGD"][:3])
        + "({:.3f}, {:.3f}, {:.3f}) by Adam.".format(*weights["Adam"][:3])
    )

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.set_axisbelow(True)
        for k, (name, w) in enumerate(weights.items()):
            axes.bar(np.arange(3) + 0.2 * (k - 1.5), w[:3], 0.18, label=name, color=COLOURS[k])
        axes.set_xticks(range(3), ["the label", "always 1", "always 1"])
        label(axes, "What each has learned of the features that fresh examples share", "feature", "weight")

    return Outcome(numbers, passed, finding, draw)
