"""What torch's tests ask of its implementation flags, of mixed dtypes and of the dtype of state."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from frontends.pytorch.contract import (
    DENSE,
    FUSED,
    INFOS,
    assert_same,
    each,
    over,
    parameters,
    refused,
    settings,
    train,
)

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
FLAGGED = [pytest.param(info, flag, id=f"{info.optim_cls.__name__}-{flag}") for info in DENSE for flag in ("foreach", "fused") if flag in info.supported_impls]  # fmt: skip


def model(dtype: torch.dtype) -> list[torch.Tensor]:
    """Weights and biases of three layers, the sizes on either side of a vector's length, and a number."""
    return parameters((6, 3), (6,), (17, 5), (64,), (33,), (257,), (), (0,), dtype=dtype)


def halting(info: Any, opt: torch.optim.Optimizer, params: list[torch.Tensor]) -> None:
    """Seven steps; no gradient at all at the third, a frozen layer from the fourth to the sixth."""
    generator = torch.Generator().manual_seed(8)
    for k in range(7):
        grads = [torch.randn(p.shape, generator=generator).to(p.dtype) for p in params]
        for j, (p, g) in enumerate(zip(params, grads, strict=True)):
            p.grad = None if k == 2 or (k in (3, 4, 5) and j < 2) else g
        opt.step()


@pytest.mark.parametrize(("info", "flag"), FLAGGED)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_flags_change_no_bit(info: Any, flag: str, dtype: torch.dtype) -> None:
    """foreach and fused name torch's implementations; here there is one, so parameters and state are the same bits."""

    def body(kwargs: dict[str, Any]) -> None:
        if refused(info, kwargs, flag):
            return
        one, two = model(dtype), model(dtype)
        plain, other = info.optim_cls(one, **copy.deepcopy(kwargs)), info.optim_cls(two, **kwargs, **{flag: True})
        halting(info, plain, one), halting(info, other, two)
        assert_same(two, one)
        for p, q in zip(one, two, strict=True):
            assert_same(other.state[q], plain.state[p])

    each(settings(info, dtype), body)


@pytest.mark.parametrize(("info", "flag"), FLAGGED)
def test_gradients_of_other_strides(info: Any, flag: str) -> None:
    """A gradient in another order of memory than the parameter's moves it as a contiguous one does."""
    one, two = parameters((18, 7)), parameters((18, 7))
    opt, twin = info.optim_cls(one, lr=0.125, **{flag: True}), info.optim_cls(two, lr=0.125)
    for k in range(3):
        (two[0].grad,) = parameters((18, 7), seed=k)
        one[0].grad = two[0].grad.t().contiguous().t()
        opt.step(), twin.step()
    # three steps of at most ten roundings, of numbers no larger than the largest of the parameter
    torch.testing.assert_close(one, two, rtol=0, atol=3 * 10 * 2.0**-24 * max(1.0, float(two[0].abs().max())))


@over(DENSE)
def test_dtypes_mix(info: Any) -> None:
    """Parameters of four dtypes in one optimizer do what they do in optimizers of their own."""

    def body(kwargs: dict[str, Any]) -> None:
        together, apart = [model(dtype) for dtype in DTYPES], [model(dtype) for dtype in DTYPES]
        flat = [p for group in zip(*together, strict=True) for p in group]  # interleaved
        opt = info.optim_cls(flat, **copy.deepcopy(kwargs))
        opts = [info.optim_cls(params, **copy.deepcopy(kwargs)) for params in apart]
        for k in range(4):
            for params, twins in zip(together, apart, strict=True):
                for j, (p, q) in enumerate(zip(params, twins, strict=True)):
                    p.grad = parameters(tuple(p.shape), dtype=p.dtype, seed=10 * k + j)[0]
                    q.grad = p.grad.clone()
            for o in (opt, *opts):
                o.step()
        assert_same(together, apart)

    each(settings(info, torch.float16), body)


@over(INFOS)
@pytest.mark.parametrize("default", [torch.float64, torch.float16], ids=str)
def test_default_dtype_may_be_another(info: Any, default: torch.dtype) -> None:
    """State has the dtypes of torch's class under the same default, and steps can be taken."""

    def body(kwargs: dict[str, Any]) -> None:
        before = torch.get_default_dtype()
        torch.set_default_dtype(default)
        try:
            one, two = parameters((3, 4), (17,), dtype=torch.float64), parameters((3, 4), (17,), dtype=torch.float64)
            opt = info.optim_cls(one, **copy.deepcopy(kwargs))
            twin = getattr(torch.optim, info.optim_cls.__name__)(two, **copy.deepcopy(kwargs))
            train(info, opt, one, 3), train(info, twin, two, 3)
        finally:
            torch.set_default_dtype(before)
        for p, q in zip(one, two, strict=True):
            kinds = [{k: getattr(v, "dtype", type(v)) for k, v in o.state[x].items()} for o, x in ((opt, p), (twin, q))]
            assert kinds[0] == kinds[1]
            # a product of momenta kept in float16 has an error of 2**-11 a step; torch's own, the same
            torch.testing.assert_close(p, q, rtol=1e-10 if default == torch.float64 else 1e-2, atol=1e-2)

    each(settings(info), body)


@over([info for info in FUSED if info.optim_cls.__name__ in ("Adam", "AdamW")])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_state_given_by_a_hook_is_kept(info: Any, amsgrad: bool) -> None:
    """bfloat16 moments put there by a hook before the first step stay bfloat16, and the numbers are near."""
    one, two = parameters((64,), (33, 3)), parameters((64,), (33, 3))
    opt, plain = (info.optim_cls(p, fused=True, amsgrad=amsgrad) for p in (one, two))
    slots = ["exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if amsgrad else [])]
    calls = []

    def hook(o: Any, args: Any, kwargs: Any) -> None:
        calls.append(1)
        for p in one:
            if not o.state[p]:
                o.state[p]["step"] = torch.tensor(0.0)
                o.state[p].update({slot: torch.zeros_like(p, dtype=torch.bfloat16) for slot in slots})

    opt.register_step_pre_hook(hook)
    held = []
    for k in range(5):
        train(info, opt, one, 1, k), train(info, plain, two, 1, k)
        held.append([opt.state[p][slot].data_ptr() for p in one for slot in slots])
    assert len(calls) == 5
    assert all(h == held[0] for h in held), "a state tensor was replaced"
    for p, q in zip(one, two, strict=True):
        assert list(opt.state[p]) == ["step", *slots]
        assert float(opt.state[p]["step"]) == 5.0
        for slot in slots:
            assert opt.state[p][slot].dtype == torch.bfloat16
            # five roundings of 2**-9 each, and a v which rounds back to itself under 0.999
            torch.testing.assert_close(opt.state[p][slot].float(), plain.state[q][slot], rtol=0.03, atol=2e-3)
        # the first step is a sign, later ones differ by the error of the moments: 5 * lr * 0.03 and torch's own 5e-3
        torch.testing.assert_close(p, q, rtol=0, atol=5e-4)


MIXED = [info for info in FUSED if info.optim_cls.__name__ in ("Adam", "AdamW")]


@over(MIXED)
@pytest.mark.parametrize("amsgrad", [False, True])
def test_a_hook_gives_state_to_some(info: Any, amsgrad: bool) -> None:
    """Parameters that had float32 state keep its dtype and its steps; those given bfloat16 by a hook have that."""
    slots = ["exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if amsgrad else [])]
    one, two, alone = parameters((33, 3)), parameters((64,), seed=9), parameters((33, 3))
    opt = info.optim_cls([{"params": one}, {"params": two}], fused=True, amsgrad=amsgrad)
    twin = info.optim_cls(alone, fused=True, amsgrad=amsgrad)
    opt.state[one[0]].update({"step": torch.tensor(0.0), **{slot: torch.zeros_like(one[0]) for slot in slots}})

    def hook(o: Any, args: Any, kwargs: Any) -> None:
        for p in (*one, *two):
            if not o.state[p]:
                zeros = {slot: torch.zeros_like(p, dtype=torch.bfloat16) for slot in slots}
                o.state[p].update({"step": torch.tensor(0.0), **zeros})

    opt.register_step_pre_hook(hook)
    for k in range(3):
        one[0].grad, alone[0].grad = (parameters((33, 3), seed=k)[0] for _ in range(2))
        two[0].grad = parameters((64,), seed=k)[0]
        opt.step(), twin.step()
    assert_same(one, alone)
    assert [opt.state[one[0]][slot].dtype for slot in slots] == [torch.float32] * len(slots)
    assert [opt.state[two[0]][slot].dtype for slot in slots] == [torch.bfloat16] * len(slots)


@over(MIXED)
def test_bfloat16_state_is_rounded_after_the_step(info: Any) -> None:
    """As in float32, the state rounded to bfloat16 after each step: the parameters' bits, and those of the state."""

    def body(kwargs: dict[str, Any]) -> None:
        one, two = parameters((64,), (33, 3)), parameters((64,), (33, 3))
        opt = info.optim_cls(one, fused=True, **copy.deepcopy(kwargs))
        reference = info.optim_cls(two, fused=True, **copy.deepcopy(kwargs))
        slots = ["exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if kwargs.get("amsgrad") else [])]
        for p in one:
            zeros = {slot: torch.zeros_like(p, dtype=torch.bfloat16) for slot in slots}
            opt.state[p].update({"step": torch.tensor(0.0), **zeros})
        for k in range(7):
            train(info, opt, one, 1, k), train(info, reference, two, 1, k)
            assert_same(one, two)
            for p, q in zip(one, two, strict=True):
                for slot in slots:
                    value = reference.state[q][slot]
                    assert_same(opt.state[p][slot], value.bfloat16())
                    value.copy_(value.bfloat16())

    each(settings(info), body)
