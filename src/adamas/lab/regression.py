"""Linear and logistic regression by any optimizer of the family, beside the closed-form solution."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .csvdata import Table, from_arrays, read_csv
from .descent import descend
from .errors import InputError
from .fit_result import FitResult
from .models import Linear, Logistic
from .roster import get_entrant
from .standardise import Scale, in_data_units

MAX_STEPS = 20_000
MAX_CLASSES = 100


def fit(
    data: Any,
    target: Any,
    *,
    model: str = "auto",
    optimizer: str = "adam",
    lr: float | None = None,
    batch_size: int | None = None,
    tol: float = 1e-8,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    names: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    skip_missing: bool = False,
    on_epoch: Callable[[int], None] | None = None,
) -> FitResult:
    """Fit a line or a classifier to a CSV file or to arrays.

    Features (and the target of a linear model) are standardised inside; everything returned is in the
    units of the data. The step counter of the optimizer runs through all epochs, the gradient of a batch
    is divided by its size, and the last, smaller batch of an epoch is used.

    Args:
        data: Path of a CSV file with a header, or features of shape (rows, features).
        target: Name of the column to predict, or the values of shape (rows,).
        model: "linear", "logistic", or "auto": logistic for text labels and for a target of the two
            values 0 and 1, linear otherwise.
        optimizer: A name of the family or FILE.py:RULE.
        lr: Learning rate; None takes the optimizer's published default.
        batch_size: Rows per step; None takes all rows in every step.
        tol: Stop when the standardised loss changed by less than this, three times in a row, over a step
            (full batch) or an epoch (mini-batches); 0 never stops. Predicting the mean has the
            standardised squared error 1.
        steps: Most steps; 20 000 unless `epochs` is given.
        epochs: Most passes over the data; give this or `steps`.
        seed: Of the order of mini-batches.
        names: Feature names for arrays.
        drop: Columns of the file to leave out.
        skip_missing: Leave out rows of the file with missing values.
        on_epoch: Called with the number of steps done after every epoch.

    Returns:
        Coefficients beside those of the closed form, losses, and why it stopped.

    Raises:
        InputError: Wrong arguments or data; the text says what and how to mend it.
        LabError: The loss became infinite or NaN.
    """
    table = _table(data, target, names, drop, skip_missing)
    kind = _kind(table, model)
    rows = len(table.y)
    batch = rows if batch_size is None else batch_size
    max_steps = _max_steps(rows, batch, steps, epochs)
    if not 0 <= tol < math.inf:
        raise InputError(f"tol = {tol!r}: give a number of 0 or more, e.g. 1e-8")
    if lr is not None and not 0 < lr < math.inf:
        raise InputError(f"lr = {lr!r}: give a positive number, e.g. 0.01")
    entrant = get_entrant(optimizer)
    stepper = entrant.make() if lr is None else entrant.make(lr=lr)

    x_scale = Scale.of(table.x)
    x = x_scale.apply(table.x)
    notes = _notes(table, x)
    classes: list[Any] = []
    y_scale: Scale | None = None
    machine: Linear | Logistic
    if kind == "linear":
        y_scale = Scale.of(table.y[:, None])
        machine = Linear(x, y_scale.apply(table.y[:, None])[:, 0])
        unit = float(y_scale.deviation[0]) ** 2
    else:
        labels, numbers = np.unique(table.y, return_inverse=True)
        classes = [int(v) if isinstance(v, float) and v.is_integer() else v for v in labels.tolist()]
        machine = Logistic(x, numbers.astype(np.intp), len(classes))
        unit = 1.0
    run = descend(machine, rows, stepper, batch_size=batch, max_steps=max_steps, tol=tol, seed=seed, on_epoch=on_epoch)
    closed = machine.solution()
    if isinstance(machine, Logistic):
        score = machine.accuracy(run.params)
        apart = machine.separated(closed)
        if apart:
            names = ", ".join(str(classes[k]) for k in apart)
            notes.append(
                f"told apart from the rest without an error: {names}. The loss has no finite minimum then: "
                "coefficients grow as long as one trains, and both columns show only where each stopped"
            )
    else:
        score = 1 - run.losses[-1]  # the standardised target has variance 1
    coefficients, intercept = in_data_units(run.params, x_scale, y_scale)
    closed_coefficients, closed_intercept = in_data_units(closed, x_scale, y_scale)
    return FitResult(
        model=kind,
        names=table.names,
        classes=classes,
        coefficients=coefficients,
        intercept=intercept,
        closed_coefficients=closed_coefficients,
        closed_intercept=closed_intercept,
        loss=run.losses[-1] * unit,
        closed_loss=machine.loss(closed) * unit,
        score=score,
        losses=[loss * unit for loss in run.losses],
        steps=run.steps,
        epochs=run.epochs,
        converged=run.converged,
        message=run.message,
        notes=notes,
        settings={
            "optimizer": entrant.label,
            "hyper": dict(stepper.hyper),
            "rows": rows,
            "target": table.target,
            "batch_size": batch,
            "max_steps": max_steps,
            "tol": tol,
            "seed": seed,
        },
    )


def _table(data: Any, target: Any, names: Sequence[str] | None, drop: Sequence[str], skip_missing: bool) -> Table:
    if not isinstance(data, str | os.PathLike):
        if drop or skip_missing:
            raise InputError("drop and skip_missing are for files; choose rows and columns of arrays yourself")
        return from_arrays(data, target, names)
    if not isinstance(target, str):
        raise InputError(f"target = {target!r}: with a file give the name of a column")
    if names is not None:
        raise InputError("names are for arrays; a file names its columns in the first line")
    return read_csv(Path(data), target, drop=drop, skip_missing=skip_missing)


def _kind(table: Table, model: str) -> str:
    """Linear or logistic, checked against the target."""
    if model not in ("auto", "linear", "logistic"):
        raise InputError(f"model = {model!r}: choose auto, linear or logistic")
    numeric = bool(np.issubdtype(table.y.dtype, np.number))
    values = np.unique(table.y)
    if len(values) < 2:
        raise InputError(f"target {table.target!r} is {values[0]} in every row; there is nothing to fit")
    if model == "auto":
        two = numeric and len(values) == 2 and set(values.tolist()) == {0.0, 1.0}
        model = "logistic" if two or not numeric else "linear"
    if model == "linear" and not numeric:
        text = next(value for value in table.y if not value.replace(".", "", 1).lstrip("+-").isdigit())
        raise InputError(
            f"target {table.target!r} holds text such as {str(text)!r}; use --model logistic for classes, "
            "or write numbers"
        )
    if model == "logistic" and len(values) > MAX_CLASSES:
        raise InputError(
            f"target {table.target!r} has {len(values)} different values, {MAX_CLASSES} classes are allowed; "
            "use --model linear for numbers, or another target"
        )
    return model


def _max_steps(rows: int, batch: int, steps: int | None, epochs: int | None) -> int:
    if not 1 <= batch <= rows:
        raise InputError(f"batch size {batch}: give 1 to {rows}, the number of rows")
    if steps is not None and epochs is not None:
        raise InputError(f"steps = {steps} and epochs = {epochs}: give one of them")
    for name, value in (("steps", steps), ("epochs", epochs)):
        if value is not None and value < 1:
            raise InputError(f"{name} = {value}: give 1 or more")
    if epochs is not None:
        return epochs * math.ceil(rows / batch)
    return MAX_STEPS if steps is None else steps


def _notes(table: Table, x: NDArray[np.float64]) -> list[str]:
    notes = []
    if table.skipped:
        notes.append(f"{table.skipped} rows with missing values were left out")
    constant = [name for name, column in zip(table.names, table.x.T, strict=True) if np.ptp(column) == 0]
    if constant:
        notes.append(f"constant, hence without effect: {', '.join(constant)}")
    if np.linalg.matrix_rank(x) < len(table.names) - len(constant):
        notes.append("some columns are sums or multiples of others: the coefficients are not unique")
    return notes
