"""What torch's tests ask of sparse gradients and of complex parameters."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from frontends.pytorch.contract import INFOS, advance, assert_same, each, flagged, over, parameters, settings

COMPLEX = [info for info in INFOS if info.supports_complex]
SPARSE = [info for info in INFOS if info.supports_sparse or info.only_supports_sparse_grads]


def rosenbrock(p: torch.Tensor) -> torch.Tensor:
    """The banana-shaped valley; its least value is at (1, 1)."""
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


@over(SPARSE)
@pytest.mark.parametrize("scheduled", [False, True], ids=["constant", "scheduled"])
@pytest.mark.parametrize("maximize", [False, True], ids=["minimize", "maximize"])
def test_sparse_gradients(info: Any, scheduled: bool, maximize: bool) -> None:
    """Along one coordinate by turns, gradients sparse and uncoalesced: downhill, and each step as if dense."""
    kwargs, makers = info.metadata_for_sparse
    start = torch.tensor([1.5, 1.5])
    sparse, dense = start.clone(), start.clone()
    both = [(sparse, True)] + ([] if info.only_supports_sparse_grads else [(dense, False)])
    opts = [info.optim_cls([p], **{**kwargs, "maximize": maximize}) for p, _ in both]
    schedulers = [make(o) for make in makers for o in opts if scheduled]
    for k in range(400):
        x, y = sparse.tolist()
        slope = (-400 * x * (y - x * x) - 2 * (1 - x), 200 * (y - x * x))[k % 2]
        half = torch.tensor(slope) / 2  # the sum of two halves is exact
        g = torch.sparse_coo_tensor(torch.tensor([[k % 2, k % 2]]), torch.stack([half, half]), (2,))
        for opt, (p, is_sparse) in zip(opts, both, strict=True):
            p.grad = g if is_sparse else g.to_dense()
            opt.step()
        advance(schedulers, rosenbrock(sparse))
        if len(opts) == 2:
            torch.testing.assert_close(sparse, dense, rtol=4 * 2.0**-24, atol=0)  # two roundings on either side
            dense.copy_(sparse)
        if maximize and k == 20:  # soon infinite
            break
    first, last = float(rosenbrock(start)), float(rosenbrock(sparse))
    assert last > first if maximize else last < first / 10


@over(COMPLEX)
def test_a_complex_number_is_two_real_ones(info: Any) -> None:
    """A complex parameter, its state and its twin with a last dimension of 2 hold the same bits."""

    def body(kwargs: dict[str, Any]) -> None:
        (z,) = parameters((5, 17), dtype=torch.complex64)
        real = torch.view_as_real(z).clone()
        one, two = info.optim_cls([z], **kwargs), info.optim_cls([real], **kwargs)
        for k in range(3):
            z.grad = parameters((5, 17), dtype=torch.complex64, seed=k)[0]
            real.grad = torch.view_as_real(z.grad).clone()
            one.step(), two.step()
            assert_same(torch.view_as_real(z), real)
            assert one.state[z].keys() == two.state[real].keys()
            for a, b in zip(one.state[z].values(), two.state[real].values(), strict=True):
                if isinstance(a, torch.Tensor) and a.is_complex():
                    a = torch.view_as_real(a)
                assert_same(a, b)

    each(flagged(info, ("foreach", "differentiable")), body)  # torch's fused refuses complex numbers


@over(COMPLEX)
def test_complex_descent_is_descent_in_two_real_parameters(info: Any) -> None:
    """Parameters, gradients, losses and states agree along ten steps of a function of complex numbers."""

    def value(z: torch.Tensor) -> torch.Tensor:
        return (z[0] - 1).abs().square() + 100 * (z[1] - z[0] * z[0]).abs().square()

    def body(kwargs: dict[str, Any]) -> None:
        (z,) = parameters((2,), dtype=torch.complex64)
        z.requires_grad_()
        parts = [part.detach().clone().requires_grad_() for part in (z.real, z.imag)]
        one, two = info.optim_cls([z], **kwargs), info.optim_cls(parts, **kwargs)
        for _ in range(10):
            one.zero_grad(), two.zero_grad()
            losses = value(z), value(torch.complex(*parts))
            for loss in losses:
                loss.backward()
            assert_same(*losses)
            assert_same([z.grad.real, z.grad.imag], [part.grad for part in parts])
            one.step(), two.step()
            assert_same([z.real, z.imag], parts)
            for key, whole in one.state[z].items():
                if isinstance(whole, torch.Tensor) and whole.is_complex():
                    assert_same([whole.real, whole.imag], [two.state[part][key] for part in parts])

    each(settings(info), body)
