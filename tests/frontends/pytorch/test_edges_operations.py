"""Steps made of torch's operations, at the edges: shared elements.

There is no device here that our kernels do not reach, so the set of those that they reach is emptied; the kernels' own
steps are what these are compared with.
"""

from __future__ import annotations

import pytest
import torch

import adamas.torch
from adamas.torch import _lanes

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
