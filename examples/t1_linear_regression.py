"""A line fitted by Adam: full batch until the loss stands still, and mini-batches.

Run: python examples/t1_linear_regression.py [--out FOLDER]
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import adamas
from adamas import schedules

BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"  # told apart by every kind of colour vision


def squared_error(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean squared error of the line `w[0] + w[1] x` over these points, and its gradient."""
    error = w[0] + w[1] * x - y
    return float(np.mean(error**2)), 2.0 * np.array([np.mean(error), np.mean(error * x)])


def main() -> None:
    """Fits the line twice, prints both beside the closed form, and draws the losses and the fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("examples/out"), help="folder for the pictures")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    random = np.random.default_rng(0)
    x = random.uniform(0.0, 2.0, 100)
    y = 4.0 + 3.0 * x + random.normal(0.0, 1.0, 100)
    closed = np.linalg.lstsq(np.column_stack([np.ones(100), x]), y, rcond=None)[0]

    # Full batch: stop where a check shows that the loss cannot fall by more than 1e-8 any more.
    full = adamas.minimize(squared_error, [0.0, 0.0], (x, y), True, lr=0.1, steps=5000, ftol=1e-8, window=1)

    # Mini-batches: the optimizer counts the steps of all epochs; each batch, also the short last one, is
    # divided by its own size.
    epochs, size = 150, 32
    starts = range(0, len(x), size)
    optimizer = adamas.Adam(lr=schedules.cosine(0.2, steps=epochs * len(starts)))
    w, losses = np.zeros(2), [squared_error(np.zeros(2), x, y)[0]]
    for _ in range(epochs):
        order = random.permutation(len(x))
        for start in starts:
            rows = order[start : start + size]
            optimizer.step(w, squared_error(w, x[rows], y[rows])[1])
            losses.append(squared_error(w, x, y)[0])

    print(f"closed form  {closed[0]:.6f} + {closed[1]:.6f} x")
    print(f"full batch   {full.x[0]:.6f} + {full.x[1]:.6f} x   {full.nit} steps. {full.message}")
    print(f"mini-batches {w[0]:.6f} + {w[1]:.6f} x   {optimizer.t} steps of {size} points")

    figure, axes = plt.subplots(figsize=(7, 4.6), layout="constrained")
    axes.semilogy(full.losses, color=BLUE, label=f"full batch: stopped after {full.nit} steps")
    axes.semilogy(losses, "--", color=ORANGE, label=f"mini-batches of {size}: {epochs} epochs, {optimizer.t} steps")
    axes.axhline(squared_error(closed, x, y)[0], color="0.5", linewidth=0.8, label="least possible")
    axes.set(
        title="Linear regression by Adam: loss by step",
        xlabel="step",
        ylabel="mean squared error (log scale)",
    )
    axes.legend()
    figure.savefig(out / "t1_loss.png", dpi=120)

    figure, axes = plt.subplots(figsize=(7, 4.6), layout="constrained")
    axes.plot(x, y, ".", color="0.55", label="data")
    ends = np.array([0.0, 2.0])
    for name, fit, style in (
        ("closed form", closed, {"color": GREEN, "linewidth": 6, "alpha": 0.4}),
        ("Adam, full batch", full.x, {"color": BLUE}),
        ("Adam, mini-batches", w, {"color": ORANGE, "linestyle": "--"}),
    ):
        axes.plot(ends, fit[0] + fit[1] * ends, label=f"{name}: {fit[0]:.3f} + {fit[1]:.3f} x", **style)
    axes.set(title="Linear regression by Adam: fitted line", xlabel="x", ylabel="y")
    axes.legend()
    figure.savefig(out / "t1_fit.png", dpi=120)
    print(f"pictures {out / 't1_loss.png'}, {out / 't1_fit.png'}")


if __name__ == "__main__":
    main()
