"""One learning rate for everything: how far each member gets with it."""

from __future__ import annotations

from typing import Any

from ._declare import Outcome, study
from ._drawing import SURFACE_TITLES, curves
from ._field import RATES, STEPS, finals, start

MEMBERS = ("SGD", "Momentum", "Adam")
DEFAULT = RATES.index(1e-3)


def shortfall(problem: str, member: str) -> list[float]:
    """By rate, 1 minus the fall of the loss over the best fall that the member achieves; above 1 it rose."""
    first, ends = start(problem), finals(problem, member)
    return [1 - (first - end) / (first - min(ends)) for end in ends]


@study(
    claim="Adam needs little tuning: its default learning rate of 0.001 does well.",
    source="gradient descent series, part 5",
    criterion="On two surfaces and two models of the digits, 0.001 brings Adam at least 90 % of the fall of the loss "
    "that its best of 11 rates brings, on all four; and Adam's best common rate falls less short at worst than SGD's.",
)
def run() -> Outcome:
    """The fall of the loss at every rate, in parts of that at the member's own best rate."""
    short = {m: {p: shortfall(p, m) for p in STEPS} for m in MEMBERS}
    worst = {m: [max(by[p][i] for p in STEPS) for i in range(len(RATES))] for m, by in short.items()}
    common = {m: min(range(len(RATES)), key=lambda i: worst[m][i]) for m in MEMBERS}
    default = {p: 1 - short["Adam"][p][DEFAULT] for p in STEPS}
    numbers: dict[str, Any] = {
        "share_of_the_best_fall_at_0.001": default,
        "best_common_rate": {m: RATES[common[m]] for m in MEMBERS},
        "worst_share_at_the_common_rate": {m: 1 - worst[m][common[m]] for m in MEMBERS},
        "problems_within_10_percent_at_the_common_rate": {
            m: sum(short[m][p][common[m]] <= 0.1 for p in STEPS) for m in MEMBERS
        },
    }

    def draw(figure: Any) -> None:
        lines = {m: (RATES, [100 * max(0.0, 1 - w) for w in found]) for m, found in worst.items()}
        curves(
            figure.subplots(),
            lines,
            title="One learning rate for four problems",
            x="learning rate",
            y="share of the best fall of the loss,\nworst of four problems (%)",
            reference="Adam",
            log="x",
            marker="o",
        )

    ample = all(share >= 0.9 for share in default.values())
    shares = numbers["worst_share_at_the_common_rate"]
    finding = (
        "At 0.001 Adam brings, of its best fall of the loss, "
        + ", ".join(f"{100 * s:.0f} % on {SURFACE_TITLES[p]}" for p, s in default.items())
        + f"{'' if ample else ': too small for runs this short'}. One rate for all four "
        "problems, each member's best, brings at worst "
        + ", ".join(f"{100 * max(0.0, shares[m]):.0f} % by {m} ({RATES[common[m]]:g})" for m in MEMBERS)
        + "."
    )
    return Outcome(numbers, ample and shares["Adam"] > shares["SGD"], finding, draw)
