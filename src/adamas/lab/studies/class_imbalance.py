"""Rare classes: gradient descent learns them last, Adam and sign descent learn all at one pace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

import adamas

from ..models import Logistic
from ..style import looks
from . import Outcome, study
from ._imbalance import Floats, descend, imbalanced
from ._training import label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE, SEED = 6, 0
EARLY, LATE = MOMENTS = (50, 200)
ENTRANTS: dict[str, tuple[Callable[[float], Any], tuple[float, ...]]] = {
    "SGD": (lambda lr: adamas.SGD(lr=lr), (0.1, 0.3, 1.0, 3.0)),
    "SGD, weighted classes": (lambda lr: adamas.SGD(lr=lr), (0.1, 0.3, 1.0, 3.0)),
    "Momentum": (lambda lr: adamas.Momentum(lr=lr), (0.03, 0.1, 0.3, 1.0)),
    "Adam": (lambda lr: adamas.Adam(lr=lr), (0.003, 0.01, 0.03, 0.1)),
    # without its averages Lion is the sign of the gradient
    "sign descent": (lambda lr: adamas.Lion(lr=lr, betas=(0.0, 0.0)), (1e-4, 3e-4, 1e-3, 3e-3)),
}


@study(
    claim="With rare classes gradient descent falls behind because it learns them last; Adam learns all at one pace.",
    source="Kunstner et al. 2024, Heavy-tailed class imbalance and why Adam outperforms gradient descent",
    criterion="After 200 full-batch steps at tuned rates Momentum has a higher mean loss than Adam, and the loss of "
    "the rarest classes over that of the most frequent is at least 10 times larger for Momentum than for Adam.",
)
def run() -> Outcome:
    """Softmax regression on 63 classes whose frequencies differ by up to 32.

    The ratio alone says who is learned last; that somebody falls behind needs the mean loss too.
    """
    x, y = imbalanced(SIZE, SEED)
    model = Logistic(x, y, int(y.max()) + 1)
    equal, rare = np.full(SIZE, 1 / SIZE), 2.0 ** np.arange(SIZE)
    numbers: dict[str, Any] = {}
    tuned: dict[str, list[Floats]] = {}
    for name, (make, rates) in ENTRANTS.items():
        ends = [descend(model, make(lr), rare / rare.sum() if "weighted" in name else equal, MOMENTS) for lr in rates]
        means = np.array([end.mean(axis=1) for end in ends])
        chosen = means.argmin(axis=0)
        tuned[name] = [ends[i][k] for k, i in enumerate(chosen)]
        numbers[name] = {
            f"after_{steps}": {
                "rate": rates[chosen[k]],
                "mean_loss": float(means[chosen[k], k]),
                "loss_by_group": tuned[name][k].tolist(),
                "rare_over_frequent": float(tuned[name][k][-1] / tuned[name][k][0]),
            }
            for k, steps in enumerate(MOMENTS)
        }
    momentum, adam = numbers["Momentum"], numbers["Adam"]
    slower = momentum["after_200"]["mean_loss"] > adam["after_200"]["mean_loss"]
    skewed = momentum["after_200"]["rare_over_frequent"] >= 10 * adam["after_200"]["rare_over_frequent"]
    finding = "; ".join(
        f"{'while it learns, ' * (steps == EARLY)}after {steps} steps, the rarest classes' loss is "
        f"{a['rare_over_frequent']:.3g} times the most frequent's by Momentum, {b['rare_over_frequent']:.3g} times by "
        f"Adam, the mean loss {a['mean_loss']:.3g} and {b['mean_loss']:.3g}"
        for steps, a, b in ((s, momentum[f"after_{s}"], adam[f"after_{s}"]) for s in MOMENTS)
    )
    end = "" if slower else f". With {x.shape[1]} inputs for {len(x)} rows Momentum fits every row in the end"

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, 2, sharey=True)
        look = looks(list(tuned), "Adam")
        for k, (axes, steps) in enumerate(zip(panels, MOMENTS, strict=True)):
            rows = [2 ** (SIZE - group) for group in range(SIZE)]
            for name, losses in tuned.items():
                axes.loglog(rows, losses[k], marker="o", label=name, **look[name])
            axes.set_xticks(rows, map(str, rows))
            axes.minorticks_off()
            label(axes, f"After {steps} steps", "rows per class", "", legend=k == 0)
        panels[0].set_ylabel("cross-entropy (nats)")
        figure.suptitle("Loss of the classes by their frequency, each optimizer at its best rate for that moment")

    return Outcome(numbers, slower and skewed, f"{finding[0].upper()}{finding[1:]}{end}.", draw)
