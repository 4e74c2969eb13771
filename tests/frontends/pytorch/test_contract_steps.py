"""What torch's tests ask of a step: it descends, and leaves alone what it must."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

from frontends.pytorch.contract import (
    DENSE,
    FUSED,
    INFOS,
    advance,
    assert_same,
    each,
    flagged,
    gradient,
    over,
    parameters,
    settings,
    train,
)

SPARSE = [info for info in INFOS if info.supports_sparse or info.only_supports_sparse_grads]


def quadratic(info: Any, opt: torch.optim.Optimizer, weight: torch.Tensor, bias: torch.Tensor) -> Callable[[], Any]:
    """A closure: the squared length of an affine image of a fixed point."""
    point = torch.linspace(-1.0, 1.0, weight.shape[1])

    def closure() -> torch.Tensor:
        opt.zero_grad()
        loss = torch.addmv(bias, weight, point).square().sum()
        loss.backward()
        if info.only_supports_sparse_grads:
            for p in (weight, bias):
                p.grad = p.grad.to_sparse()
        return loss.detach()

    return closure


def descend(info: Any, kwargs: dict[str, Any], groups: Callable[..., list[Any]], contiguous: bool, make: Any) -> None:
    """Twenty closure steps make the loss smaller, or larger where the sign is turned."""
    weight, bias = parameters((10, 5, 2), (10, 2))
    weight, bias = (p.contiguous() if contiguous else p for p in (weight[..., 0], bias[..., 0]))
    assert weight.is_contiguous() == contiguous
    weight.requires_grad_(), bias.requires_grad_()
    opt = info.optim_cls(groups(weight, bias), **kwargs)
    schedulers = [scheduler(opt) for scheduler in make]
    closure = quadratic(info, opt, weight, bias)
    first = float(closure())
    for _ in range(20):
        loss = opt.step(closure)
        assert isinstance(loss, torch.Tensor)
        advance(schedulers, loss)
    last = float(closure())
    assert last > first if kwargs.get("maximize") else last < first


@pytest.mark.filterwarnings("ignore:.*is strided")  # said once, since it is slower
@over(INFOS)
@pytest.mark.parametrize("contiguous", [True, False], ids=["contiguous", "strided"])
@pytest.mark.parametrize("scheduled", [False, True], ids=["constant", "scheduled"])
def test_goes_downhill(info: Any, contiguous: bool, scheduled: bool) -> None:
    """Every setting, with every group of schedulers of torch's database."""
    for make in info.scheduler_inputs if scheduled else ([],):
        each(settings(info), lambda kwargs, m=make: descend(info, kwargs, lambda w, b: [w, b], contiguous, m))


@over(INFOS)
def test_groups_go_downhill_with_schedulers(info: Any) -> None:
    """The same with two groups of different lr."""

    def groups(weight: torch.Tensor, bias: torch.Tensor) -> list[Any]:
        return [{"params": [weight]}, {"params": [bias], "lr": 0.01}]

    for make in info.scheduler_inputs:
        each(settings(info), lambda kwargs, m=make: descend(info, kwargs, groups, True, m))


@over(INFOS)
def test_without_gradients_nothing_happens(info: Any) -> None:
    """No parameter, state or step count changes; the closure's value comes back."""

    def body(kwargs: dict[str, Any]) -> None:
        fresh = parameters((10, 5), (10,))
        opt = info.optim_cls(fresh, **kwargs)
        assert opt.step(lambda: torch.tensor(1.0)) == torch.tensor(1.0)
        assert_same(fresh, parameters((10, 5), (10,)))
        # a parameter that once had a gradient keeps everything too
        train(info, opt, fresh, 2)
        before = copy.deepcopy((fresh, opt.state_dict()))
        opt.zero_grad()
        assert opt.step(closure=lambda: 7.5) == 7.5
        assert_same((fresh, opt.state_dict()), before)

    each(flagged(info), body)


@over(INFOS)
def test_zero_gradients_move_nothing_but_decay(info: Any) -> None:
    """Without weight decay every bit stays; with it, parameters shrink (or grow, when maximizing by coupled decay)."""

    def body(kwargs: dict[str, Any]) -> None:
        params = parameters((10, 5), (10,))
        opt = info.optim_cls(params, **kwargs)
        decay = opt.param_groups[0].get("weight_decay", 0)
        for _ in range(3):
            for p in params:
                p.grad = torch.zeros_like(p)
                if info.only_supports_sparse_grads:
                    p.grad = torch.ones_like(p).to_sparse() * 0  # rows given, values zero
            opt.step()
        for p, q in zip(params, parameters((10, 5), (10,)), strict=True):
            if decay == 0:
                assert_same(p, q)
            else:
                assert bool((p != q).all())
                assert bool(torch.isfinite(p).all())

    each(flagged(info), body)


@over(SPARSE)
def test_a_sparse_gradient_without_rows_moves_nothing(info: Any) -> None:
    """Of two dimensions, the values of shape (0, 1); the closure's value comes back."""
    for maximize in (False, True):
        params = parameters((5, 1))
        opt = info.optim_cls(params, maximize=maximize)
        for k in range(3):
            rows = torch.empty((1, 0), dtype=torch.int64), torch.empty((0, 1))
            params[0].grad = torch.sparse_coo_tensor(*rows, (5, 1))
            assert opt.step(lambda k=k: k) == k
        assert_same(params, parameters((5, 1)))


@over(INFOS)
def test_gradients_are_not_written_to(info: Any) -> None:
    """Neither the version counter nor a bit of a gradient changes."""

    def body(kwargs: dict[str, Any]) -> None:
        params = parameters((5, 5), (33,))
        opt = info.optim_cls(params, **kwargs)
        for k in range(2):
            for p in params:
                p.grad = gradient(info, p)
            held = [(p.grad, p.grad._version, p.grad.clone()) for p in params]
            opt.step()
            for p, (g, version, copied) in zip(params, held, strict=True):
                assert p.grad is g
                assert g._version == version, f"step {k}"
                assert_same(g.to_dense(), copied.to_dense())

    each(flagged(info), body)


@over(INFOS)
def test_parameters_know_that_they_changed(info: Any) -> None:
    """Autograd's version counter counts each step, so that a stale graph is refused."""

    def body(kwargs: dict[str, Any]) -> None:
        params = parameters((5, 5), (33,))
        opt = info.optim_cls(params, **kwargs)
        for _ in range(2):
            before = [p._version for p in params]
            train(info, opt, params, 1)
            assert all(p._version > old for p, old in zip(params, before, strict=True))

    each(flagged(info), body)


@over(INFOS)
def test_a_step_makes_state(info: Any) -> None:
    """Every parameter with a gradient has state, with the keys of torch's class in torch's order, and no other has."""

    def body(kwargs: dict[str, Any]) -> None:
        params = [*parameters((10, 5), (10,)), torch.zeros(3)]
        twins = [p.clone() for p in params]
        opt = info.optim_cls(params, **kwargs)
        twin = getattr(torch.optim, info.optim_cls.__name__)(twins, **copy.deepcopy(kwargs))
        assert len(opt.state) == len(twin.state)  # Adagrad's accumulators are there from the start
        train(info, opt, params[:2], 1)
        train(info, twin, twins[:2], 1)
        assert [list(opt.state[p]) for p in params[:2]] == [list(twin.state[p]) for p in twins[:2]]
        assert (params[2] in opt.state) == (twins[2] in twin.state)

    each(flagged(info), body)


@over(FUSED)
@pytest.mark.parametrize("found", [1.0, 2.0], ids=["one device", "sum of two devices"])
def test_found_inf_skips_the_step(info: Any, found: float) -> None:
    """GradScaler's verdict leaves parameters, state and step count alone; without one the step is taken."""

    def body(kwargs: dict[str, Any]) -> None:
        params = parameters((33,), (4, 5))
        opt = info.optim_cls(params, fused=True, **kwargs)
        assert opt._step_supports_amp_scaling is True
        train(info, opt, params, 2)
        before = copy.deepcopy((params, opt.state_dict()))
        opt.grad_scale, opt.found_inf = None, torch.tensor(found)
        train(info, opt, params, 1)
        assert_same((params, opt.state_dict()), before)
        opt.found_inf = None
        train(info, opt, params, 1)
        assert all(bool((p != q).any()) for p, q in zip(params, before[0], strict=True))

    each(settings(info), body)


@over(DENSE)
def test_steps_need_little_memory(info: Any) -> None:
    """A step after the first takes no more than one parameter's size, whatever allocates it."""
    import tracemalloc

    p = torch.randn(1 << 18)
    opt = info.optim_cls([p])
    train(info, opt, [p], 2)
    p.grad = torch.randn_like(p)
    size = p.numel() * p.element_size()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        tracemalloc.start()
        opt.step()
        _, numpy_peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    allocated = sum(max(0, event.self_cpu_memory_usage) for event in profile.key_averages())
    assert allocated <= 1.01 * size
    assert numpy_peak <= 0.1 * size
