"""Figures of whole races and of tuning: performance profiles and what a search buys."""

from __future__ import annotations

from typing import Any

from .i18n import Texts
from .profiles import WIDEST_RATIO
from .style import Look, canvas, legend, plain_log, style


def profile_figure(summary: dict[str, Any], look: Look, text: Texts) -> Any:
    """One panel per column: share of the targets within a ratio of the fewest steps."""
    found = {column: profiles for column, profiles in summary["profiles"].items() if profiles}
    with style(text.lang):
        figure, axes = canvas(9.2, 3.6, 1, len(found), sharex=True, sharey=True)
        figure.suptitle(text("title.profile"))
        for axis, (column, profiles) in zip(axes[0], found.items(), strict=True):
            axis.set_title(text.column(column))
            for label, how in look.items():
                if label in profiles["curves"]:
                    axis.step(*profile_corners(profiles["curves"][label]), where="post", label=label, **how)
            axis.set_xlim(1, WIDEST_RATIO)
            axis.set_ylim(0, 1.02)
            axis.set_xlabel(text("axis.profile"))
        axes[0][0].set_ylabel(text("axis.profile_share"))
        legend(figure, axes[0][0], len(look))
    return figure


def profile_corners(curve: dict[str, list[float]]) -> tuple[list[float], list[float]]:
    """Corners of a profile from ratio 1 to the end of the integral."""
    ratios, shares = [1.0], [0.0]
    for ratio, share in zip(curve["ratio"], curve["share"], strict=True):
        if ratio <= WIDEST_RATIO:
            ratios.append(ratio)
            shares.append(share)
    return [*ratios, WIDEST_RATIO], [*shares, shares[-1]]


def tuning_figure(problem: dict[str, Any], look: Look, text: Texts) -> Any:
    """Expected lowest loss after so many random trials; the published default at 0."""
    with style(text.lang):
        figure, axes = canvas(9.2, 4.0)
        axis = axes[0, 0]
        axis.set_title(text("title.tuning", title=problem["title"]))
        for label, how in look.items():
            search = problem["search"].get(label)
            if search is None:
                continue
            curve = shown_curve(search["tuning_curve"], problem)
            axis.plot(range(1, len(curve) + 1), curve, label=label, **how)
            (default,) = shown_curve([search["trials"][0]["valid_loss"]], problem)
            axis.plot(0, default, marker="D", markersize=5, color=how["color"], linestyle="none", zorder=4)
        axis.set_yscale("log")
        plain_log(axis.yaxis)
        axis.set_xlabel(text("axis.trials"))
        axis.set_ylabel(text("axis.expected", loss=text.loss(problem)))
        legend(figure, axis, len(look))
    return figure


def shown_curve(losses: list[float], problem: dict[str, Any]) -> list[float]:
    """Losses between the floor of the problem and its start, which is what having no result means."""
    return [min(max(loss, problem.get("floor", 0.0)), problem["start_loss"]) for loss in losses]
