"""Torch's failures that come of where tensors lie in memory and what they are: strides, sharing, lazy bits, dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch.optim")
import torch

from parity.failures import (
    CANARY,
    OURS,
    PAD,
    THEIRS,
    adagrad,
    adam,
    average_room,
    flags,
    intact,
    leaf,
    placed,
    probe,
    raised,
    refuses,
    sgd,
    step,
    unfused,
    verdict,
    within,
)

LR, BETA1 = 0.03, 0.9
EXPECTED: dict[str, Any] = {
    "Adam": adam,
    "AdamW": lambda p, grads, lr: adam(p, grads, lr=lr, weight_decay=0.01),
    "SGD": sgd,
    "Adagrad": adagrad,
}
FUSED = pytest.mark.parametrize("name", EXPECTED)


@probe()
@FUSED
@pytest.mark.filterwarnings("ignore:.*is strided")  # ours says once that it copies
def test_a_strided_parameter(name: str) -> None:
    """Every second element of a buffer, as `big[::2]` or `weight[..., 0]`; the fused kernels take it for dense."""
    start, grad = np.arange(1.0, 9.0), np.arange(-7.0, 9.0, 2.0)

    def run(module: Any) -> torch.Tensor:
        p = leaf(start, strides=(2,))
        p.grad = placed(grad)
        step(getattr(module, name)([p], lr=LR, fused=True))
        return p

    expected = EXPECTED[name](start, [grad], lr=LR)
    p = run(OURS)
    assert expected.near(p)
    assert intact(p)
    q = run(THEIRS)
    verdict(wrong=not intact(q), right=expected.near(q) and intact(q), seen=q)


@probe()
def test_an_expanded_parameter() -> None:
    """Eight elements that are one in memory: eight updates cannot be stored; the fused kernel stores them beyond."""

    def build(module: Any) -> tuple[torch.Tensor, Any]:
        p = leaf(np.full(8, 0.5), strides=(0,))
        p.grad = placed(np.ones(8))
        return p, module.Adam([p], lr=LR, fused=True)

    p, opt = build(OURS)
    refuses(opt, RuntimeError, "share memory")
    assert intact(p)
    q, opt = build(THEIRS)
    error = raised(opt.step)
    verdict(wrong=error is None and not intact(q), right=error is not None, seen=(q, error))


@probe("#106951", "#110758")
def test_a_transposed_gradient() -> None:
    """Autograd itself gives such a gradient for `(w.t() * x).sum()`; the fused kernel reads it in memory's order."""
    x = torch.arange(1.0, 13.0).reshape(4, 3)

    def run(module: Any) -> tuple[torch.Tensor, torch.Tensor]:
        w = leaf(np.ones((3, 4)))
        (w.grad,) = torch.autograd.grad((w.t() * x).sum(), w)
        assert w.grad.stride() == (1, 3)
        opt = module.Adam([w], lr=LR, fused=True)
        step(opt)
        return w, opt.state[w]["exp_avg"]

    grad = x.t().numpy()
    room = average_room(12.0, 1)
    w, moment = run(OURS)
    assert adam(np.ones((3, 4)), [grad], lr=LR).near(w)
    assert within(moment, (1 - BETA1) * grad, room)
    _, moment = run(THEIRS)
    as_it_lies = (1 - BETA1) * x.numpy().reshape(3, 4)
    verdict(wrong=within(moment, as_it_lies, room), right=within(moment, (1 - BETA1) * grad, room), seen=moment)


@probe("#126585", "#110758")
def test_a_channels_last_parameter() -> None:
    """A filter in channels-last order whose gradient comes in the usual order."""
    shape = (2, 3, 2, 2)
    grad = np.arange(1.0, 25.0).reshape(shape)

    def run(module: Any) -> tuple[torch.Tensor, torch.Tensor]:
        p = leaf(np.ones(shape), strides=(12, 1, 6, 3))
        assert p.is_contiguous(memory_format=torch.channels_last)
        p.grad = placed(grad)
        opt = module.Adam([p], lr=LR, fused=True)
        step(opt)
        return p, opt.state[p]["exp_avg"]

    room = average_room(24.0, 1)
    p, moment = run(OURS)
    assert adam(np.ones(shape), [grad], lr=LR).near(p)
    assert within(moment, (1 - BETA1) * grad, room)
    _, moment = run(THEIRS)
    as_it_lies = (1 - BETA1) * grad.reshape(2, 2, 2, 3).transpose(0, 3, 1, 2)
    verdict(wrong=within(moment, as_it_lies, room), right=within(moment, (1 - BETA1) * grad, room), seen=moment)


@probe()
def test_an_expanded_gradient() -> None:
    """`torch.autograd.grad(w.sum(), w)` is one number, expanded; the fused kernel reads on behind it."""
    (given,) = torch.autograd.grad((w := torch.ones(8, requires_grad=True)).sum(), w)
    assert given.stride() == (0,)

    def run(module: Any) -> tuple[torch.Tensor, torch.Tensor]:
        p = leaf(np.ones(8))
        p.grad = placed(np.full(8, 2.0), strides=(0,))
        opt = module.Adam([p], lr=LR, fused=True)
        step(opt)
        return p, opt.state[p]["exp_avg"]

    expected = adam(np.ones(8), [np.full(8, 2.0)], lr=LR)
    room = average_room(-CANARY, 1)
    assert PAD > 8
    p, moment = run(OURS)
    assert expected.near(p)
    assert within(moment, expected.m, average_room(2.0, 1))
    _, moment = run(THEIRS)
    beyond = (1 - BETA1) * np.array([2.0] + 7 * [CANARY])
    verdict(wrong=within(moment, beyond, room), right=within(moment, expected.m, room), seen=moment)


@probe()
@unfused
def test_a_gradient_that_is_the_parameter(flags: dict[str, bool]) -> None:
    """Half the squared norm has the parameter for its gradient; decay writes the parameter before it is read."""
    start, decay = 1.0 + np.arange(8) / 8, 0.5

    def run(module: Any) -> tuple[torch.Tensor, torch.Tensor]:
        p = leaf(start)
        p.grad = p.detach()
        opt = module.AdamW([p], lr=LR, weight_decay=decay, **flags)
        opt.step()  # not watched: it is meant to write this gradient
        return p, opt.state[p]["exp_avg"]

    expected = adam(start, [start], lr=LR, weight_decay=decay)
    room = average_room(2.0, 1)
    p, moment = run(OURS)
    assert expected.near(p)
    assert intact(p)
    assert within(moment, expected.m, room)
    _, moment = run(THEIRS)
    decayed = expected.m * (1 - LR * decay)
    verdict(wrong=within(moment, decayed, room), right=within(moment, expected.m, room), seen=moment)


@probe()
@unfused
def test_a_lazily_conjugated_gradient(flags: dict[str, bool]) -> None:
    """`x.conj()` only sets a bit; real and imaginary parts are updated as two real parameters."""
    start, x = np.ones(3, np.complex64), np.array([1 + 2j, 3 - 1j, -2 + 2j], np.complex64)

    def run(module: Any) -> tuple[torch.Tensor, BaseException | None]:
        p = leaf(start, torch.complex64)
        p.grad = placed(x, torch.complex64).conj()
        assert p.grad.is_conj()
        return p, raised(lambda: step(module.Adam([p], lr=LR, **flags)))

    parts = adam(start.view(np.float32), [x.conj().view(np.float32)], lr=LR)
    p, error = run(OURS)
    assert error is None
    assert parts.near(torch.view_as_real(p.detach()).flatten())
    q, error = run(THEIRS)
    right = error is None and parts.near(torch.view_as_real(q.detach()).flatten())
    verdict(wrong="conjugated tensors" in str(error), right=right, seen=error)


@probe()
def test_a_lazily_negated_gradient() -> None:
    """The imaginary part of a lazy conjugate has a bit for its sign."""
    x = np.array([1 + 2j, 3 - 1j, -2 + 2j], np.complex64)

    def run(module: Any) -> tuple[torch.Tensor, BaseException | None]:
        p = leaf(np.ones(3))
        p.grad = placed(x, torch.complex64).conj().imag
        assert p.grad.is_neg()
        return p, raised(lambda: step(module.Adam([p], lr=LR, fused=True)))

    expected = adam(np.ones(3), [-x.imag], lr=LR)
    p, error = run(OURS)
    assert error is None
    assert expected.near(p)
    q, error = run(THEIRS)
    verdict(wrong="negation" in str(error), right=error is None and expected.near(q), seen=error)


@probe("#191925", "#191998")
@pytest.mark.parametrize("own", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@flags
def test_a_gradient_of_another_dtype(flags: dict[str, bool], own: torch.dtype) -> None:
    """`grad_dtype` lets a gradient have its own; no torch optimizer can step on one."""
    other = torch.bfloat16 if own is torch.float32 else torch.float32
    grad = np.array([0.5, -1.25, 2.0])

    def run(module: Any) -> tuple[torch.Tensor, BaseException | None]:
        p = leaf(np.ones(3), own)
        p.grad_dtype = other
        p.grad = placed(grad, other)
        return p, raised(lambda: step(module.Adam([p], lr=LR, **flags)))

    expected = adam(np.ones(3), [grad], lr=LR)
    p, error = run(OURS)
    assert error is None
    assert p.dtype is own
    assert expected.near(p)
    q, error = run(THEIRS)
    verdict(wrong=isinstance(error, RuntimeError), right=error is None and expected.near(q), seen=error)


@probe()
@pytest.mark.parametrize("name", ["Adam", "SGD", "Adagrad"])
def test_backward_through_a_parameter_that_was_stepped(name: str) -> None:
    """Autograd refuses to use a changed tensor if it is told of the change; the fused kernels tell nothing."""

    def run(module: Any) -> tuple[BaseException | None, torch.Tensor]:
        p = leaf(np.ones(4))
        squares = (p * p).sum()
        p.grad = placed(np.ones(4))
        step(getattr(module, name)([p], lr=0.5, fused=True))
        p.grad = None
        return raised(squares.backward), p

    error, _ = run(OURS)
    assert isinstance(error, RuntimeError)
    assert "modified by an inplace operation" in str(error)
    error, p = run(THEIRS)
    stale = error is None and not torch.equal(p.grad, torch.full((4,), 2.0))
    verdict(wrong=stale, right=isinstance(error, RuntimeError), seen=(error, p.grad))


@probe()
def test_moments_of_another_shape() -> None:
    """A state of four elements for eight: the fused kernel writes the other four behind it."""

    def build(module: Any) -> tuple[torch.Tensor, Any]:
        p = leaf(np.ones(8))
        p.grad = placed(np.ones(8))
        opt = module.Adam([p], lr=LR, fused=True)
        step(opt)
        opt.state[p]["exp_avg"] = placed(np.zeros(4))
        return opt.state[p]["exp_avg"], opt

    moment, opt = build(OURS)
    refuses(opt, RuntimeError, r"\(4,\).*\(8,\)")
    assert intact(moment)
    moment, opt = build(THEIRS)
    error = raised(opt.step)
    verdict(wrong=error is None and not intact(moment), right=error is not None, seen=error)
