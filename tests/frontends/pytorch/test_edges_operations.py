"""Steps made of torch's operations, at the edges: norms beyond the range of squares, shared elements.

There is no device here that our kernels do not reach, so the set of those that they reach is emptied; the kernels' own
steps are what these are compared with.
"""

from __future__ import annotations

import pytest
import torch

import adamas.torch
from adamas.torch import _lanes

@pytest.fixture
def no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have our kernels reach no device."""
    monkeypatch.setattr(_lanes, "KERNEL_DEVICES", set())
    monkeypatch.setattr("adamas.torch._optimizer.KERNEL_DEVICES", set())


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
@pytest.mark.parametrize("size", [1e-320, 1e-200, 1.0, 3e200, 1e307])
def test_norms_whose_squares_no_number_holds(size: float, dtype: torch.dtype, no_kernels: None) -> None:
    """Three elements of 1, 2 and 2 times a size have the norm 3 times that size; 2 ulp, since one product rounds.

    Denormal numbers hold fewer digits: of them the product itself is compared.
    """
    p = torch.zeros(3, dtype=dtype, requires_grad=True)
    factors = torch.tensor([1.0, 2.0, 2.0], dtype=torch.float64)
    p.grad = (factors * size).to(dtype)
    opt = adamas.torch.SGD([p], lr=1.0, clip_norm=1.5)
    opt.step()
    norm = float(p.grad.abs().to(torch.float64).div(size).square().sum().sqrt()) * size
    assert opt.paths == {"operations": 1}
    assert opt.last_grad_norm == pytest.approx(norm, rel=4e-16, abs=5e-324)
    if size > 1:
        assert torch.allclose(p.detach().abs().to(torch.float64), factors / 2, rtol=1e-15, atol=0)


@pytest.mark.parametrize("bad", [torch.inf, torch.nan])
def test_norms_that_are_not_finite(bad: float, no_kernels: None) -> None:
    p = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    p.grad = torch.tensor([1.0, bad, 2.0], dtype=torch.float64)
    opt = adamas.torch.SGD([p], lr=1.0, clip_norm=1.0, nonfinite="skip")
    opt.step()
    assert opt.last_step_skipped
    assert not p.any()


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("layout", ["expanded", "windows"])
@pytest.mark.parametrize("gradient", ["dense", "sparse"])
def test_elements_that_share_memory_are_refused(
    gradient: str, layout: str, kernels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On every path of ours, before anything is changed, also where another parameter could be stepped."""
    if not kernels:
        monkeypatch.setattr(_lanes, "KERNEL_DEVICES", set())
        monkeypatch.setattr("adamas.torch._optimizer.KERNEL_DEVICES", set())
    first = torch.ones(4, 2, requires_grad=True)
    memory = torch.ones(8)
    bad = memory[:2].expand(4, 2) if layout == "expanded" else memory.as_strided((4, 2), (1, 1))
    bad.requires_grad_()
    for p in (first, bad):
        p.grad = torch.ones(4, 2)
        if gradient == "sparse":
            p.grad = p.grad.to_sparse(1)
    opt = adamas.torch.Adagrad([first, bad], lr=0.1, clip_norm=1.0)
    before = {key: torch.as_tensor(value).clone() for key, value in opt.state[first].items()}
    with pytest.raises(RuntimeError, match=r"params'\]\[1\] has elements that share memory"):
        opt.step()
    assert (first == 1).all()
    assert (memory == 1).all()
    assert all(torch.equal(torch.as_tensor(opt.state[first][key]), value) for key, value in before.items())
