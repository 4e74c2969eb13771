"""Three body measures from three exercises: does it help to combine the tasks' gradients by a method?"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..statistics import bootstrap_median, median
from ._declare import Outcome, study
from ._drawing import curves
from ._multitask import COMBINATIONS, Floats, Trunk, train

TASKS = ("weight", "waist", "pulse")
LR, STEPS, SEEDS, HIDDEN = 0.01, 300, range(10), 2


def data() -> tuple[Floats, list[Floats]]:
    """The 20 men of the Linnerud data, all columns standardised."""
    from sklearn.datasets import load_linnerud

    x, y = load_linnerud(return_X_y=True)
    x, y = ((a - a.mean(axis=0)) / a.std(axis=0) for a in (x, y))
    return np.asarray(x), [np.asarray(column) for column in y.T]


@study(
    claim="Methods that combine the tasks' gradients (PCGrad, CAGrad, GradNorm) train all tasks better than their sum.",
    source="principle and practice of Adam, outlook: multi-task learning",
    criterion="On Linnerud's three tasks, a shared trunk of 2 units, 300 steps of Adam at 0.01, at least two of the "
    "three methods lower the largest of the three final losses: the 95 % interval of the difference over 10 seeds is "
    "below 0.",
)
def run() -> Outcome:
    """The same starts for the sum and the three methods; the whole data in every step."""
    x, y = data()
    trunk = Trunk(3, HIDDEN, (1, 1, 1))
    ends: dict[str, Floats] = {}
    conflict: dict[str, float] = {}
    middle: dict[str, Floats] = {}
    for name, make in COMBINATIONS.items():
        runs = [train(trunk, lambda step: (x, y), make(s), lr=LR, steps=STEPS, seed=s) for s in SEEDS]
        ends[name] = np.array([losses[-1] for _, losses, _ in runs])
        middle[name] = np.median([losses.max(axis=1) for _, losses, _ in runs], axis=0)
        conflict[name] = float(np.mean([np.mean(np.array(cosines) < 0) for _, _, cosines in runs]))
    worst = {name: end.max(axis=1) for name, end in ends.items()}
    gain = {name: worst[name] - worst["sum"] for name in COMBINATIONS if name != "sum"}
    intervals = {name: bootstrap_median(g) for name, g in gain.items()}
    numbers: dict[str, Any] = {
        "final_losses": {
            name: dict(zip(TASKS, np.median(end, axis=0).tolist(), strict=True)) for name, end in ends.items()
        },
        "largest_final_loss": {name: median(list(w)) for name, w in worst.items()},
        "difference_from_the_sum": {
            name: {"median": median(list(g)), "low": intervals[name][0], "high": intervals[name][1]}
            for name, g in gain.items()
        },
        "share_of_steps_with_a_conflict": conflict,
    }
    better = [name for name, (_, high) in intervals.items() if high < 0]

    def draw(figure: Any) -> None:
        lines = {name: (range(STEPS), found) for name, found in middle.items()}
        curves(
            figure.subplots(),
            lines,
            title="Linnerud: the worst of three tasks, median of 10 seeds",
            x="step",
            y="largest of the three losses\n(1: variance of the target)",
            reference="sum",
        )

    largest = numbers["largest_final_loss"]
    finding = (
        f"In {100 * conflict['sum']:.0f} % of the steps two gradients conflict. Largest final loss: "
        + ", ".join(f"{name} {value:.4f}" for name, value in largest.items())
        + ". Difference from the sum: "
        + ", ".join(
            f"{name} {median(list(g)):+.4f} (95 % interval {intervals[name][0]:+.4f} to {intervals[name][1]:+.4f})"
            for name, g in gain.items()
        )
        + f". Better beyond doubt: {', '.join(better) or 'none'}."
    )
    return Outcome(numbers, len(better) >= 2, finding, draw)
