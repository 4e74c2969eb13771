"""Mini-batches as a tutorial has them: the counter restarts in every epoch, batches divide by the whole set."""

from __future__ import annotations

from typing import Any

import adamas
from adamas.rules import corrected

from ._declare import Outcome, study
from ._drawing import curves
from ._minibatches import EPOCHS, data, epochs_to, train

LR = 0.05
BETAS = {"betas 0.9, 0.999": (0.9, 0.999), "betas 0.8, 0.8": (0.8, 0.8)}


def change(before: int, beta1: float = 0.9, beta2: float = 0.999) -> float:
    """First step after a restart over the same step without one, `before` steps having been done."""
    first, present = (corrected(t, 1.0, beta1, beta2, "folded")[0] for t in (1, before + 1))
    return float(first / present)


@study(
    claim="The step counter of Adam may restart at 1 in every epoch while m and v live on.",
    source="gradient descent series, part 5",
    criterion="With 4 batches an epoch, for betas (0.9, 0.999) and (0.8, 0.8), the epochs to 10 % of the first excess "
    "loss differ by at most 10 % from those of Algorithm 1, whose counter runs through.",
)
def run() -> Outcome:
    """The regression with each of the tutorial's three changes alone."""
    model = data()
    seen: dict[str, list[float]] = {}
    reached: dict[str, dict[str, int | None]] = {}
    for label, (beta1, beta2) in BETAS.items():

        def make(beta1: float = beta1, beta2: float = beta2) -> Any:
            return adamas.Adam(lr=LR, beta1=beta1, beta2=beta2, backend="reference")

        runs = {kind: train(model, make, restart=kind == "restarted")[0] for kind in ("Algorithm 1", "restarted")}
        seen |= {f"{label}, {kind}": excess for kind, excess in runs.items()}
        reached[label] = {kind: epochs_to(excess, 0.1) for kind, excess in runs.items()}
    others: dict[str, Any] = {}
    for name in ("Adam", "SGD"):

        def member(name: str = name) -> Any:
            return adamas.get(name)(lr=LR, backend="reference")

        divisors = {kind: train(model, member, whole=kind == "whole set")[0] for kind in ("batch", "whole set")}
        others[name] = {kind: epochs_to(excess, 0.1) for kind, excess in divisors.items()}
    ends = {"least squares": model.solution()}
    for label, drop in (("all batches", False), ("last batch dropped", True)):
        ends[label] = train(model, lambda: adamas.Adam(lr=LR, backend="reference"), drop=drop)[1]
    factor = {f"epoch {epoch}": change(4 * (epoch - 1)) for epoch in (2, 10, 100)}
    numbers = {
        "epochs_to_10_percent": reached,
        "epochs_to_10_percent_by_divisor": others,
        "slope": {label: float(params["weight"][0, 0]) for label, params in ends.items()},
        "restarted_step_over_algorithm_1": factor,
    }

    def draw(figure: Any) -> None:
        axis = figure.subplots()
        lines = {label: (range(EPOCHS + 1), excess) for label, excess in seen.items()}
        curves(axis, lines, title="Linear regression, 4 batches an epoch", x="epoch", y="loss - least loss", log="y")
        level = 0.1 * next(iter(seen.values()))[0]
        axis.axhline(level, color="0.5", linewidth=0.8)
        axis.annotate("10 % of the start", (EPOCHS, level), (0, 3), textcoords="offset points", ha="right")

    def same(pair: dict[str, int | None]) -> bool:
        ours, theirs = pair["restarted"], pair["Algorithm 1"]
        return ours is not None and theirs is not None and abs(ours / theirs - 1) <= 0.1

    a, b = (reached[label] for label in BETAS)
    finding = (
        f"Epochs to 10 % of the excess loss, restarted and not: {a['restarted']} and {a['Algorithm 1']} with the "
        f"paper's betas, {b['restarted']} and {b['Algorithm 1']} with (0.8, 0.8): the first step of epoch 2 is "
        f"{factor['epoch 2']:.1f} times Algorithm 1's, that of epoch 100 {factor['epoch 100']:.2f} times. "
        f"Dividing by the whole set costs SGD {others['SGD']['whole set']} epochs instead of "
        f"{others['SGD']['batch']}, Adam {others['Adam']['whole set']} and {others['Adam']['batch']}."
    )
    return Outcome(numbers, all(same(pair) for pair in reached.values()), finding, draw)
