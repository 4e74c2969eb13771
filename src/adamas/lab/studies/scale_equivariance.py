"""Gradients of any size: the same path when eps is scaled along, and what a fixed eps changes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import adamas

from ..surfaces import SURFACES
from ._declare import Outcome, study
from ._drawing import curves

BOWL = SURFACES["t0-bowl"]
SCALES = (1e-8, 1e-4, 1e4, 1e8)
LR, EPS, STEPS = 0.1, 1e-8, 200
GRADIENTS = np.geomspace(1e-12, 1.0, 49)
EPSILONS = (1e-16, 1e-8, 1e-4, 1.0)


@study(
    claim="The size of Adam's steps does not depend on the size of the gradients.",
    source="Kingma & Ba 2015, section 2; eps as a knob: Choi et al. 2019, On empirical comparisons of optimizers",
    criterion="On x^2/20 + y^2 (lr 0.1, 200 steps) paths with gradients scaled by 1e-8, 1e-4, 1e4, 1e8 and eps "
    "scaled along equal the unscaled one to 1e-12 at every step. With eps = 1e-8 fixed the first step is lr |g|/(|g| "
    "+ eps) to 1e-12, half of lr where |g| = eps.",
)
def run() -> Outcome:
    """Paths with scaled gradients; the first step against the gradient's size."""
    plain = _path(1.0, EPS)
    along = {s: float(np.abs(_path(s, s * EPS) - plain).max()) for s in SCALES}
    fixed = {s: float(np.abs(_path(s, EPS) - plain).max()) for s in SCALES}
    steps = {eps: _first_steps(eps) for eps in EPSILONS}
    expected = GRADIENTS / (GRADIENTS + EPS)
    error = float(np.abs(steps[EPS] / expected - 1).max())
    half = float(_first_steps(EPS, np.array([EPS]))[0])
    numbers: dict[str, Any] = {
        "scales": list(SCALES),
        "distance_from_unscaled_path_eps_scaled_along": list(along.values()),
        "distance_from_unscaled_path_eps_fixed": list(fixed.values()),
        "first_step_over_lr_where_gradient_equals_eps": half,
        "relative_error_of_the_first_step": error,
    }
    finding = (
        f"With eps scaled along the paths agree to {max(along.values()):.0e} over 16 decades. With eps = 1e-8 fixed, "
        f"gradients 1e-4 times as large lead {fixed[1e-4]:.1e} away, 1e-8 times as large {fixed[1e-8]:.1f}; where "
        f"|g| = eps the step is {half:.3f} lr: below eps Adam is momentum with rate lr/eps, above it moves by signs."
    )

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        at = range(STEPS + 1)
        paths = {f"scale {s:g}": _path(s, EPS) for s in (1.0, 1e-6, 1e-8)}
        losses = {name: (at, BOWL.value(path.T)) for name, path in paths.items()}
        title = "eps = 1e-8, gradients scaled"
        curves(left, losses, title=title, x="step", y="x²/20 + y²", reference="scale 1", log="y")
        lines = {f"eps = {eps:g}": (GRADIENTS, size) for eps, size in steps.items()}
        title = "First step by size of the gradient"
        curves(right, lines, title=title, x="|g|", y="step / lr", reference=f"eps = {EPS:g}", log="x")
        right.set_ylim(-0.05, 1.4)
        right.legend(loc="upper center", ncols=2)

    return Outcome(numbers, max(along.values()) <= 1e-12 and error <= 1e-12 and abs(half - 0.5) <= 1e-12, finding, draw)


def _path(scale: float, eps: float) -> NDArray[np.float64]:
    """Points of shape (steps + 1, 2) where the gradient is multiplied by `scale`."""
    optimizer = adamas.Adam(lr=LR, eps=eps)
    found = adamas.minimize(
        BOWL.value, BOWL.start, jac=lambda z: scale * BOWL.gradient(z), optimizer=optimizer, steps=STEPS
    )
    path: NDArray[np.float64] = found.trajectory
    return path


def _first_steps(eps: float, gradients: NDArray[np.float64] = GRADIENTS) -> NDArray[np.float64]:
    """First step of size lr = 1 for gradients of many sizes, one coordinate each."""
    x = np.zeros_like(gradients)
    adamas.Adam(lr=1.0, eps=eps).step(x, gradients)
    return -x
