"""Torch's failures of arithmetic: 16-bit state, counts in float32, derivatives, clipping, settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch.optim")
import torch

from parity.failures import (
    OURS,
    THEIRS,
    adagrad,
    adam,
    average_room,
    flags,
    intact,
    leaf,
    one_thread,
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

LOW = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])


def trained(module: Any, name: str, dtype: torch.dtype, start: Any, grads: Any, **kwargs: Any) -> tuple[Any, Any]:
    """(parameter, its state) after steps, of which the first few are watched; equal gradients keep one tensor."""
    p = leaf(start, dtype)
    opt = getattr(module, name)([p], **kwargs)
    before = None
    with one_thread():
        for k, g in enumerate(grads):
            if g is not before:
                p.grad, before = placed(g, dtype), g
            if k < 5:
                step(opt)
            else:
                opt.step()
    return p, opt.state[p]


@probe("#146542", "#120376")
@flags
def test_a_bfloat16_second_moment_freezes(flags: dict[str, bool]) -> None:
    """0.999 of a bfloat16 number rounds to that number: the second moment of torch never decays."""
    zeros, ones = np.zeros(4), np.ones(4)
    grads = [ones] + 2000 * [zeros]
    expected = adam(ones, grads).v
    room = len(grads) * 2 * 2.0**-24 * 1e-3  # at most the first value, two roundings a step
    _, state = trained(OURS, "Adam", torch.bfloat16, ones, grads, **flags)
    assert within(state["exp_avg_sq"], expected, room)
    _, state = trained(THEIRS, "Adam", torch.bfloat16, ones, grads, **flags)
    seen = state["exp_avg_sq"]
    verdict(wrong=within(seen, 1e-3, 2.0**-8 * 1e-3), right=within(seen, expected, 2.0**-7 * expected), seen=seen)


@probe()
@flags
def test_a_bfloat16_sum_stops_growing(flags: dict[str, bool]) -> None:
    """256 + 1 is 256 in bfloat16: Adagrad's sum of squares ends there, and so does its annealing."""
    ones = np.ones(40)
    grads = 300 * [ones]
    _, state = trained(OURS, "Adagrad", torch.bfloat16, ones, grads, **flags)
    assert within(state["sum"], 300.0, 0.0)
    _, state = trained(THEIRS, "Adagrad", torch.bfloat16, ones, grads, **flags)
    verdict(wrong=within(state["sum"], 256.0, 0.0), right=within(state["sum"], 300.0, 0.0), seen=state["sum"])


@probe("#147437", "#8860")
@unfused
@pytest.mark.parametrize("name", ["Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Adagrad"])
def test_a_zero_gradient_in_float16(flags: dict[str, bool], name: str) -> None:
    """eps = 1e-8 is 0 in float16, and 0/0 is NaN; the parameter should stay. RAdam divides from its sixth step on."""
    start, decay = np.array([1.0, -0.5]), {"weight_decay": 0.0} if name == "AdamW" else {}

    def run(module: Any) -> torch.Tensor:
        return trained(module, name, torch.float16, start, 7 * [np.zeros(2)], **flags, **decay)[0]

    assert within(run(OURS), start, 0.0)
    q = run(THEIRS)
    verdict(wrong=bool(q.isnan().all()), right=within(q, start, 0.0), seen=q)


@probe("#147437")
@unfused
def test_a_small_gradient_in_float16(flags: dict[str, bool]) -> None:
    """The square of 1e-4 vanishes in float16, and the step becomes infinite."""
    grads = 20 * [np.full(4, np.float16(1e-4))]

    def run(module: Any) -> torch.Tensor:
        return trained(module, "Adam", torch.float16, np.ones(4), grads, lr=0.01, **flags)[0]

    expected = adam(np.ones(4), grads, lr=0.01)
    assert expected.near(run(OURS))
    q = run(THEIRS)
    verdict(wrong=bool(torch.isinf(q).all()), right=expected.near(q), seen=q)


@probe("#147437")
@flags
def test_a_large_gradient_in_float16(flags: dict[str, bool]) -> None:
    """Its square, times 1e-3, exceeds 65504: the second moment is infinite for good, and the parameter stands still."""
    grads = [np.full(4, 20000.0)] + 20 * [np.ones(4)]

    def run(module: Any) -> tuple[torch.Tensor, Any]:
        return trained(module, "Adam", torch.float16, np.ones(4), grads, lr=0.01, **flags)

    expected = adam(np.ones(4), grads, lr=0.01)
    p, state = run(OURS)
    assert expected.near(p)
    assert within(state["exp_avg_sq"], expected.v, average_room(4e8 * 1e-3, len(grads)))
    q, state = run(THEIRS)
    verdict(wrong=bool(torch.isinf(state["exp_avg_sq"]).all()), right=expected.near(q), seen=(q, state))


@probe("#191763", "#192545")
@LOW
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_fused_sgd_in_low_precision(dtype: torch.dtype, momentum: float) -> None:
    """Whole vectors are computed and not stored; only what is left of the last one moves. No number here is rounded."""
    start, grads = np.full(67, 4.0), 2 * [np.ones(67)]
    expected = sgd(start, grads, lr=0.5, momentum=momentum)

    def run(module: Any) -> torch.Tensor:
        return trained(module, "SGD", dtype, start, grads, lr=0.5, momentum=momentum, fused=True)[0]

    p = run(OURS)
    assert within(p, expected.p, 0.0)
    assert intact(p)
    q = run(THEIRS)
    verdict(wrong=within(q[:64], start[:64], 0.0), right=within(q, expected.p, 0.0), seen=q)


@probe("#173901")
@pytest.mark.parametrize("name", ["Adam", "Adagrad"])
def test_steps_beyond_two_to_the_24(name: str) -> None:
    """A count in float32 ends there. Adagrad's learning rate depends on it."""
    start, grad, total, settings = np.ones(4), np.ones(4), 2.0**24, {"lr": 0.1}
    if name == "Adagrad":
        settings |= {"lr_decay": 1e-3}

    def run(module: Any) -> tuple[torch.Tensor, float]:
        p = leaf(start, torch.float64)
        p.grad = placed(grad, torch.float64)
        opt = getattr(module, name)([p], **settings)
        opt.state[p] = {
            "step": torch.tensor(total),
            **{key: torch.full_like(p, value) for key, value in held.items()},
        }
        for _ in range(4):
            step(opt)
        return p, float(opt.state[p]["step"])

    held = {"sum": total} if name == "Adagrad" else {"exp_avg": 0.5, "exp_avg_sq": 0.25}
    if name == "Adagrad":
        expected = adagrad(start, 4 * [grad], done=int(total), total=total, **settings)
    else:
        expected = adam(start, 4 * [grad], done=(0.5, 0.25, int(total)), **settings)
    p, count = run(OURS)
    assert count == total + 4
    assert expected.near(p)
    q, count = run(THEIRS)
    verdict(wrong=count == total, right=count == total + 4, seen=(q, count))


def tangent(module: Any, name: str, lr: float, grad: float, learn: bool = True, **kwargs: Any) -> tuple[float, ...]:
    """Derivatives of a parameter after its first step: in itself, in its gradient, and in the learning rate."""
    numbers = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (1.0, grad, lr)]
    p, g, rate = numbers
    q = p.clone()
    opt = getattr(module, name)([q], lr=rate if learn else lr, differentiable=True, **kwargs)
    q.grad = g
    opt.step()
    found = torch.autograd.grad(q, numbers if learn else numbers[:2], allow_unused=True)
    return tuple(0.0 if x is None else float(x) for x in found)


@probe("#126514", "#186444")
def test_differentiable_at_learning_rate_zero() -> None:
    """The first step of Adam is lr * g / (|g| + eps): its derivative in lr is that quotient, in g it is 0."""
    g, eps = 2.0, 0.5
    expected = (1.0, 0.0, -g / (g + eps))
    assert tangent(OURS, "Adam", 0.0, g, eps=eps) == pytest.approx(expected, abs=1e-14)  # tens of roundings of 1.1e-16
    seen = tangent(THEIRS, "Adam", 0.0, g, eps=eps)
    wrong = bool(np.isnan(seen[1]) and np.isnan(seen[2]))
    verdict(wrong=wrong, right=seen == pytest.approx(expected, abs=1e-14), seen=seen)


def nadam_slope(lr: float, eps: float) -> float:
    """Of NAdam's first step at g = 0 (Dozat 2016): both its terms, whose divisors are eps there."""
    beta, decay = 0.9, 4e-3
    one, two = (beta * (1 - 0.5 * 0.96 ** (t * decay)) for t in (1, 2))
    return -lr / eps * ((1 - one) / (1 - one) + two * (1 - beta) / (1 - one * two))


@probe("facebookresearch/higher#125")
@pytest.mark.parametrize("name", ["Adam", "NAdam", "RMSprop", "Adagrad"])
def test_differentiable_at_gradient_zero(name: str) -> None:
    """The first step is a*g / (b*|g| + eps), whose derivative at 0 is a/eps; torch differentiates the root by itself."""
    lr, eps = 0.25, 0.5
    expected = nadam_slope(lr, eps) if name == "NAdam" else -lr / eps
    slope = tangent(OURS, name, lr, 0.0, learn=False, eps=eps)[1]
    assert slope == pytest.approx(expected, rel=1e-14)
    slope = tangent(THEIRS, name, lr, 0.0, learn=False, eps=eps)[1]
    verdict(wrong=bool(np.isnan(slope)), right=slope == pytest.approx(expected, rel=1e-14), seen=slope)


RATES = {  # of the first step, at g = 2 and eps = 0.5: by how much the step grows with the learning rate
    "Adamax": 2 / (2 + 0.5),
    "RMSprop": 2 / (np.sqrt(1 - 0.99) * 2 + 0.5),
    "Adagrad": 2 / (2 + 0.5),
    "Adadelta": 2 * np.sqrt(0.5) / np.sqrt((1 - 0.9) * 4 + 0.5),
}


@probe("#141832", "#197019", "#197072")
@pytest.mark.parametrize("name", RATES)
def test_a_learned_learning_rate(name: str) -> None:
    """A learning rate with a gradient of its own: Adam and SGD take one in torch, these do not."""
    expected = pytest.approx(-RATES[name], rel=1e-14)  # tens of roundings of 1.1e-16
    assert tangent(OURS, name, 0.25, 2.0, eps=0.5)[2] == expected
    error = raised(lambda: tangent(THEIRS, name, 0.25, 2.0, eps=0.5))
    right = error is None and tangent(THEIRS, name, 0.25, 2.0, eps=0.5)[2] == expected
    verdict(wrong=isinstance(error, TypeError), right=right, seen=error)


@probe()
def test_differentiable_in_float64() -> None:
    """Torch's corrections for the beginning are powers in float32 there: 7e-6 off in the first step."""
    start, grads = np.array([1.0, 2.0]), [np.array([2.0, -0.5])]

    def run(module: Any) -> torch.Tensor:
        p = torch.tensor(start)
        p.grad = torch.tensor(grads[0])
        module.Adam([p], lr=0.25, differentiable=True).step()
        return p

    expected = adam(start, grads, lr=0.25)
    assert expected.near(run(OURS))
    q = run(THEIRS)
    off = np.abs(q.numpy() - expected.p) / 0.25
    verdict(wrong=bool((off > 1e-6).all() and (off < 1e-4).all()), right=expected.near(q), seen=off)


@probe("#56843", "#309")
def test_clipping_by_the_global_norm() -> None:
    """clip_grad_norm_ divides by the norm plus 1e-6, and writes the gradients; ours divides by the norm, and does not."""
    grads, limit = [np.array([3e-7, 0.0]), np.array([4e-7])], 1e-7
    expected = [-g * (limit / 5e-7) for g in grads]

    def run(module: Any) -> list[torch.Tensor]:
        params = [leaf(np.zeros(g.shape)) for g in grads]
        for p, g in zip(params, grads, strict=True):
            p.grad = placed(g)
        if module is OURS:
            opt = module.SGD(params, lr=1.0, clip_norm=limit)
        else:
            opt = module.SGD(params, lr=1.0)
            torch.nn.utils.clip_grad_norm_(params, limit)
        step(opt)
        if module is OURS:
            assert opt.last_grad_norm == pytest.approx(5e-7, rel=2.0**-23)
        return params

    def near(params: list[torch.Tensor], factor: float) -> bool:
        """The inputs, the norm and the product are rounded: five times 2**-24 of at most 1e-7."""
        return all(within(p, x * factor, 5 * 2.0**-24 * 1e-7) for p, x in zip(params, expected, strict=True))

    assert near(run(OURS), 1.0)
    params = run(THEIRS)
    written = not np.allclose(params[0].grad.numpy(), grads[0], rtol=1e-3, atol=0.0)
    verdict(wrong=near(params, 5e-7 / (5e-7 + 1e-6)) and written, right=near(params, 1.0), seen=params)


@probe("#134171", "#167336")
@pytest.mark.parametrize("kind", [int, np.float32], ids=["int", "float32"])
def test_betas_that_are_real_numbers(kind: Any) -> None:
    """`betas=(0, 0.99)`, as GANs have it, or numbers from NumPy: torch takes only pairs of Python floats."""
    betas = (kind(0), 0.99)
    start, grads = np.array([1.0, 2.0]), [np.array([0.5, -1.0]), np.array([-2.0, 0.25])]
    p, _ = trained(OURS, "Adam", torch.float32, start, grads, lr=0.03, betas=betas)
    expected = adam(start, grads, lr=0.03, betas=(0.0, 0.99))
    assert expected.near(p)
    error = raised(lambda: trained(THEIRS, "Adam", torch.float32, start, grads, lr=0.03, betas=betas))
    verdict(wrong="both floats" in str(error), right=error is None, seen=error)


@probe()
@pytest.mark.parametrize("lr", [float("nan"), float("inf")], ids=str)
@flags
def test_a_learning_rate_that_is_not_finite(flags: dict[str, bool], lr: float) -> None:
    """A schedule may divide by zero. Torch writes it into every parameter; ours raises, with the group's name."""

    def build(module: Any) -> tuple[torch.Tensor, Any]:
        p = leaf(np.ones(3))
        p.grad = placed(np.ones(3))
        opt = module.Adam([p], **flags)
        step(opt)
        opt.param_groups[0]["lr"] = lr
        return p, opt

    _, opt = build(OURS)
    refuses(opt, ValueError, r"param_groups\[0\]\['lr'\]=\w+ must be finite")
    q, opt = build(THEIRS)
    error = raised(opt.step)
    verdict(wrong=error is None and not q.isfinite().any(), right=error is not None, seen=(q, error))
