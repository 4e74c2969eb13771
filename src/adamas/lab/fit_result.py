"""What a fit found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass
class FitResult:
    """A fitted model in the units of the data.

    Attributes:
        model: "linear" or "logistic".
        names: Feature names.
        classes: Labels of the classes; empty for linear regression.
        coefficients: Shape (features,); (features, classes), centred over the classes, for three or more.
        intercept: A number, or shape (classes,).
        closed_coefficients: The same from least squares (linear) or scikit-learn without penalty (logistic).
        closed_intercept: Likewise.
        loss: At the end: mean squared error in squared units of y, or mean cross-entropy in nats.
        closed_loss: The same of the closed-form solution.
        score: R² (linear) or share of right classes (logistic), on the fitted data.
        losses: Loss before the first step and after every step (full batch) or every epoch (mini-batches).
        steps: Steps done.
        epochs: Passes over the data begun.
        converged: True if the tolerance stopped the run, or if there was none to meet.
        message: Why it stopped, in words.
        notes: What the reader should know about the data or the run.
        settings: Optimizer, hyper-parameters, batch size, tolerance, seed.
    """

    model: str
    names: list[str]
    classes: list[Any]
    coefficients: Floats
    intercept: Any
    closed_coefficients: Floats
    closed_intercept: Any
    loss: float
    closed_loss: float
    score: float
    losses: list[float]
    steps: int
    epochs: int
    converged: bool
    message: str
    notes: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    def predict(self, x: Any) -> NDArray[Any]:
        """Predicted numbers or class labels; features of shape (rows, features), or (rows,) for just one."""
        features = np.asarray(x, np.float64)
        features = features[:, None] if features.ndim == 1 else features
        z = np.asarray(features @ self.coefficients + self.intercept)
        if self.model == "linear":
            return z
        chosen = z.argmax(axis=1) if z.ndim == 2 else (z > 0).astype(int)
        return np.asarray(np.array(self.classes)[chosen])

    def to_dict(self) -> dict[str, Any]:
        """For JSON; the losses are left out (they are in losses.csv)."""
        return {k: v for k, v in asdict(self).items() if k != "losses"}
