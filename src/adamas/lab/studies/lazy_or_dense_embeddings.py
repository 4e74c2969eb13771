"""Rows of an embedding that a batch does not use: frozen (lazy), stepped on (dense), or caught up with exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import adamas

from . import Outcome, study
from ._drawing import curves
from ._embedding import BETA1, BETA2, EPS, LR, Rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS, WIDTH, BATCH, STEPS, SEED = 2000, 8, 32, 1500, 0


def isolated(lazy: bool) -> float:
    """Way of a row, in lr, after one gradient long after the start (bias correction is 1)."""
    begin, zero = 100_000, np.zeros(1)
    p, adam = {"rows": np.zeros(1)}, adamas.Adam(lr=LR, betas=(BETA1, BETA2), eps=EPS)
    adam.step(p, {"rows": zero})
    adam.load_state_dict({**adam.state_dict(), "t": begin})
    adam.step(p, {"rows": np.ones(1)})
    for _ in range(0 if lazy else 500):
        adam.step(p, {"rows": zero})
    return float(-p["rows"][0] / LR)


@study(
    claim="Adam on the used rows of an embedding only (lazy, sparse) is another algorithm than dense Adam; a "
    "catch-up in closed form gives dense Adam's result at the lazy cost.",
    source="SparseAdam and LazyAdam in PyTorch and TensorFlow, and their users' reports",
    criterion="On rows drawn by Zipf's law the rows with catch-up equal dense Adam to 1e-10, lazy rows differ by "
    "over 1e-3; one isolated gradient moves a dense row 31.8 lr and a lazy one 3.16 lr (to 1 %).",
)
def run() -> Outcome:
    """Least squares on 2 000 rows of which a step sees 32, noise in the gradients."""
    rng = np.random.default_rng(SEED)
    target = rng.standard_normal((ROWS, WIDTH))
    chance = 1 / np.arange(1, ROWS + 1)
    dense, p = adamas.Adam(lr=LR, betas=(BETA1, BETA2), eps=EPS), np.zeros((ROWS, WIDTH))
    lazy, exact = Rows(ROWS, WIDTH, STEPS + 1), Rows(ROWS, WIDTH, STEPS + 1)
    errors: dict[str, list[float]] = {"dense": [], "lazy": [], "caught up": []}
    seen, everything = list(range(0, STEPS + 1, 50)), np.arange(ROWS)
    for step in range(STEPS + 1):
        if step in seen:
            tables = (p, lazy.p, exact.p - exact.missed_way(everything))
            for kept, table in zip(errors.values(), tables, strict=True):
                kept.append(float(np.average(np.mean((table - target) ** 2, axis=1), weights=chance)))
        rows = np.unique(rng.choice(ROWS, BATCH, p=chance / chance.sum()))
        noise = 0.5 * rng.standard_normal((len(rows), WIDTH))
        grads = np.zeros_like(p)
        grads[rows] = p[rows] - target[rows] + noise
        exact.catch_up(rows)
        for sparse in (lazy, exact):
            sparse.step(rows, sparse.p[rows] - target[rows] + noise)
        dense.step(p, grads)
    exact.catch_up(everything)
    numbers: dict[str, Any] = {
        "caught_up_minus_dense": float(np.abs(exact.p - p).max()),
        "lazy_minus_dense": float(np.abs(lazy.p - p).max()),
        "isolated_dense": isolated(lazy=False),
        "isolated_lazy": isolated(lazy=True),
        "rows_touched_per_step": lazy.touched / lazy.t,
        "rows": ROWS,
        "final_error": {name: values[-1] for name, values in errors.items()},
    }
    passed = (
        numbers["caught_up_minus_dense"] <= 1e-10
        and numbers["lazy_minus_dense"] > 1e-3
        and abs(numbers["isolated_dense"] / 31.8 - 1) < 0.01
        and abs(numbers["isolated_lazy"] / 3.16 - 1) < 0.01
    )
    finding = (
        f"With the catch-up rows differ from dense Adam's by {numbers['caught_up_minus_dense']:.1e} at most, lazy "
        f"rows by {numbers['lazy_minus_dense']:.2g}; a step touches {numbers['rows_touched_per_step']:.0f} of {ROWS} "
        f"rows. One isolated gradient moves a dense row {numbers['isolated_dense']:.1f} lr, a lazy one "
        f"{numbers['isolated_lazy']:.2f} lr. Error {errors['dense'][-1]:.3g} dense, {errors['lazy'][-1]:.3g} lazy."
    )

    def draw(figure: Figure) -> None:
        curves(
            figure.subplots(),
            {name: (seen, values) for name, values in errors.items()},
            title="An embedding learned by rows that are rarely used",
            x="step",
            y="mean squared error, rows weighted by use",
            reference="dense",
            above="caught up",
        )

    return Outcome(numbers, passed, finding, draw)
