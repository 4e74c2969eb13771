"""Steps made of torch's operations, at the edges: sparse gradients, norms beyond the range of squares, shared elements.

There is no device here that our kernels do not reach, so the set of those that they reach is emptied; the kernels' own
steps are what these are compared with.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

import adamas.torch
from adamas.torch import _lanes

SPARSE = {
    "SparseAdam": {"betas": (0.8, 0.95), "eps": 1e-6},
    "SparseAdamW": {"betas": (0.8, 0.95), "weight_decay": 0.1},
    "Adagrad": {"lr_decay": 0.1, "initial_accumulator_value": 0.2},
    "SGD": {"maximize": True},
}
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.complex64]
CASES = [(n, d) for n in SPARSE for d in DTYPES if not (d.is_complex and n.startswith("SparseAdam"))]  # as torch's
EXTRAS: list[dict[str, Any]] = [{"clip_norm": 0.5}, {"clip_norm": 1e6, "nonfinite": "raise"}, {"nonfinite": "skip"}]


@pytest.fixture
def no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have our kernels reach no device."""
    monkeypatch.setattr(_lanes, "KERNEL_DEVICES", set())
    monkeypatch.setattr("adamas.torch._optimizer.KERNEL_DEVICES", set())


def sparse(step: int, p: torch.Tensor, indexed: int) -> torch.Tensor:
    """A gradient of some rows, one of them twice; `indexed` dimensions of the parameter are sparse."""
    g = torch.Generator().manual_seed(step)
    count = 1 if step == 2 else 5
    rows = torch.stack([torch.randint(0, n, (count,), generator=g) for n in p.shape[:indexed]])
    rows[:, -1] = rows[:, 0]
    values = torch.randn((count, *p.shape[indexed:]), generator=g, dtype=p.dtype)
    return torch.sparse_coo_tensor(rows, values, p.shape, check_invariants=True)


def train(name: str, extra: dict[str, Any], p: torch.Tensor, indexed: int, steps: int = 5) -> Any:
    opt = getattr(adamas.torch, name)([p], lr=0.1, **SPARSE[name], **extra)
    for step in range(steps):
        p.grad = sparse(step, p, indexed)
        if step == 3 and extra.get("nonfinite") == "skip":
            p.grad._values()[0] = torch.inf
        opt.step()
    return opt


@pytest.mark.parametrize(("name", "dtype"), CASES, ids=str)
@pytest.mark.parametrize("indexed", [1, 2])
@pytest.mark.parametrize("extra", EXTRAS, ids=str)
def test_sparse_gradients_without_a_kernel(
    name: str, extra: dict[str, Any], indexed: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the rows that a gradient has are stepped, to the same parameters, state and norm as by the kernel.

    torch divides by numbers as a product with the reciprocal, and its norm may differ in the last bit: in each of five
    steps of 0.1 at most some four roundings of eps, and one more of a parameter below 4 where it is stored. Adagrad's
    sums stay below 8; where torch keeps them in bfloat16, each step rounds them by up to 2 eps.
    """
    eps = torch.finfo(dtype).eps
    start = torch.randn(9, 3, 2, generator=torch.Generator().manual_seed(9), dtype=dtype)
    ours, theirs = (start.clone().requires_grad_() for _ in range(2))
    kernel = train(name, extra, ours, indexed)
    monkeypatch.setattr(_lanes, "KERNEL_DEVICES", set())
    monkeypatch.setattr("adamas.torch._optimizer.KERNEL_DEVICES", set())
    operations = train(name, extra, theirs, indexed)
    assert kernel.paths == {"rows": 1}
    assert operations.paths == {"operations": 1}
    assert torch.allclose(ours, theirs, rtol=0, atol=6 * eps)
    assert not torch.allclose(ours, start, rtol=0, atol=0.01)
    for key, value in kernel.state[ours].items():
        other = torch.as_tensor(operations.state[theirs][key])
        value = torch.as_tensor(value)
        assert torch.allclose(value, other.to(value.dtype), rtol=0, atol=10 * eps), key
    assert kernel.counters == operations.counters
    assert kernel.counters["skipped"] == (extra.get("nonfinite") == "skip")
    if "clip_norm" in extra:
        assert operations.last_grad_norm == pytest.approx(kernel.last_grad_norm, rel=1e-14)


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
