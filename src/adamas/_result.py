"""What `adamas.minimize` returns."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

CONVERGED: Final = 0
OUT_OF_STEPS: Final = 1
NOT_FINITE: Final = 2
STATE_OVERFLOW: Final = 4
STOPPED: Final = 99  # SciPy's number for a callback that raises StopIteration


class MinimizeResult(dict[str, Any]):
    """What `minimize` found: a dict with its entries as attributes, printed like SciPy's `OptimizeResult`.

    Attributes:
        x: shaped as `x0`. With `success`, the point at which every tolerance was shown to hold; otherwise the
            point with the lowest loss seen. Its loss is the lowest seen (with `gtol`, up to 2**-30 of its size).
            `x_best` is the same array.
        fun: loss at `x`.
        jac: gradient at `x`, shaped as `x0`.
        success: True only if at least one tolerance was given and all that were given hold at `x`, as `minimize`
            describes. False in every other case.
        status: 0 success, 1 all steps done, 2 loss or gradient not finite, 4 the optimizer's state overflowed,
            99 stopped by the callback.
        message: why it stopped, in words.
        nit: steps done.
        nit_best: the step that led to `x`; 0 is the start.
        nfev: calls of `fun`, those for finite differences and for checking tolerances included.
        njev: gradients taken, those for checking tolerances included.
        x_last: the last point, shaped as `x0`. For a noisy `fun` prefer it: the lowest loss is luck.
        fun_last: loss at `x_last`.
        losses: the loss at each point of the path, shape (nit + 1,).
        trajectory: the path, shape (nit + 1, n), the start first; None if it was not kept (see `record`).
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no {name!r}; it has {', '.join(self)}") from None

    __setattr__ = dict.__setitem__
    __delattr__ = dict.__delitem__

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        with np.printoptions(precision=4, threshold=10, edgeitems=2, linewidth=100 - width):
            rows = [
                f"{name:>{width}}: " + str(value).replace("\n", "\n" + " " * (width + 2))
                for name, value in self.items()
            ]
        return "\n".join(rows) or f"{type(self).__name__}()"
