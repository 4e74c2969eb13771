"""What the probes of torch's own failures share: memory with canaries, watched steps, NumPy's numbers, the verdict.

A probe shows the right result on ours first, then what torch does. `OPT=torch.optim` in the environment puts torch in
the place of ours, and every probe must fail.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

OURS = importlib.import_module(os.environ.get("OPT", "adamas.torch"))
THEIRS = torch.optim
VERSION = "2.13"
"""The torch that the table describes."""
REPORTS: dict[str, tuple[str, ...]] = {}
"""The reports of each probe, by the name of the test."""
CANARY, PAD = -777.0, 64
"""What lies on either side of a tensor, and how many of it: more than any kernel strays in these probes."""

flags = pytest.mark.parametrize("flags", [{}, {"foreach": True}, {"fused": True}], ids=["loop", "foreach", "fused"])
unfused = pytest.mark.parametrize("flags", [{}, {"foreach": True}], ids=["loop", "foreach"])


def probe(*reports: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Enter a test into the list that the table must agree with.

    Args:
        reports: "#12" for torch's issue 12, "owner/name#12" for another project's.
    """

    def enter(test: Callable[..., None]) -> Callable[..., None]:
        assert test.__name__ not in REPORTS
        REPORTS[test.__name__] = reports
        return test

    return enter


# -- memory ---------------------------------------------------------------------------------------------------
def placed(values: Any, dtype: torch.dtype = torch.float32, strides: Sequence[int] | None = None) -> torch.Tensor:
    """A tensor of these values amid canaries, so that a kernel that strays is seen and does no harm."""
    values = torch.as_tensor(values, dtype=dtype)
    strides = torch.empty(values.shape).stride() if strides is None else strides
    span = 1 + sum((n - 1) * s for n, s in zip(values.shape, strides, strict=True))
    buffer = torch.full((span + 2 * PAD,), CANARY, dtype=dtype)
    view = buffer.as_strided(values.shape, strides, PAD)
    if 0 in strides:
        buffer[PAD] = values.flatten()[0]
    else:
        view.copy_(values)
    return view


def leaf(values: Any, dtype: torch.dtype = torch.float32, strides: Sequence[int] | None = None) -> torch.Tensor:
    """The same as a parameter."""
    return placed(values, dtype, strides).requires_grad_()


def neighbours(t: torch.Tensor) -> torch.Tensor:
    """A copy of what lies in a tensor's storage beside its own elements."""
    whole = torch.empty(0, dtype=t.dtype).set_(t.untyped_storage())
    own = torch.arange(len(whole)).as_strided(t.shape, t.stride(), t.storage_offset())
    beside = torch.ones(len(whole), dtype=torch.bool)
    beside[own.flatten()] = False
    return whole[beside].clone()


def intact(t: torch.Tensor) -> bool:
    """Whether all canaries live."""
    return bool((neighbours(t) == CANARY).all())


# -- steps ----------------------------------------------------------------------------------------------------
class Seen(NamedTuple):
    """A parameter and its gradient at one moment."""

    version: int
    value: torch.Tensor
    beside: torch.Tensor
    grad_version: int
    grad: torch.Tensor
    beside_grad: torch.Tensor


def look(opt: torch.optim.Optimizer) -> list[Seen]:
    """At all parameters that have a gradient."""
    out = []
    for p in (p for group in opt.param_groups for p in group["params"] if p.grad is not None):
        g = p.grad._values() if p.grad.is_sparse else p.grad.detach()
        held = g.resolve_conj().resolve_neg().clone()
        out.append(Seen(p._version, p.detach().clone(), neighbours(p), g._version, held, neighbours(g)))
    return out


def alike(a: torch.Tensor, b: torch.Tensor) -> bool:
    """The same bits; NaN equals NaN."""
    return a.dtype == b.dtype and bool(torch.equal(torch.nan_to_num(a, 12345.0), torch.nan_to_num(b, 12345.0)))


def step(opt: torch.optim.Optimizer, call: Callable[[], Any] | None = None, writes_gradients: bool = False) -> Any:
    """One step. Ours is watched: versions move, and neither gradients nor anything beside the tensors is written.

    Args:
        opt: the optimizer.
        call: what steps it; default its own `step`.
        writes_gradients: whether they may be written, as GradScaler's protocol has it.
    """
    call = call or opt.step
    if type(opt) not in vars(OURS).values():
        return call()
    before = look(opt)
    result = call()
    for old, new in zip(before, look(opt), strict=True):
        assert new.version > old.version, "autograd is not told that the parameter changed"
        assert alike(new.beside, old.beside), "written beside a parameter"
        assert alike(new.beside_grad, old.beside_grad), "written beside a gradient"
        if not writes_gradients:
            assert new.grad_version == old.grad_version, "a gradient was written"
            assert alike(new.grad, old.grad), "a gradient was written"
    return result


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread: many small steps wait long for a second one where processors are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def raised(call: Callable[[], Any]) -> BaseException | None:
    """What a call raises."""
    try:
        call()
    except Exception as error:
        return error
    return None


def refuses(opt: torch.optim.Optimizer, kind: type[Exception], match: str) -> None:
    """A step of ours that raises, and leaves everything as it was."""
    before, state = look(opt), copied(opt)
    with pytest.raises(kind, match=match):
        opt.step()
    unchanged(opt, before, state)


def unchanged(opt: torch.optim.Optimizer, before: list[Seen], state: list[dict[str, Any]]) -> None:
    """Parameters, gradients, state and all that lies beside them are as before, and so are the version counters."""
    for old, new in zip(before, look(opt), strict=True):
        assert (new.version, new.grad_version) == (old.version, old.grad_version)
        assert all(alike(x, y) for x, y in zip(new, old, strict=True) if isinstance(x, torch.Tensor))
    now = copied(opt)
    assert [list(entry) for entry in now] == [list(entry) for entry in state]
    for old_entry, entry in zip(state, now, strict=True):
        assert all(alike(torch.as_tensor(entry[k]), torch.as_tensor(v)) for k, v in old_entry.items())


def copied(opt: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """The state of every parameter that has any."""
    return [
        {k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in opt.state[p].items()}
        for group in opt.param_groups
        for p in group["params"]
        if opt.state.get(p)
    ]


# -- numbers --------------------------------------------------------------------------------------------------
class Path(NamedTuple):
    """Where exact arithmetic leads, and how far from there rounding may lead (see `room`)."""

    p: Any
    m: Any
    v: Any
    steps: int
    largest: float  # step
    size: float  # of the parameter

    def room(self, dtype: torch.dtype) -> float:
        """Per step, two roundings of the parameter (the subtraction and decoupled decay) and 50 of the update.

        An update has fewer than 50 operations, bias corrections included; they are in float32 at least.
        """
        unit = torch.finfo(dtype).eps / 2
        return self.steps * (2 * unit * self.size + 50 * min(unit, 2.0**-24) * self.largest)

    def near(self, p: torch.Tensor) -> bool:
        """Whether a parameter is where it should be."""
        return within(p, self.p, self.room(p.dtype))


def within(seen: torch.Tensor, expected: Any, room: float) -> bool:
    """Whether all elements are within an absolute distance; NaN and infinities are not."""
    return bool(np.all(np.abs(seen.detach().to(torch.complex128).numpy() - np.asarray(expected)) <= room))


def average_room(largest: float, steps: int) -> float:
    """Of a running average kept in float32: up to four roundings per step, each of no more than the largest input."""
    return steps * 4 * 2.0**-24 * largest


def adam(
    p: Any,
    grads: Sequence[Any],
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    amsgrad_from: int | None = None,
    done: tuple[Any, Any, int] = (0.0, 0.0, 0),
) -> Path:
    """Kingma & Ba 2015, algorithm 1, decoupled decay (Loshchilov & Hutter 2019), in NumPy's float64.

    Args:
        p, grads: where it begins, and the gradient of every step.
        lr, betas, eps, weight_decay: as in torch.
        amsgrad_from: the step, counted from 1, from which the largest second moment is used.
        done: m, v and the count of steps to continue from.
    """
    p, (m, v, t0) = np.array(p, np.float64), done
    most, largest, size = np.zeros_like(p), 0.0, float(np.max(np.abs(p), initial=0.0))
    for t, g in enumerate((np.asarray(g, np.float64) for g in grads), t0 + 1):
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        used = v
        if amsgrad_from is not None and t >= amsgrad_from:
            used = most = np.maximum(most, v)
        update = lr * weight_decay * p + lr * m / (1 - betas[0] ** t) / (np.sqrt(used / (1 - betas[1] ** t)) + eps)
        p = p - update
        largest, size = max(largest, float(np.max(np.abs(update)))), max(size, float(np.max(np.abs(p))))
    return Path(p, m, v, len(grads), largest, size)


def sgd(p: Any, grads: Sequence[Any], lr: float, momentum: float = 0.0) -> Path:
    """Torch's momentum: the buffer begins as the first gradient."""
    p, b, largest, size = np.array(p, np.float64), 0.0, 0.0, float(np.max(np.abs(p)))
    for g in grads:
        b = momentum * b + np.asarray(g, np.float64)
        p = p - lr * b
        largest, size = max(largest, float(np.max(np.abs(lr * b)))), max(size, float(np.max(np.abs(p))))
    return Path(p, b, None, len(grads), largest, size)


def adagrad(p: Any, grads: Sequence[Any], lr: float, eps: float = 1e-10, lr_decay: float = 0.0, done: int = 0, total: Any = 0.0) -> Path:  # fmt: skip
    """Duchi et al. 2011, with torch's decay of the learning rate; `total` is the sum of squares after `done` steps."""
    p, largest, size = np.array(p, np.float64), 0.0, float(np.max(np.abs(p)))
    for t, g in enumerate((np.asarray(g, np.float64) for g in grads), done + 1):
        total = total + g * g
        update = lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(total) + eps)
        p = p - update
        largest, size = max(largest, float(np.max(np.abs(update)))), max(size, float(np.max(np.abs(p))))
    return Path(p, total, None, len(grads), largest, size)


# -- verdict --------------------------------------------------------------------------------------------------
def verdict(*, wrong: bool, right: bool, seen: object) -> None:
    """The end of a probe: what torch did.

    Args:
        wrong: it failed as the table says; then the probe passes.
        right: it did what is right; then the probe is skipped, saying so.
        seen: what it did, for the message.
    """
    assert not (wrong and right), "the probe does not tell right from wrong"
    if right:
        pytest.skip(f"torch {torch.__version__} mended this: strike the row from docs/torch-failures.md, and the probe")
    if not wrong:
        message = f"torch {torch.__version__} does neither what the table says nor what is right: {seen}"
        if torch.__version__.startswith(VERSION + "."):
            pytest.fail(message)
        pytest.skip(message)
