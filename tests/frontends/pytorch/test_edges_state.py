"""State that users have put in: its sign, its conjugation, its format, and a whole new `state`."""

from __future__ import annotations

import gc
import weakref
from collections import defaultdict
from typing import Any

import pytest
import torch

import adamas.torch


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
