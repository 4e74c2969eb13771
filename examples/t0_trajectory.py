"""The path of Adam over the contours of f(x, y) = x^2/20 + y^2, from (-7, 2) in 30 steps.

Run: python examples/t0_trajectory.py [--out FOLDER]
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import adamas

BLUE, VERMILION = "#0072B2", "#D55E00"  # told apart by every kind of colour vision


def loss(x: np.ndarray) -> float:
    """The valley: twenty times flatter along x than along y."""
    return float(x[0] ** 2 / 20.0 + x[1] ** 2)


def gradient(x: np.ndarray) -> np.ndarray:
    """Its gradient."""
    return np.array([x[0] / 10.0, 2.0 * x[1]])


def main() -> None:
    """Runs Adam and draws its path."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("examples/out"), help="folder for the picture")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    # compat="folded": eps stands beside sqrt(v) before its correction, with the 1e-7 usual for that form.
    result = adamas.minimize(
        loss, [-7.0, 2.0], jac=gradient, optimizer="adam", lr=0.3, eps=1e-7, compat="folded", steps=30
    )
    path = result.trajectory

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    x, y = np.meshgrid(np.linspace(-10, 10, 401), np.linspace(-4, 4, 321))
    lines = axes.contour(x, y, x**2 / 20 + y**2, levels=[0.05, 0.2, 0.5, 1, 2, 4, 7, 11], colors="0.7", linewidths=0.8)
    axes.clabel(lines, fmt="%g", fontsize=8)
    axes.plot(*path.T, "o-", color=BLUE, markersize=4, linewidth=1.5, label="Adam, one mark per step")
    axes.plot(*path[0], "s", color=VERMILION, markersize=9, label="start (-7, 2)")
    axes.plot(
        *path[-1],
        "D",
        color=VERMILION,
        markersize=8,
        label=f"after 30 steps ({path[-1, 0]:.3f}, {path[-1, 1]:.3f})",
    )
    axes.plot(0, 0, "k+", markersize=13, markeredgewidth=2, label="minimum (0, 0)")
    axes.set(title="Adam on f(x, y) = x²/20 + y² (lr = 0.3, 30 steps)", xlabel="x", ylabel="y")
    axes.legend(loc="lower left", fontsize=9, framealpha=1.0)
    figure.savefig(out / "t0_trajectory.png", dpi=120)

    print(f"end ({result.x_last[0]:.12f}, {result.x_last[1]:.12f})  f {result.fun_last:.12f}")
    print(f"picture {out / 't0_trajectory.png'}")


if __name__ == "__main__":
    main()
