"""Rows of the tables of a race, as text: the same for the terminal and for the report."""

from __future__ import annotations

import math
from typing import Any

HEADINGS = {"default": "published defaults", "tuned": "tuned learning rate"}


def measured_table(summary: dict[str, Any], name: str, column: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows of one problem in one column ("default" or "tuned")."""
    problem, reference = summary["problems"][name], summary["reference"]
    cells = problem["columns"][column]
    scored = any(cell["test_accuracy"] for cell in cells.values())
    surface = problem["surface"]
    header = ["optimizer", "lr", *(f"to {target:g}" for target in problem["targets"])]
    header += ["f at the end (middle half)"] if surface else ["train loss", "valid loss (middle half)"]
    header += ["test acc % (middle half)"] if scored else []
    header += [f"{'f' if surface else 'valid'} / {reference}'s (95 %)", "p", "against " + reference]
    rows = []
    for label, cell in cells.items():
        row = [label, f"{cell['lr']:g}"]
        row += [steps_text(found, cell["runs"], problem["steps"]) for found in cell["steps_to_target"].values()]
        row += [] if surface else [number(cell["train_loss"]["median"])]
        row.append(_spread(cell["valid_loss"]))
        if scored:
            test = cell["test_accuracy"]
            row.append(
                "-"
                if test is None
                else "{median:.1f} ({q1:.1f} - {q3:.1f})".format(**{k: 100 * v for k, v in test.items()})
            )
        against = (cell["against"] or {}).get("valid_loss")
        if against is None:
            row += ["1", "-", "reference"] if label == reference else ["-", "-", "-"]
        else:
            interval = f"({ratio(against['low'])} - {ratio(against['high'])})"
            p = f"{against['p_holm']:.3f}"
            row += [f"{ratio(against['centre'])} {interval}", p, against_text(against)]
        rows.append(row)
    return header, rows


def facts_table(summary: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of what every optimizer is and costs."""
    problems = summary["problems"]
    header = ["optimizer", "adaptive", "momentum", "bias correction", "hyper-parameters", "state B/param"]
    header += [f"ns/step {name}" for name in problems]
    rows = []
    for label, facts in summary["facts"].items():
        measured = [problem["columns"]["default"].get(label) for problem in problems.values()]
        state = next((f"{cell['state_bytes_per_param']:g}" for cell in measured if cell), "-")
        rows.append(
            [
                label,
                facts["adaptive"],
                facts["momentum"],
                facts["bias_correction"],
                str(facts["hyper_parameters"]),
                state,
                *(f"{cell['step_ns']:.0f}" if cell else "-" for cell in measured),
            ]
        )
    return header, rows


def search_table(problem: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the tuning trials: final validation loss by learning rate."""
    rates = sorted({t["lr"] for search in problem["search"].values() for t in search["trials"][1:]})
    header = ["optimizer", "default", *(f"{rate:g}" for rate in rates), "chosen", "width, decades"]
    rows = []
    for label, search in problem["search"].items():
        trials = search["trials"]
        edge = " (edge)" if search["at_edge"] else ""
        default = f"{number(trials[0]['valid_loss'])} at {trials[0]['lr']:g}"
        found = {t["lr"]: number(t["valid_loss"]) for t in trials[1:]}
        losses = [found.get(rate, "-") for rate in rates]
        rows.append([label, default, *losses, f"{search['chosen_lr']:g}{edge}", f"{search['width_decades']:.1f}"])
    return header, rows


def search_lines(settings: dict[str, Any], summary: dict[str, Any]) -> list[str]:
    """The search space in words, and a warning for every optimum at the edge of the grid."""
    grid = ", ".join(f"{rate:g}" for rate in sorted(set(settings["lr_grid"])))
    tuning, evaluation = settings["tuning_seeds"], settings["evaluation_seeds"]
    lines = [
        f"Search space, the same for every optimizer: lr in {{{grid}}} and the published default, "
        f"{settings['trials_per_optimizer']} trials; all else at its published default, lr constant.",
        f"Selected by the {settings['selection']} ({tuning[0]} to {tuning[-1]}); "
        f"reported: seeds {evaluation[0]} to {evaluation[-1]}. Test data select nothing.",
    ]
    for name, problem in summary["problems"].items():
        edge = [label for label, search in problem["search"].items() if search["at_edge"]]
        if edge:
            lines.append(
                f"{name}: the best rate of {', '.join(edge)} lies at the edge of the grid; "
                "a wider --lr-grid may do better."
            )
    return lines


def steps_text(found: dict[str, Any], runs: int, budget: int) -> str:
    """Median steps to a target, or how many runs got there when the median did not."""
    if math.isfinite(found["median"]):
        return f"{found['median']:g}"
    return f">{budget}" + (f" ({found['reached']}/{runs})" if found["reached"] else "")


def against_text(against: dict[str, Any]) -> str:
    """better, worse or not distinguishable (of losses: smaller is better)."""
    if not against["distinguishable"]:
        return "not distinguishable"
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


def _spread(values: dict[str, float]) -> str:
    if math.isinf(values["median"]):
        return "diverged"
    return f"{number(values['median'])} ({number(values['q1'])} - {number(values['q3'])})"
