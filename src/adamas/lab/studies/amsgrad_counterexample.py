"""Adam led to the worst point by a convex loss, and AMSGrad that is not."""

from __future__ import annotations

from typing import Any

import adamas

from ._alternating import LONG, SHORT, falling, thinned
from ._declare import Outcome, study
from ._drawing import curves

SHORT_STEPS, LONG_STEPS = 10_000, 50_000
BETA2 = 0.1  # 1 / (1 + C^2) with C = 3, as in the theorem
MARKS = (100, 1000, 10_000)


@study(
    claim="Adam can fail to converge on convex losses, even with a falling rate; AMSGrad converges.",
    source="Reddi, Kale & Kumar 2018, theorem 1 and section 5",
    criterion="Losses 3x, -x, -x: after 10 000 steps x > 0.9 (the worst point is 1) for Adam and x < -0.9 (the best is "
    "-1) for AMSGrad. Losses 1010x, then 100 times -10x: the same after 50 000 steps.",
)
def run() -> Outcome:
    """Both games with rates that fall like 1/sqrt(t); SGD beside them."""
    short = {
        "Adam": adamas.Adam(lr=falling(0.1), betas=(0.0, BETA2)),
        "AMSGrad": adamas.AMSGrad(lr=falling(0.1), betas=(0.0, BETA2)),
        "SGD": adamas.SGD(lr=falling(0.1)),
    }
    long = {
        "Adam": adamas.Adam(lr=falling(0.5), betas=(0.9, 0.99)),
        "AMSGrad": adamas.AMSGrad(lr=falling(0.5), betas=(0.9, 0.99)),
    }
    points = {("short", name): SHORT.play(optimizer, SHORT_STEPS) for name, optimizer in short.items()}
    points |= {("long", name): LONG.play(optimizer, LONG_STEPS) for name, optimizer in long.items()}
    end = {key: float(x[-1]) for key, x in points.items()}
    numbers: dict[str, Any] = {}
    for (game, name), x in points.items():
        numbers[f"{game}_game_{name}_at_100_1000_10000"] = [float(x[k]) for k in MARKS]
    numbers["long_game_at_50000"] = {name: end["long", name] for name in long}
    finding = (
        f"Short game: Adam {end['short', 'Adam']:+.3f}, AMSGrad {end['short', 'AMSGrad']:+.3f}, "
        f"SGD {end['short', 'SGD']:+.3f} after 10 000 steps. Long game: Adam {end['long', 'Adam']:+.3f}, "
        f"AMSGrad {end['long', 'AMSGrad']:+.3f} after 50 000; Adam's v forgets the steep gradient that shows the way."
    )

    def draw(figure: Any) -> None:
        panels = {
            "short": "3x, -x, -x, ...: β = (0, 0.1), lr 0.1/√t",
            "long": "1010x, then 100 times -10x: β = (0.9, 0.99), lr 0.5/√t",
        }
        for axis, (game, title) in zip(figure.subplots(1, 2, sharey=True), panels.items(), strict=True):
            lines = {name: thinned(x) for (which, name), x in points.items() if which == game}
            curves(axis, lines, title=title, x="step", y="x (best -1, worst +1)", reference="Adam", log="x")
            for place in (-1, 1):
                axis.axhspan(place - 0.02, place + 0.02, color="0.85", zorder=0)

    misled = all(end[game, "Adam"] > 0.9 for game in ("short", "long"))
    right = all(end[game, "AMSGrad"] < -0.9 for game in ("short", "long"))
    return Outcome(numbers, misled and right, finding, draw)
