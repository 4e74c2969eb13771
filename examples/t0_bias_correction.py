"""Adam with and without its bias correction, on f(x) = |x|^2 / 2 from (3, -2) in 100 steps.

The uncorrected form is a rule of one's own: a function of one element, and nothing else, makes an optimizer.

Run: python examples/t0_bias_correction.py [--out FOLDER]
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import adamas
from adamas.rules import sqrt

BLUE, ORANGE = "#0072B2", "#E69F00"  # told apart by every kind of colour vision


@adamas.rule
def uncorrected(p, g, m, v, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):  # type: ignore[no-untyped-def]
    """Adam without bias correction."""
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    return p - lr * m / (sqrt(v) + eps), m, v


def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
    """A round bowl, and its gradient."""
    return 0.5 * float(x @ x), x


def main() -> None:
    """Runs both and draws their parameters and losses side by side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("examples/out"), help="folder for the picture")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    runs = {
        "corrected (Adam)": (BLUE, "-", adamas.Adam(lr=0.1)),
        "uncorrected": (ORANGE, "--", adamas.optimizer(uncorrected)(lr=0.1)),
    }
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4.6), layout="constrained")
    for name, (colour, dashes, optimizer) in runs.items():
        result = adamas.minimize(loss, [3.0, -2.0], jac=True, optimizer=optimizer, steps=100)
        strides = np.abs(np.diff(result.trajectory, axis=0))
        left.plot(*result.trajectory.T, dashes, marker=".", markersize=4, color=colour, label=name)
        for i, width in enumerate((2.0, 1.0)):
            middle.plot(result.trajectory[:, i], dashes, color=colour, linewidth=width, label=f"x{'₁₂'[i]}, {name}")
        right.semilogy(result.losses, dashes, color=colour, label=name)
        print(f"{name:16} end ({result.x_last[0]:+.12f}, {result.x_last[1]:+.12f})", end="  ")
        print(f"first step {strides[0, 0]:.7f}  largest step {strides.max():.7f}")
    left.plot(3, -2, "ks", markersize=7, label="start (3, -2)")
    left.plot(0, 0, "k+", markersize=12, markeredgewidth=2, label="minimum (0, 0)")
    left.set(title="Path of the parameters", xlabel="x₁", ylabel="x₂")
    middle.axhline(0.0, color="0.6", linewidth=0.8)
    middle.set(title="Parameters by step", xlabel="step", ylabel="value")
    right.set(title="Loss by step", xlabel="step", ylabel="loss |x|²/2 (log scale)")
    for axes in (left, middle, right):
        axes.legend(fontsize=9)
    figure.suptitle("Adam with and without bias correction: f(x) = |x|²/2, lr = 0.1, 100 steps")
    figure.savefig(out / "t0_bias_correction.png", dpi=120)
    print(f"picture {out / 't0_bias_correction.png'}")


if __name__ == "__main__":
    main()
