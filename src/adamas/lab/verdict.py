"""The outcome of a race in sentences, with its uncertainty."""

from __future__ import annotations

import math
from typing import Any

from .cells import number, ratio, standing, steps_text
from .i18n import ENGLISH, Texts
from .statistics import LEVEL


def overall_verdict(summary: dict[str, Any], text: Texts = ENGLISH) -> list[str]:
    """One sentence per column over all problems: who needs the fewest steps, and how sure that is.

    Args:
        summary: Of `summary.summarise`.
        text: Language.
    """
    columns = sorted(summary["profiles"], key=lambda column: column != "tuned")  # what tuning finds comes first
    found = {column: summary["profiles"][column] for column in columns}
    return [_overall(profiles, _how(column, text), text) for column, profiles in found.items() if profiles]


def verdict(summary: dict[str, Any], name: str, text: Texts = ENGLISH) -> list[str]:
    """Sentences on one problem: who is best when tuned, who cannot be told apart, what the defaults do.

    Args:
        summary: Of `summary.summarise`.
        name: Name of the problem.
        text: Language.
    """
    problem, reference = summary["problems"][name], summary["reference"]
    columns = problem["columns"]
    main = "tuned" if columns.get("tuned") else next(c for c, cells in columns.items() if cells)
    lines = [_best(problem, reference, main, text)]
    if main == "tuned":
        lines += [*_groups(problem, reference, text), _fastest(problem, reference, text)]
    lines += [_best(problem, reference, column, text) for column in columns if column != main]
    count = len(columns[main])
    lines.append(too_few_seeds(problem["seeds"], count, text))
    return [line for line in lines if line]


def too_few_seeds(seeds: int, count: int, text: Texts) -> str:
    """A warning if so few seeds cannot separate so many optimizers, whatever the numbers; else nothing."""
    needed = seeds_needed(count - 1)
    return text("verdict.seeds", seeds=seeds, count=count, needed=needed) if count > 1 and seeds < needed else ""


def seeds_needed(comparisons: int) -> int:
    """Fewest seeds with which the signed-rank test can pass Holm's correction."""
    seeds = 5
    while comparisons * 2 / 2**seeds >= LEVEL:
        seeds += 1
    return seeds


def _how(column: str, text: Texts) -> str:
    return text(f"how.{column}") if column in ("tuned", "default") else text("how.other", column=text.column(column))


def _overall(found: dict[str, Any], how: str, text: Texts) -> str:
    first = max(found["area"], key=lambda label: found["area"][label]["value"])
    area = found["area"][first]
    if area["value"] == 0:
        return text("overall.nothing", how=how)
    lead = found["lead"]
    if lead is None:
        return text("overall.alone", how=how, first=first)
    problems = len({problem for problem, _ in found["instances"]})
    return text(
        "overall.lead",
        how=how,
        instances=len(found["instances"]),
        problems=text("overall.problem" if problems == 1 else "overall.problems", count=problems),
        first=first,
        area=f"{area['value']:.2f}",
        low=f"{area['low']:.2f}",
        high=f"{area['high']:.2f}",
        second=lead["second"],
        difference=f"{lead['difference']:.2f}",
        difference_low=f"{lead['low']:.2f}",
        difference_high=f"{lead['high']:.2f}",
        word=text("overall.clear" if lead["low"] > 0 else "overall.unclear"),
    )


def _best(problem: dict[str, Any], reference: str, column: str, text: Texts) -> str:
    cells = problem["columns"][column]
    if not cells:
        return ""
    how = _how(column, text)
    best = min(cells, key=lambda label: cells[label]["valid_loss"]["median"])
    cell = cells[best]
    middle = cell["valid_loss"]["median"]
    if not math.isfinite(middle):
        return text("verdict.diverged", how=how)
    floor = problem.get("floor", 0.0)
    if floor and middle <= floor:
        names = [label for label in cells if cells[label]["valid_loss"]["median"] <= floor]
        return text("verdict.floor", how=how, floor=f"{floor:g}", names=text.join(names))
    line = text(
        "verdict.best",
        how=how,
        best=best,
        lr=f"{cell['lr']:g}",
        loss=text.loss(problem),
        steps=problem["steps"],
        value=number(middle),
    )
    against = (cell["against"] or {}).get("valid_loss")
    if best == reference or against is None:
        return line + text("verdict.stop")
    key = "verdict.confirmed" if against["distinguishable"] else "verdict.unconfirmed"
    return text("verdict.ratio", text=line, reference=reference, word=text(key, reference=reference), **_ends(against))


def _ends(against: dict[str, Any]) -> dict[str, str]:
    return {"ratio": ratio(against["centre"]), "low": ratio(against["low"]), "high": ratio(against["high"])}


def _groups(problem: dict[str, Any], reference: str, text: Texts) -> list[str]:
    groups: dict[str, list[str]] = {"better": [], "same": [], "worse": []}
    for label, cell in problem["columns"]["tuned"].items():
        if cell["against"]:
            groups[standing(cell["against"]["valid_loss"])].append(label)
    if not any(groups.values()):
        return []
    found = text("verdict.group_gap").join(
        text("verdict.group", what=text(f"group.{k}", reference=reference), names=text.join(v) or text("none"))
        for k, v in groups.items()
    )
    return [text("verdict.groups", seeds=problem["seeds"], found=found)]


def _fastest(problem: dict[str, Any], reference: str, text: Texts) -> str:
    """Fewest steps to the hardest target that somebody reaches in the median."""
    cells = problem["columns"]["tuned"]
    for target in (f"{t:g}" for t in reversed(problem["targets"])):
        found = {label: cell["steps_to_target"][target] for label, cell in cells.items()}
        fewest = min((f["median"] for f in found.values()), default=math.inf)
        if not math.isfinite(fewest):
            continue
        first = [label for label, f in found.items() if f["median"] == fewest]
        line = text(
            "verdict.fastest", loss=text.loss(problem), target=target, names=text.join(first), steps=f"{fewest:g}"
        )
        if reference in first or reference not in cells:
            return line + text("verdict.stop")
        against = cells[first[0]]["against"]
        theirs = steps_text(found[reference], cells[reference]["runs"], problem["steps"])
        if not against:
            return text("verdict.fastest_theirs", text=line, reference=reference, theirs=theirs)
        steps = against[f"steps_to_{target}"]
        word = "" if steps["distinguishable"] else text("verdict.fastest_same")
        return text("verdict.fastest_ratio", text=line, reference=reference, theirs=theirs, word=word, **_ends(steps))
    return text("verdict.no_target")
