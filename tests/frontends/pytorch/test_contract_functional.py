"""The tests of torch's `test_functional_optim.py`, by their names: steps that are given gradients, not optimizers.

Torch's distributed training looks up a functional optimizer by the class that the user named. It has those for its own
classes and lets others be registered; ours can be registered, with torch's functional class or one around ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from frontends.pytorch.contract import MODULE, assert_same, each_upstream, parameters

utils = pytest.importorskip("torch.distributed.optim.utils")

STEPS = 10
PARITY: dict[str, tuple[str, dict[str, Any]]] = {
    "test_functional_optim_parity_sgd": ("SGD", {"lr": 0.03125, "momentum": 0.75, "weight_decay": 0.0625}),
    "test_functional_optim_parity_adam": ("Adam", {"lr": 0.03125, "betas": (0.75, 0.9375), "eps": 1e-6}),
    "test_functional_optim_parity_adam_w": ("AdamW", {"lr": 0.03125, "betas": (0.75, 0.9375), "eps": 1e-6}),
}


class Functional:
    """What torch asks of a functional optimizer, by an optimizer of ours for each parameter."""

    def __init__(self, params: list[torch.Tensor], cls: Any, _allow_empty_param_list: bool = False, **kwargs: Any):
        self.make = lambda p: cls([p], **kwargs)
        self.opts: dict[torch.Tensor, Any] = {p: self.make(p) for p in params}

    def step_param(self, param: torch.Tensor, grad: torch.Tensor | None) -> None:
        if param not in self.opts:
            self.opts[param] = self.make(param)
        kept, param.grad = param.grad, grad
        self.opts[param].step()
        param.grad = kept


@pytest.fixture
def registry() -> Iterator[dict[Any, Any]]:
    """Torch's map, which is put back."""
    before = dict(utils.functional_optim_map)
    yield utils.functional_optim_map
    utils.functional_optim_map.clear()
    utils.functional_optim_map.update(before)


def theirs(key: Any, **kwargs: Any) -> Any:
    """Torch's functional class, which says that scripts are deprecated."""
    with pytest.warns(DeprecationWarning, match="TorchScript"):
        return utils.as_functional_optim(key, **kwargs)


def network() -> torch.nn.Module:
    torch.manual_seed(6)
    return torch.nn.Sequential(torch.nn.Linear(3, 9, bias=False), torch.nn.ReLU(), torch.nn.Linear(9, 2, bias=False))


@each_upstream(PARITY)
def test_functional_parity(upstream: str, registry: dict[Any, Any]) -> None:
    """Ours, ours made functional (same bits) and torch's functional class train one network alike."""
    name, kwargs = PARITY[upstream]
    cls, key = getattr(MODULE, name), f"functional {name}"
    utils.register_functional_optim(key, lambda params, **given: Functional(params, cls, **given))
    models = [network() for _ in range(3)]
    whole = cls(models[0].parameters(), **kwargs)
    functional = [utils.as_functional_optim(key, **kwargs), theirs(getattr(torch.optim, name), **kwargs)]
    first = [p.detach().clone() for p in models[0].parameters()]
    for k in range(STEPS):
        x = parameters((5, 3), seed=k)[0]
        for model in models:
            model.zero_grad()
            model(x).square().sum().backward()
        for p, *others in zip(*(model.parameters() for model in models), strict=True):
            for q in others:  # the same gradients, so that only the steps differ
                q.grad.copy_(p.grad)
        whole.step()
        for model, opt in zip(models[1:], functional, strict=True):
            for p in model.parameters():
                opt.step_param(p, p.grad)
        for p, q, r, p0 in zip(*(model.parameters() for model in models), first, strict=True):
            assert_same(q.detach(), p.detach())
            # A step has at most twelve roundings of numbers no larger than the parameter or what it moved so far: the
            # step of Adam is at most lr times the square root of the steps, and that of SGD is four times lr times g.
            moved = (k + 1) * kwargs["lr"] * (float(p.grad.abs().max()) * 4 + STEPS**0.5)
            bound = 12 * (k + 1) * 2.0**-24 * (p0.abs() + moved)
            assert bool(((p - r).abs() <= bound).all())
            assert bool((p != p0).any())


@each_upstream({"test_functional_optim_registration": 0})
def test_functional_registration(upstream: str, registry: dict[Any, Any]) -> None:
    """A class of ours has no functional one until one is registered; the first one registered stays."""
    if MODULE is not torch.optim:
        with pytest.raises(ValueError, match="does not have a functional counterpart"):
            utils.as_functional_optim(MODULE.Adam, lr=0.5)
    first = registry[torch.optim.Adam]
    utils.register_functional_optim(MODULE.Adam, first)
    utils.register_functional_optim(MODULE.Adam, Functional)
    assert registry[MODULE.Adam] is first
    p = torch.ones(3)
    theirs(MODULE.Adam, lr=0.5).step_param(p, torch.ones(3))
    torch.testing.assert_close(p, torch.full((3,), 0.5), rtol=0, atol=4 * 2.0**-24)  # 1 - lr, four roundings
