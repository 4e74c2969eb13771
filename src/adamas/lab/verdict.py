"""The outcome of a race in sentences, with its uncertainty."""

from __future__ import annotations

import math
from typing import Any

from .cells import against_text, number, ratio, steps_text
from .statistics import LEVEL


def verdict(summary: dict[str, Any], name: str) -> list[str]:
    """Sentences on one problem: who is best when tuned, who cannot be told apart, what the defaults do.

    Args:
        summary: Of `summary.summarise`.
        name: Name of the problem.
    """
    problem, reference = summary["problems"][name], summary["reference"]
    lines = [_best(problem, reference, "tuned"), *_groups(problem, reference)]
    lines += [_fastest(problem, reference), _best(problem, reference, "default")]
    needed = seeds_needed(len(problem["columns"]["tuned"]) - 1)
    if problem["seeds"] < needed:
        lines.append(
            f"{problem['seeds']} seeds cannot separate {len(problem['columns']['tuned'])} optimizers "
            f"at the 5 % level after Holm's correction, whatever the numbers; use --seeds {needed} or more."
        )
    return [line for line in lines if line]


def seeds_needed(comparisons: int) -> int:
    """Fewest seeds with which the signed-rank test can pass Holm's correction."""
    seeds = 5
    while comparisons * 2 / 2**seeds >= LEVEL:
        seeds += 1
    return seeds


def _loss(problem: dict[str, Any]) -> str:
    return "value of f" if problem["surface"] else "validation loss"


def _best(problem: dict[str, Any], reference: str, column: str) -> str:
    cells = problem["columns"][column]
    if not cells:
        return ""
    best = min(cells, key=lambda label: cells[label]["valid_loss"]["median"])
    cell = cells[best]
    how = "With the learning rate tuned" if column == "tuned" else "At published defaults"
    text = (
        f"{how}, {best} (lr {cell['lr']:g}) has the lowest {_loss(problem)} after {problem['steps']} steps: "
        f"median {number(cell['valid_loss']['median'])}"
    )
    if not math.isfinite(cell["valid_loss"]["median"]):
        return f"{how}, every optimizer diverged in half of its runs or more."
    floor = problem.get("floor", 0.0)
    if floor and cell["valid_loss"]["median"] <= floor:
        names = [label for label in cells if cells[label]["valid_loss"]["median"] <= floor]
        return f"{how}, f falls below {floor:g}, which counts as the minimum, by: {', '.join(names)}."
    if best == reference:
        return text + "."
    against = (cell["against"] or {}).get("valid_loss")
    if against is None:
        return text + "."
    word = (
        "a difference that the seeds confirm" if against["distinguishable"] else f"not distinguishable from {reference}"
    )
    return (
        f"{text}, {ratio(against['centre'])} times {reference}'s "
        f"(95 % interval {ratio(against['low'])} to {ratio(against['high'])}): {word}."
    )


def _groups(problem: dict[str, Any], reference: str) -> list[str]:
    groups: dict[str, list[str]] = {"better": [], "not distinguishable": [], "worse": []}
    for label, cell in problem["columns"]["tuned"].items():
        if cell["against"]:
            groups[against_text(cell["against"]["valid_loss"])].append(label)
    if not any(groups.values()):
        return []
    words = {
        "better": f"better than {reference}",
        "not distinguishable": f"not distinguishable from {reference}",
        "worse": f"worse than {reference}",
    }
    found = "; ".join(f"{words[k]}: {', '.join(v) or 'none'}" for k, v in groups.items())
    return [f"Tuned, over {problem['seeds']} seeds, {found}."]


def _fastest(problem: dict[str, Any], reference: str) -> str:
    """Fewest steps to the hardest target that somebody reaches in the median."""
    cells = problem["columns"]["tuned"]
    for target in (f"{t:g}" for t in reversed(problem["targets"])):
        found = {label: cell["steps_to_target"][target] for label, cell in cells.items()}
        fewest = min((f["median"] for f in found.values()), default=math.inf)
        if not math.isfinite(fewest):
            continue
        first = [label for label, f in found.items() if f["median"] == fewest]
        text = f"Fewest steps to a {_loss(problem)} of {target}, tuned: {', '.join(first)} with {fewest:g}"
        if reference in first or reference not in cells:
            return text + "."
        against = cells[first[0]]["against"]
        theirs = f"{reference}: {steps_text(found[reference], cells[reference]['runs'], problem['steps'])}"
        if not against:
            return f"{text} ({theirs})."
        found_ratio = against[f"steps_to_{target}"]
        word = "" if found_ratio["distinguishable"] else "; not distinguishable"
        return (
            f"{text} ({theirs}; ratio {ratio(found_ratio['centre'])}, "
            f"95 % interval {ratio(found_ratio['low'])} to {ratio(found_ratio['high'])}{word})."
        )
    return "No optimizer reached any target in half of its runs; give more --steps."
