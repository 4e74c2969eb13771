"""What torch's tests ask of training with a gradient scaler, here on the CPU."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from frontends.pytorch.contract import DENSE, FUSED, assert_same, each, flagged, over, parameters, settings

SCALE = 128.0
CASES = [
    pytest.param(info, flags, id="-".join([info.optim_cls.__name__, *flags]))
    for info in DENSE
    for flags in ({}, {"foreach": True}, {"fused": True})
    if set(flags) <= set(info.supported_impls)
]


def scaler(**kwargs: Any) -> torch.amp.GradScaler:
    """A scaler whose scale is a power of two, so that scaling rounds nothing."""
    return torch.amp.GradScaler("cpu", init_scale=SCALE, growth_interval=1000, **kwargs)


def give(params: list[torch.Tensor], k: int, factor: float = 1.0) -> None:
    """The gradients of a step, times a factor."""
    for j, p in enumerate(params):
        p.grad = parameters(tuple(p.shape), dtype=p.dtype, seed=100 * k + j)[0] * factor


def pair() -> list[torch.Tensor]:
    """Sizes on either side of a vector's length."""
    return parameters((4, 5), (33,))


@pytest.mark.parametrize(("info", "flags"), CASES)
@pytest.mark.parametrize("separate", [False, True], ids=["step", "unscale and step"])
def test_scaled_training_is_training(info: Any, flags: dict[str, bool], separate: bool) -> None:
    """Scaled gradients give the bits of unscaled ones; the fourth step's infinity skips it, and halves the scale."""

    def body(kwargs: dict[str, Any]) -> None:
        if isinstance(kwargs.get("lr"), torch.Tensor) and "foreach" in flags:
            return  # torch refuses the two together
        one, two = pair(), pair()
        plain, opt = info.optim_cls(one, **copy.deepcopy(kwargs), **flags), info.optim_cls(two, **kwargs, **flags)
        scaling = scaler()
        for k in range(6):
            scale = scaling.scale(torch.ones(())).item()
            give(two, k, scale)
            if k == 3:
                two[1].grad[7] = torch.inf
            else:
                give(one, k)
                plain.step()
            held = copy.deepcopy((two, opt.state_dict()))
            if separate:
                scaling.unscale_(opt)
            scaling.step(opt)
            scaling.update()
            if k == 3:
                assert_same((two, opt.state_dict()), held)
            elif separate:
                assert_same([p.grad for p in two], [p.grad for p in one])
            assert_same(two, one)
            assert scaling.get_scale() == (SCALE / 2 if k >= 3 else SCALE)
            assert not hasattr(opt, "found_inf")
            assert not hasattr(opt, "grad_scale")
        for p, q in zip(one, two, strict=True):
            assert_same(opt.state[q], plain.state[p])

    each(settings(info), body)


@over(DENSE)
def test_a_disabled_scaler_does_nothing(info: Any) -> None:
    """Then its step is the optimizer's, closure's value and all."""
    one, two = pair(), pair()
    plain, opt = info.optim_cls(one), info.optim_cls(two)
    off = scaler(enabled=False)
    for k in range(2):
        give(one, k), give(two, k)
        plain.step()
        off.step(opt)
        off.update()
    assert_same(two, one)


@over(FUSED)
def test_gradients_replaced_between_unscale_and_step(info: Any) -> None:
    """The step takes the gradients and parameters that are there when it runs, in every setting."""

    def body(kwargs: dict[str, Any]) -> None:
        if kwargs.get("differentiable"):
            return
        one, two = pair(), pair()
        plain, opt = info.optim_cls(one, **copy.deepcopy(kwargs)), info.optim_cls(two, **kwargs)
        scaling = scaler()
        for k in range(3):
            give(one, k), give(two, k, SCALE)
            plain.step()
            scaling.scale(torch.ones(()))
            scaling.unscale_(opt)
            for p in two:
                p.grad = p.grad.clone()  # invalidates what might be remembered
                p.data = p.data.clone()
            scaling.step(opt)
            scaling.update()
        assert_same(two, one)

    each(flagged(info), body)


@over(FUSED)
def test_grad_scale_divides_and_writes_back(info: Any) -> None:
    """The protocol of fused optimizers: gradients are divided by `grad_scale`, in place, also without a scaler."""

    def body(kwargs: dict[str, Any]) -> None:
        one, two = pair(), pair()
        plain, opt = info.optim_cls(one, fused=True, **copy.deepcopy(kwargs)), info.optim_cls(two, fused=True, **kwargs)
        for k in range(3):
            give(one, k), give(two, k, SCALE)
            plain.step()
            opt.grad_scale, opt.found_inf = torch.tensor(SCALE), torch.tensor(0.0)
            opt.step()
            assert_same([p.grad for p in two], [p.grad for p in one])
        assert_same(two, one)

    each(settings(info), body)


@over(FUSED)
def test_copies_and_files_keep_the_protocol(info: Any) -> None:
    """A copy still knows the scaler, and files of fused and plain optimizers load into each other."""
    params = pair()
    opt = info.optim_cls(params, fused=True)
    scaling = scaler()
    for files in (False, True):
        if files:
            plain = info.optim_cls(pair())
            give(plain.param_groups[0]["params"], 0)
            plain.step()
            twin, twins = info.optim_cls(params, fused=True), params
            twin.load_state_dict(plain.state_dict())
        else:
            twin, twins = copy.deepcopy((opt, params))
        give(twins, 1, SCALE)
        before = [p.clone() for p in twins]
        scaling.scale(torch.ones(()))
        scaling.step(twin)
        scaling.update()
        assert all(bool((p != q).any()) for p, q in zip(twins, before, strict=True))
        give(twins, 2, SCALE)
        twins[0].grad[0, 0] = torch.nan
        before = [p.clone() for p in twins]
        scaling.scale(torch.ones(()))
        scaling.step(twin)
        assert_same(twins, before)
        scaling = scaler()
