"""State that users have put in: its sign, its conjugation, its format, and a whole new `state`."""

from __future__ import annotations

import gc
import weakref
from collections import defaultdict
from typing import Any

import pytest
import torch

import adamas.torch

F64 = torch.float64


def made(name: str, dtype: torch.dtype = torch.float32, **settings: Any) -> tuple[Any, torch.nn.Parameter]:
    torch.manual_seed(0)
    p = torch.nn.Parameter(torch.randn(7, dtype=dtype))
    p.grad = torch.randn(7, dtype=dtype)
    return getattr(adamas.torch, name)([p], lr=0.01, **settings), p


def equal_after(steps: int, opt: Any, p: torch.Tensor, other: Any, q: torch.Tensor) -> bool:
    for _ in range(steps):
        opt.step()
        other.step()
    state = zip(opt.state[p].values(), other.state[q].values(), strict=True)
    return torch.equal(p, q) and all(torch.equal(a, b) for a, b in state)


@pytest.mark.parametrize("lane", ["native", "operations"])
@pytest.mark.parametrize("key", ["exp_avg", "exp_avg_sq", "step"])
def test_state_with_the_negative_bit(key: str, lane: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory holds the numbers with the other sign."""
    if lane == "operations":
        monkeypatch.setattr("adamas.torch._lanes.KERNEL_DEVICES", set())
    (opt, p), (calm, q) = made("AdamW", nonfinite="raise"), made("AdamW", nonfinite="raise")
    assert equal_after(3, opt, p, calm, q)
    opt.state[p][key] = torch._neg_view(-opt.state[p][key])
    assert equal_after(3, opt, p, calm, q)
    assert opt.paths == {lane: 1}


@pytest.mark.parametrize("key", ["exp_avg", "exp_avg_sq"])
@pytest.mark.parametrize("view", ["conjugated", "conjugated and negative", "imaginary part"])
def test_complex_state_that_is_a_view(key: str, view: str) -> None:
    (opt, p), (calm, q) = made("AdamW", torch.complex64), made("AdamW", torch.complex64)
    assert equal_after(3, opt, p, calm, q)
    held = opt.state[p][key]
    lazy = {
        "conjugated": lambda: held.conj().resolve_conj().conj(),
        "conjugated and negative": lambda: torch._neg_view((-held.conj()).resolve_conj().conj()),
        "imaginary part": lambda: torch.complex(held.real, -held.imag).conj(),
    }[view]()
    assert lazy.is_conj()
    opt.state[p][key] = lazy
    assert equal_after(3, opt, p, calm, q)


def test_real_state_that_is_a_part_of_a_conjugated_tensor() -> None:
    (opt, p), (calm, q) = made("AdamW"), made("AdamW")
    assert equal_after(3, opt, p, calm, q)
    held = opt.state[p]["exp_avg"]
    part = torch.complex(torch.zeros_like(held), -held).conj().imag
    assert part.is_neg()
    opt.state[p]["exp_avg"] = part
    assert equal_after(3, opt, p, calm, q)


@pytest.mark.parametrize("new", [dict, lambda: defaultdict(dict)], ids=["dict", "defaultdict"])
@pytest.mark.parametrize("name", ["AdamW", "Lion"])
def test_a_new_state_frees_the_old_one_at_once(name: str, new: Any) -> None:
    (opt, p), (calm, q) = made(name), made(name)
    assert equal_after(3, opt, p, calm, q)
    held = [weakref.ref(t) for t in opt.state[p].values() if isinstance(t, torch.Tensor)]
    gc.collect()
    gc.disable()
    try:
        opt.state = new()
        assert held
        assert [ref() for ref in held] == [None] * len(held)
    finally:
        gc.enable()
    fresh = getattr(adamas.torch, name)([q], lr=0.01)
    assert equal_after(3, opt, p, fresh, q)


def test_an_optimizer_without_a_state_says_so() -> None:
    opt = adamas.torch.AdamW.__new__(adamas.torch.AdamW)
    assert not hasattr(opt, "state")


ON = [("AdamW", {}, 300.0, 3e4), ("SGD", {"momentum": 0.9}, 6e4, 6.6e4), ("Adagrad", {}, 200.0, 300.0)]
"""Class, settings, a gradient that float16 state can take (of Adagrad and SGD after one of 1) and one that it cannot."""


@pytest.mark.parametrize("lane", ["native", "operations"])
@pytest.mark.parametrize(("name", "settings", "small", "large"), ON, ids=[case[0] for case in ON])
def test_float16_state_does_not_overflow_unseen(
    name: str, settings: dict[str, Any], small: float, large: float, lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it comes from a run of torch.optim with float16 parameters."""
    if lane == "operations":
        monkeypatch.setattr("adamas.torch._lanes.KERNEL_DEVICES", set())

    def begun(nonfinite: str) -> tuple[Any, torch.nn.Parameter]:
        opt, p = made(name, nonfinite=nonfinite, clip_norm=1e30, **settings)  # an extra: not torch's own step
        p.grad = torch.ones(7)
        opt.step()
        for key, held in list(opt.state[p].items()):
            if held.dim():
                opt.state[p][key] = held.half()
        return opt, p

    def step(opt: Any, p: torch.nn.Parameter, grad: float) -> None:
        p.grad = torch.full((7,), grad)
        opt.step()

    def finite(opt: Any, p: torch.nn.Parameter) -> bool:
        return all(bool(torch.isfinite(t).all()) for t in opt.state[p].values())

    for grad, fits in ((small, True), (large, False)):
        opt, p = begun("propagate")
        step(opt, p, grad)
        assert finite(opt, p) == fits
        assert opt.counters["overflow"] == (not fits)
        assert opt.paths == {lane: 1}

        opt, p = begun("skip")
        step(opt, p, grad)
        assert opt.last_step_skipped != fits
        assert finite(opt, p)
        assert opt.counters["overflow"] == (not fits)
        for _ in range(2):  # the plan is kept now
            step(opt, p, 0.5)
        step(opt, p, large)
        assert opt.last_step_skipped
        assert finite(opt, p)

        opt, p = begun("raise")
        before = [t.clone() for t in (p, *opt.state[p].values())]
        if fits:
            step(opt, p, grad)
            continue
        with pytest.raises(FloatingPointError, match="a state slot would overflow"):
            step(opt, p, grad)
        assert all(map(torch.equal, before, (p, *opt.state[p].values())))


def test_float32_state_of_a_float64_parameter() -> None:
    """It is float32 that overflows, though the step is computed in float64."""
    opt, p = made("AdamW", F64, nonfinite="skip")
    p.grad = torch.ones(7, dtype=F64)
    opt.step()
    for key, held in list(opt.state[p].items()):
        if held.dim():
            opt.state[p][key] = held.float()
    for grad, skipped in ((1e10, False), (1e22, True), (1e30, True), (1.0, False)):
        p.grad = torch.full((7,), grad, dtype=F64)
        opt.step()
        assert opt.last_step_skipped == skipped
        assert torch.isfinite(opt.state[p]["exp_avg_sq"]).all()


def test_bfloat16_state_counts_what_its_rounding_makes_infinite() -> None:
    """The largest float32 is beyond the largest bfloat16."""
    opt, p = made("SGD", momentum=1.0)
    p.grad = torch.zeros(7)
    opt.step()
    opt.state[p]["momentum_buffer"] = torch.full((7,), torch.finfo(torch.bfloat16).max).bfloat16()
    p.grad = torch.full((7,), 9e35)  # the sum, 3.398e38, is finite in float32 and rounds to infinity
    opt.step()
    assert torch.isinf(opt.state[p]["momentum_buffer"]).all()
    assert opt.counters["overflow"] == 1


@pytest.mark.parametrize("coalesced", [False, True])
@pytest.mark.parametrize("part", ["_indices", "_values"])
@pytest.mark.parametrize("name", ["SparseAdam", "SGD", "Adagrad"])
def test_freed_memory_of_a_sparse_gradient_is_refused(name: str, part: str, coalesced: bool) -> None:
    p = torch.nn.Parameter(torch.ones(6, 3))
    opt = getattr(adamas.torch, name)([p], lr=0.1)
    for freed in (False, True):
        grad = torch.sparse_coo_tensor(torch.tensor([[4, 1]]), torch.ones(2, 3), (6, 3), check_invariants=True)
        p.grad = grad.coalesce() if coalesced else grad
        before = p.detach().clone()
        if freed:
            getattr(p.grad, part)().untyped_storage().resize_(0)
            with pytest.raises(RuntimeError, match=r"its gradient needs .* bytes of its storage, which holds 0"):
                opt.step()
        else:
            opt.step()
        assert torch.equal(p, before) == freed
