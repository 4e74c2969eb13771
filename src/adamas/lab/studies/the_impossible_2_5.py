"""A printed result that its own run cannot give: 2.5 after 1000 steps of at most about 0.001."""

from __future__ import annotations

from typing import Any

import numpy as np

import adamas

from ..models import Linear
from ._declare import Outcome, study
from ._drawing import curves

LR, STEPS, PRINTED = 1e-3, 1000, 2.5


def data() -> tuple[Any, float, float]:
    """The tutorial's inputs and start as torch draws them from seed 0: x, weight, bias."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x = torch.randn(100, 1)
        layer = torch.nn.Linear(1, 1)
    return x.double().numpy(), layer.weight.item(), layer.bias.item()


def descend(model: Linear, weight: float, bias: float, steps: int) -> list[float]:
    """The weight at the start and after every step, and in `model` terms the rest."""
    params = {"weight": np.array([[weight]]), "bias": np.array([bias])}
    optimizer, seen = adamas.Adam(lr=LR), [weight]
    for _ in range(steps):
        optimizer.step(params, model.gradient(params))
        seen.append(float(params["weight"][0, 0]))
    return [*seen, float(params["bias"][0]), model.loss(params)]


@study(
    claim="After 1000 steps at lr 0.001 the fitted parameter is 2.5, close to the true 2.",
    source="principle and practice of Adam",
    criterion="From seed 0, or from any of 21 starting weights in [-1, 1], where torch draws them, the weight after "
    "1000 steps is within 0.1 of 2.5.",
    needs=("torch",),
)
def run() -> Outcome:
    """The tutorial's run in float64, from its start and others, and six times as long."""
    x, weight, bias = data()
    model = Linear(x, 2 * x[:, 0] + 1)
    *path, end_bias, loss = descend(model, weight, bias, STEPS)
    starts = np.linspace(-1.0, 1.0, 21)
    ends = [descend(model, float(w), bias, STEPS)[STEPS] for w in starts]
    long = descend(model, weight, bias, 6 * STEPS)[:-2]
    largest = float(np.abs(np.diff(path)).max())
    numbers = {
        "start": {"weight": weight, "bias": bias},
        "after_1000_steps": {"weight": path[-1], "bias": end_bias, "loss": loss},
        "largest_step_over_lr": largest / LR,
        "weights_from_other_starts": {"lowest": min(ends), "highest": max(ends)},
        "weight_after_6000_steps": long[-1],
        "largest_weight_in_6000_steps": max(long),
    }

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        curves(left, {"weight, seed 0": (range(len(long)), long)}, title="y = 2 x + 1, lr 0.001", x="step", y="weight")
        curves(right, {"1000 steps later": (starts, ends)}, title="Other starts", x="weight at the start", y="weight")
        for axis in (left, right):
            axis.axhline(PRINTED, color="#ee6677", linestyle=":", label="printed: 2.5")
            axis.legend(loc="best")
        left.axvline(STEPS, color="#228833", linestyle="--", label="1000 steps")
        left.legend(loc="best")

    finding = (
        f"The weight goes from {weight:.3f} to {path[-1]:.3f} (bias {end_bias:.3f}, loss {loss:.4f}); no step is "
        f"longer than {largest / LR:.3f} lr, so 1000 steps reach no farther than 1. From other starts it ends between "
        f"{min(ends):.2f} and {max(ends):.2f}; left alone it converges to {long[-1]:.3f}, not 2.5."
    )
    return Outcome(numbers, any(abs(end - PRINTED) <= 0.1 for end in [path[-1], *ends]), finding, draw)
