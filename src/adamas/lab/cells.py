"""Rows of the tables of a race, as text: the same for the terminal and for the report."""

from __future__ import annotations

import math
from typing import Any

from .i18n import ENGLISH, Texts
from .statistics import median

Grid = tuple[list[str], list[list[str]]]


def measured_table(summary: dict[str, Any], name: str, column: str, text: Texts = ENGLISH) -> Grid:
    """Header and rows of one problem in one column ("default" or "tuned")."""
    problem, reference = summary["problems"][name], summary["reference"]
    cells = problem["columns"][column]
    scored = any(cell["test_accuracy"] for cell in cells.values())
    surface = problem["surface"]
    short = text("head.short_f" if surface else "head.short_valid")
    header = [text("head.optimizer"), text("head.lr")]
    header += [text("head.to", target=f"{target:g}") for target in problem["targets"]]
    header += [text("head.f_end")] if surface else [text("head.train"), text("head.valid")]
    header += [text("head.test")] if scored else []
    header += [text("head.ratio", loss=short, reference=reference), text("head.p")]
    header += [text("head.against", reference=reference)]
    rows = []
    for label, cell in cells.items():
        row = [label, f"{cell['lr']:g}"]
        row += [steps_text(found, cell["runs"], problem["steps"]) for found in cell["steps_to_target"].values()]
        row += [] if surface else [number(cell["train_loss"]["median"])]
        row.append(_spread(cell["valid_loss"], text))
        if scored:
            row.append(_accuracy(cell["test_accuracy"]))
        against = (cell["against"] or {}).get("valid_loss")
        if against is None:
            row += ["1", "-", text("reference")] if label == reference else ["-", "-", "-"]
        else:
            interval = f"({ratio(against['low'])} - {ratio(against['high'])})"
            p = f"{against['p_holm']:.3f}"
            row += [f"{ratio(against['centre'])} {interval}", p, text(f"standing.{standing(against)}")]
        rows.append(row)
    return header, rows


def filled_columns(problem: dict[str, Any]) -> list[str]:
    """Columns of a problem in which something ran."""
    return [column for column, cells in problem["columns"].items() if cells]


def facts_table(summary: dict[str, Any], text: Texts = ENGLISH) -> Grid:
    """Header and rows of what every optimizer is and costs."""
    problems = summary["problems"]
    header = _fact_heads(text) + [text("head.ns", name=name) for name in problems]
    rows = []
    for label, facts in summary["facts"].items():
        cells = [problem["columns"]["default"].get(label) for problem in problems.values()]
        rows.append(_fact_cells(label, facts, cells, text) + [_whole(cell and cell["step_ns"]) for cell in cells])
    return header, rows


def comparison_table(summary: dict[str, Any], text: Texts = ENGLISH) -> Grid:
    """Header and rows of the whole race: what every optimizer is, what it costs, how it did on all problems."""
    problems, profiles = summary["problems"].values(), summary["profiles"]
    header = [*_fact_heads(text), text("head.ns_all")]
    for column in profiles:
        header += [text(f"head.{what}", column=text.column(column)) for what in ("area", "reached")]
    header += [text("head.width"), text("head.failed")]
    rows = []
    for label, facts in summary["facts"].items():
        cells = [cells[label] for p in problems for cells in p["columns"].values() if label in cells]
        times = [cell["step_ns"] for cell in cells if math.isfinite(cell["step_ns"])]
        row = [*_fact_cells(label, facts, cells, text), _whole(median(times) if times else None)]
        for column, found in profiles.items():
            area = found["area"].get(label) if found else None
            row.append("{value:.2f} ({low:.2f} - {high:.2f})".format(**area) if area else "-")
            shares = summary["ecdf"][column].get(label, {}).get("share")
            row.append("-" if shares is None else f"{100 * (shares[-1] if shares else 0):.0f}")
        widths = [p["search"][label]["width_decades"] for p in problems if label in p["search"]]
        row.append(f"{median(widths):.1f}" if widths else "-")
        row.append(f"{sum(cell['failed'] for cell in cells)}/{sum(cell['runs'] for cell in cells)}" if cells else "-")
        rows.append(row)
    return header, rows


def _fact_heads(text: Texts) -> list[str]:
    return [text(f"head.{what}") for what in ("optimizer", "adaptive", "momentum", "bias", "hyper", "state")]


def _fact_cells(label: str, facts: dict[str, Any], cells: list[dict[str, Any] | None], text: Texts) -> list[str]:
    """Facts that a foreign record does not state are shown as a dash."""
    known = [str(facts.get(key, "-")) for key in ("adaptive", "momentum", "bias_correction", "hyper_parameters")]
    states = [cell["state_bytes_per_param"] for cell in cells if cell]
    state = next((f"{value:g}" for value in states if math.isfinite(value)), "-")
    return [label, *map(text.fact, known), state]


def _whole(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.0f}"


def _accuracy(test: dict[str, float] | None) -> str:
    if test is None:
        return "-"
    return "{median:.1f} ({q1:.1f} - {q3:.1f})".format(**{k: 100 * v for k, v in test.items()})


def search_table(problem: dict[str, Any], text: Texts = ENGLISH) -> Grid:
    """Header and rows of the tuning trials: final validation loss by learning rate."""
    rates = sorted({t["lr"] for search in problem["search"].values() for t in search["trials"][1:]})
    header = [text("head.optimizer"), text("head.default"), *(f"{rate:g}" for rate in rates), text("head.chosen")]
    header += [text("head.width_short"), text("head.excess")]
    rows = []
    for label, search in problem["search"].items():
        trials = search["trials"]
        edge = text("cell.edge") if search["at_edge"] else ""
        default = text("cell.at", loss=number(trials[0]["valid_loss"]), lr=f"{trials[0]['lr']:g}")
        found = {t["lr"]: number(t["valid_loss"]) for t in trials[1:]}
        losses = [found.get(rate, "-") for rate in rates]
        ends = [f"{search['chosen_lr']:g}{edge}", f"{search['width_decades']:.1f}", number(search["expected_excess"])]
        rows.append([label, default, *losses, *ends])
    return header, rows


def search_lines(settings: dict[str, Any], summary: dict[str, Any], text: Texts = ENGLISH) -> list[str]:
    """The search space in words, and a warning for every optimum at the edge of the grid."""
    lines = []
    if "lr_grid" in settings:
        grid = ", ".join(f"{rate:g}" for rate in sorted(set(settings["lr_grid"])))
        lines.append(text("search.space", grid=grid, trials=settings["trials_per_optimizer"]))
        tuning, evaluation = settings["tuning_seeds"], settings["evaluation_seeds"]
        lines.append(
            text(
                "search.selected",
                selection=text.selection(settings["selection"]),
                first=tuning[0],
                last=tuning[-1],
                low=evaluation[0],
                high=evaluation[-1],
            )
        )
    lines += settings.get("search_space", [])
    for name, problem in summary["problems"].items():
        edge = [label for label, search in problem["search"].items() if search["at_edge"]]
        if edge:
            lines.append(text("search.edge", name=name, labels=text.join(edge)))
    return lines


def steps_text(found: dict[str, Any], runs: int, budget: int) -> str:
    """Median steps to a target, or how many runs got there when the median did not."""
    if math.isfinite(found["median"]):
        return f"{found['median']:g}"
    return f">{budget}" + (f" ({found['reached']}/{runs})" if found["reached"] else "")


def standing(against: dict[str, Any]) -> str:
    """One of "better", "worse" or "same" (not distinguishable) against the reference; of losses, smaller is better."""
    if not against["distinguishable"]:
        return "same"
    return "better" if against["centre"] < 1 else "worse"


def number(value: float) -> str:
    """Three significant digits; a failed run is infinite."""
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if math.isnan(value):
        return "-"
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e3:
        return f"{value:#.3g}".rstrip(".")
    return f"{value:.0f}" if 1e3 <= abs(value) < 1e5 else f"{value:.1e}"


def ratio(value: float) -> str:
    """Three decimals while the ratio is within a factor of ten of 1: near 1 they matter."""
    return f"{value:.3f}" if 0.1 <= value < 10 else number(value)


def _spread(values: dict[str, float], text: Texts) -> str:
    if math.isinf(values["median"]):
        return text("diverged")
    return f"{number(values['median'])} ({number(values['q1'])} - {number(values['q3'])})"
