"""One number instead of two: beta1 = beta2."""

from __future__ import annotations

from typing import Any

import numpy as np

import adamas

from ..statistics import median
from ..trial import run_trial
from ._declare import Outcome, study
from ._training import digits

BETA1S = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98)
BETA2S = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)
RATES = (0.003, 0.01, 0.03)
STEPS, EVERY, SEEDS = 200, 20, (0, 1, 2)
DEFAULT = (0.9, 0.999)


@study(
    claim="With beta1 = beta2 Adam does about as well as with the best pair of betas.",
    source="Orvieto & Gower 2025, In search of Adam's secret sauce; tuned AdamW in the modded-nanogpt benchmark: "
    "(0.9, 0.9)",
    criterion="Digits, a 64-32-10 network, 200 steps, six beta1 by seven beta2, each pair at its best of three "
    "rates: the lowest median training loss (3 seeds) among equal betas is at most 1.1 times the lowest of all pairs.",
)
def run() -> Outcome:
    """The grid of betas; the median over the seeds of the final training loss, at the best rate."""
    table = np.array([[min(_loss((b1, b2), rate) for rate in RATES) for b2 in BETA2S] for b1 in BETA1S])
    equal = {b: float(table[BETA1S.index(b), BETA2S.index(b)]) for b in BETA1S if b in BETA2S}
    best_equal = min(equal, key=lambda b: equal[b])
    i, j = (int(k) for k in np.unravel_index(table.argmin(), table.shape))
    default = float(table[BETA1S.index(DEFAULT[0]), BETA2S.index(DEFAULT[1])])
    lowest = float(table[i, j])
    numbers: dict[str, Any] = {
        "best_pair": [BETA1S[i], BETA2S[j]],
        "best_loss": lowest,
        "best_equal_beta": best_equal,
        "best_loss_of_equal_betas": equal[best_equal],
        "equal_over_best": equal[best_equal] / lowest,
        "default_over_best": default / lowest,
        "loss_by_beta1_then_beta2": table.tolist(),
    }
    finding = (
        f"Best pair ({BETA1S[i]:g}, {BETA2S[j]:g}): loss {lowest:.4f}. Best equal pair {best_equal:g}: "
        f"{equal[best_equal] / lowest:.2f} times that. The default (0.9, 0.999): {default / lowest:.2f} times."
    )

    def draw(figure: Any) -> None:
        axis = figure.subplots()
        image = axis.imshow(np.log10(table / lowest), cmap="cividis", aspect="auto")
        axis.set_xticks(range(len(BETA2S)), [f"{b:g}" for b in BETA2S])
        axis.set_yticks(range(len(BETA1S)), [f"{b:g}" for b in BETA1S])
        middle = float(np.log10(table.max() / lowest)) / 2
        for (row, column), loss in np.ndenumerate(table):
            mark = " =" if BETA1S[row] == BETA2S[column] else ""
            colour = "white" if np.log10(loss / lowest) < middle else "black"
            axis.text(column, row, f"{loss / lowest:.2f}{mark}", ha="center", va="center", color=colour)
        axis.grid(visible=False)
        axis.set(xlabel=r"$\beta_2$", ylabel=r"$\beta_1$")
        axis.set_title("Training loss after 200 steps over the lowest; best of three rates; = marks equal betas")
        figure.colorbar(image, ax=axis, label="log10 of the ratio")

    return Outcome(numbers, equal[best_equal] <= 1.1 * lowest, finding, draw)


def _loss(betas: tuple[float, float], rate: float) -> float:
    """Median over the seeds of the training loss; the mean of the last three evaluations, against the noise."""
    problem = digits()
    runs = [run_trial(problem, adamas.Adam(lr=rate, betas=betas), seed, STEPS, evaluate_every=EVERY) for seed in SEEDS]
    return median([float(np.mean(run.train[-3:])) if run.status == "ok" else np.inf for run in runs])
