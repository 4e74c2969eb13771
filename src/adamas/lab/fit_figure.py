"""The loss curve of a fit."""

from __future__ import annotations

from pathlib import Path

from .fit_result import FitResult
from .style import INK, canvas, save, style


def loss_curve(result: FitResult, path: Path) -> list[Path]:
    """Draw the loss over steps (or epochs) with the closed form's loss as a line; PATH.png and PATH.svg."""
    settings = result.settings
    full = settings["batch_size"] >= settings["rows"]
    with style():
        figure, axes = canvas(7.0, 4.2)
        axis = axes[0, 0]
        axis.plot(range(len(result.losses)), result.losses, color="#4477aa", label=settings["optimizer"])
        axis.axhline(
            result.closed_loss,
            color=INK,
            linestyle=(0, (5, 2)),
            linewidth=1,
            label="least squares" if result.model == "linear" else "scikit-learn, no penalty",
        )
        lowest = min(result.closed_loss, *result.losses)
        if lowest > 0 and result.losses[0] / lowest > 20:
            axis.set_yscale("log")
        axis.set_title(f"{settings['target']}: {result.model} regression by {settings['optimizer']}")
        axis.set_xlabel("step" if full else f"epoch (batches of {settings['batch_size']})")
        axis.set_ylabel("mean squared error" if result.model == "linear" else "mean cross-entropy (nats)")
        axis.legend(loc="best")
        return save(figure, path)
