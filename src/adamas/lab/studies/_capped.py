"""Adam that knows how far each gradient exceeds its second moment, and can shorten its step by it."""

from __future__ import annotations

from typing import Any

import numpy as np

import adamas
from adamas.rules import corrected


class WatchedAdam:
    """Adam with RMS_t = sqrt(mean(g^2 / v_hat)) of each tensor, v_hat of the same step.

    Args:
        capped: Divide the rate by max(1, largest RMS_t), as StableAdamW does tensor by tensor.
        lr: Learning rate.
        hyper: Other settings of Adam.

    Attributes:
        rms: The largest RMS_t among the tensors, one per step.

    Source: Wortsman et al. 2023, Stable and low-precision training for large-scale vision-language models, section 3.
    """

    def __init__(self, *, capped: bool, lr: float, **hyper: Any) -> None:
        self.rms: list[float] = []
        self._capped, self._lr = capped, lr
        self._adam = adamas.Adam(lr=lr, **hyper)
        # v depends on the gradients alone: this one meets them first, so that v is known before the step is made
        self._ahead = adamas.Adam(**hyper)
        self._shadow: dict[str, Any] = {}  # parameters for it to move

    def step(self, params: dict[str, Any], grads: dict[str, Any]) -> None:
        """Update in place."""
        self._shadow = self._shadow or {name: np.zeros_like(p) for name, p in params.items()}
        self._ahead.step(self._shadow, grads)
        state = self._ahead.state_dict()["state"]
        root_scale = corrected(self._ahead.t, 1.0, self._ahead.beta1, self._ahead.beta2, "paper")[1]
        ratios = [np.mean(np.square(g) / (state[name]["v"] * root_scale**2 + 1e-16)) for name, g in grads.items()]
        self.rms.append(float(np.sqrt(max(ratios))))
        if self._capped:
            self._adam.lr = self._lr / max(1.0, self.rms[-1])
        self._adam.step(params, grads)

    def state_dict(self) -> dict[str, Any]:
        """State of the Adam that makes the steps."""
        return self._adam.state_dict()
