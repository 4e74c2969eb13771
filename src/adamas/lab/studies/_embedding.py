"""Adam on the rows of an embedding that are in use, with or without an exact catch-up of the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import adamas

from ._terms import corrected, ratio

Floats = NDArray[np.float64]
LR, BETA1, BETA2 = 0.02, 0.9, 0.999
EPS = 1e-30  # nothing beside any gradient here: the closed form holds for eps = 0


def drift(last: int) -> Floats:
    """D(t), t = 0 to `last`: how far m/sqrt(v) of step t carries a row in all later steps without gradient, in lr.

    Without gradient m falls by beta1 and sqrt(v) by sqrt(beta2) per step, so with r = beta1/sqrt(beta2) and the bias
    correction c(t) the sum over j >= 1 of r^j c(t+j) obeys D(t) = r (c(t+1) + D(t+1)); k steps move a row by
    D(t) - r^k D(t+k).
    """
    fall, far = BETA1 / BETA2**0.5, last + 1000
    correction = corrected(np.arange(1.0, far + 1), 1.0, BETA1, BETA2, "folded")[0]
    sums = np.empty(far + 1)
    sums[far] = correction[-1] * fall / (1 - fall)
    for t in range(far - 1, -1, -1):
        sums[t] = fall * (correction[t] + sums[t + 1])
    return sums[: last + 1]


class Rows:
    """An embedding of which Adam touches the rows in use only.

    Args:
        rows, width: Shape of the embedding, which starts at 0.
        steps: Most steps.
    """

    def __init__(self, rows: int, width: int, steps: int) -> None:
        self.p, self.m, self.v = (np.zeros((rows, width)) for _ in range(3))
        self.last = np.zeros(rows, np.intp)
        self.t, self.touched = 0, 0
        self.drift = drift(steps)
        self.adam = adamas.Adam(lr=LR, betas=(BETA1, BETA2), eps=EPS)
        self.adam.step({"rows": np.zeros((1, width))}, {"rows": np.zeros((1, width))})
        self.saved = self.adam.state_dict()

    def missed_way(self, rows: NDArray[np.intp]) -> Floats:
        """What the dense rule would have subtracted from rows since their last step."""
        missed = (self.t - self.last[rows])[:, None]
        way = self.drift[self.last[rows]][:, None] - (BETA1 / BETA2**0.5) ** missed * self.drift[self.t]
        lost: Floats = ratio(LR * way, self.m[rows], self.v[rows], 1, EPS)
        return lost

    def catch_up(self, rows: NDArray[np.intp]) -> None:
        """Bring rows to what the dense rule would have made of them by now; without it they stay frozen."""
        missed = (self.t - self.last[rows])[:, None]
        self.p[rows] -= self.missed_way(rows)
        self.m[rows] *= BETA1**missed
        self.v[rows] *= BETA2**missed
        self.last[rows] = self.t

    def step(self, rows: NDArray[np.intp], grads: Floats) -> None:
        """One step of the rule on these rows."""
        part = {"rows": self.p[rows]}
        state = {"rows": {"m": self.m[rows], "v": self.v[rows]}}
        self.adam.load_state_dict({**self.saved, "t": self.t, "state": state})
        self.adam.step(part, {"rows": grads})
        after = self.adam.state_dict()["state"]["rows"]
        self.p[rows], self.m[rows], self.v[rows] = part["rows"], after["m"], after["v"]
        self.t += 1
        self.last[rows] = self.t
        self.touched += len(rows)
