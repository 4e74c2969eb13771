"""Parameters in bfloat16 lose small updates, whatever the precision of Adam's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import Outcome, study
from ._bfloat16 import STEPS, TRAIN_RATE, lost, train
from ._drawing import curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)


@study(
    claim="With bfloat16 parameters a small learning rate is lost in rounding even if Adam's state is float32; "
    "float32 parameters with a bfloat16 copy for the gradients lose nothing.",
    source="common experience with 16-bit training; Micikevicius et al. 2018, Mixed precision training, section 3.1",
    criterion="The share of lost updates agrees to 0.01 with half the spacing of bfloat16, from 1e-5 (over 90 % "
    "lost) to 1e-2; at rate 1e-4 the digits' final loss is at least 1.5 times float32's in bfloat16 and within 5 % "
    "with the copy.",
    needs=("ml_dtypes",),
)
def run() -> Outcome:
    """Normal parameters and one step of known size; then the digits with a small network, state float32 throughout."""
    shares = {lr: lost(lr) for lr in RATES}
    runs = {storage: train(storage) for storage in ("float32", "bfloat16", "bfloat16 copy")}
    final = {storage: losses[-1] for storage, (losses, _) in runs.items()}
    apart = max(abs(measured - expected) for measured, expected in shares.values())
    passed = (
        apart <= 0.01
        and shares[1e-5][0] > 0.9
        and final["bfloat16"] >= 1.5 * final["float32"]
        and abs(final["bfloat16 copy"] / final["float32"] - 1) <= 0.05
    )
    finding = (
        f"Of normal parameters {shares[1e-5][0]:.1%} ignore a step of 1e-5, {shares[1e-4][0]:.1%} one of 1e-4 and "
        f"{shares[1e-2][0]:.1%} one of 1e-2, as the spacing of bfloat16 says (to {apart:.4f}). On the digits "
        f"{runs['bfloat16'][1]:.0%} of the updates are lost; final loss {final['bfloat16']:.3f} in bfloat16, "
        f"{final['bfloat16 copy']:.3f} with a bfloat16 copy of float32 parameters, {final['float32']:.3f} in float32."
    )

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        lines = {"measured": [m for m, _ in shares.values()], "half the spacing": [e for _, e in shares.values()]}
        curves(
            left,
            {name: (RATES, values) for name, values in lines.items()},
            title="Updates lost in one step",
            x="learning rate = size of the step",
            y="share of normal parameters",
            log="x",
            marker="o",
            above="half the spacing",
        )
        curves(
            right,
            {name: (np.arange(0, STEPS + 1, 50), losses) for name, (losses, _) in runs.items()},
            title=f"The digits at learning rate {TRAIN_RATE:g}",
            x="step",
            y="training loss (nats)",
            reference="float32",
            above="bfloat16 copy",
        )

    numbers: dict[str, Any] = {
        "rates": list(RATES),
        "share_lost": [measured for measured, _ in shares.values()],
        "share_below_half_spacing": [expected for _, expected in shares.values()],
        "share_lost_in_training": {storage: share for storage, (_, share) in runs.items()},
        "final_loss": final,
    }
    return Outcome(numbers, passed, finding, draw)
