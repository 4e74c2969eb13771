"""Full-batch Adam sharpens its preconditioned curvature up to the edge of stability, 38/lr, and stays there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import adamas

from ..style import COLOURS, plain_log
from . import Outcome, study
from ._tanh_network import TanhNetwork
from ._terms import corrected, ratio
from ._training import label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATES = (3e-3, 6e-3, 1.2e-2)  # at 1e-3 the sharpness is still rising after 3 000 steps
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
STEPS, EVERY, HIDDEN = 3000, 100, 16
EDGE = (2 + 2 * BETA1) / (1 - BETA1)  # 38


def sharpness(network: TanhNetwork, p: Any, v: Any, t: int) -> float:
    """Largest eigenvalue of H times the effective rates of Adam over lr, the first moment's correction included."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    step_size, root_scale = corrected(t, 1.0, BETA1, BETA2, "paper")
    root = np.sqrt(ratio(step_size, 1.0, v, root_scale, EPS))  # of what Adam multiplies m and lr by
    product = network.curvature(p)
    operator = LinearOperator((p.size, p.size), matvec=lambda x: product(x.ravel() * root) * root, dtype=np.float64)
    return float(eigsh(operator, k=1, which="LA", tol=1e-3, v0=np.ones(p.size), return_eigenvectors=False)[0])


@study(
    claim="Full-batch Adam trains at the edge of stability: its preconditioned sharpness settles at 38/lr.",
    source="Cohen et al. 2022, Adaptive gradient methods at the edge of stability",
    criterion="For each of three learning rates the median of sharpness x lr over the last third of 3 000 steps is "
    "within 10 % of (2 + 2 beta1)/(1 - beta1) = 38.",
    needs=("scipy.sparse.linalg",),
)
def run() -> Outcome:
    """The digits by a small tanh network, squared error, exact Hessian products."""
    network = TanhNetwork.of_digits(HIDDEN)
    steps = list(range(EVERY, STEPS + 1, EVERY))
    curves: dict[float, list[float]] = {}
    losses: dict[float, float] = {}
    for lr in RATES:
        p = network.start(0)
        adam = adamas.Adam(lr=lr, betas=(BETA1, BETA2), eps=EPS)
        curves[lr] = []
        for step in range(1, STEPS + 1):
            adam.step({"p": p}, {"p": network.gradient(p)})
            if step % EVERY == 0:
                curves[lr].append(lr * sharpness(network, p, adam.state_dict()["state"]["p"]["v"], step))
        losses[lr] = network.loss(p)
    level = {lr: float(np.median(values[-len(values) // 3 :])) for lr, values in curves.items()}
    passed = all(abs(value / EDGE - 1) < 0.1 for value in level.values())
    finding = "Sharpness x lr over the last third: " + ", ".join(
        f"{value:.1f} at lr {lr:g} (loss {losses[lr]:.2g})" for lr, value in level.items()
    )

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for colour, (lr, values) in zip(COLOURS, curves.items(), strict=False):
            axes.semilogy(steps, values, color=colour, label=f"lr = {lr:g}")
        axes.axhline(EDGE, color="black", linewidth=0.8, linestyle="--", label="38")
        plain_log(axes.yaxis)
        label(axes, "Curvature as Adam sees it, in units of 1/lr", "step", "preconditioned sharpness x lr")

    numbers: dict[str, Any] = {
        "edge": EDGE,
        "rates": list(RATES),
        "level": [level[lr] for lr in RATES],
        "final_loss": [losses[lr] for lr in RATES],
        "steps": steps,
        "sharpness_times_lr": [curves[lr] for lr in RATES],
    }
    return Outcome(numbers, passed, finding + ".", draw)
