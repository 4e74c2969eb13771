"""The tests of torch's `test_apply_optimizer_in_backward.py` and `test_named_optimizer.py`, by their names.

Both of torch's helpers make optimizers of the class that they are given: one for each parameter, stepping within the
backward pass, or one whose saved state has the parameters' names.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from frontends.pytorch.contract import DENSE, MODULE, assert_same, each_upstream, numbers, over, parameters

applied = pytest.importorskip("torch.distributed.optim")
pytestmark = pytest.mark.filterwarnings("ignore:Since we pass in param_groups")  # of torch's, about its own helper


def network() -> torch.nn.Module:
    """Three layers of one size, so that two may share a weight."""
    torch.manual_seed(7)
    return torch.nn.Sequential(*(torch.nn.Linear(9, 9) for _ in range(3)))


def values(model: torch.nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in model.parameters()]


def backward(model: torch.nn.Module, k: int) -> None:
    model(parameters((5, 9), seed=k)[0]).square().mean().backward()


def rule(info: Any) -> Any:
    """The class, and settings other than its own."""
    return info.optim_cls, {"lr": 0.03125, "weight_decay": 0.0625}


@over(DENSE)
@each_upstream({"test_apply_optimizer_in_backward": 0, "test_apply_optimizer_in_backward_shared_params": 0})
def test_in_backward(upstream: str, info: Any) -> None:
    """Optimizers within the backward pass, of other settings for weights and biases, move what two outside move."""
    cls, kwargs = rule(info)
    one = network()
    if upstream.endswith("shared_params"):
        one[0].weight = one[2].weight
    two = copy.deepcopy(one)
    settings = [kwargs, {"lr": 0.0078125}]
    sets = [
        [list({id(p): p for p in found}.values()) for found in ([m.weight for m in model], [m.bias for m in model])]
        for model in (one, two)
    ]
    outside = [cls(params, **given) for params, given in zip(sets[0], settings, strict=True)]
    for params, given in zip(sets[1], settings, strict=True):
        applied._apply_optimizer_in_backward(cls, params, optimizer_kwargs=given)
    for k in range(6):
        backward(one, k)
        for opt in outside:
            opt.step()
            opt.zero_grad()
        backward(two, k)
        assert all(p.grad is None for p in two.parameters())
        assert_same(values(two), values(one))
    assert not torch.equal(values(one)[0], values(network())[0])


@each_upstream({"test_no_register_hook": 0})
def test_in_backward_without_a_hook(upstream: str) -> None:
    """Then nothing moves until the optimizer kept at each parameter is stepped."""
    one, two = network(), network()
    before = values(one)
    for model, hooked in ((one, True), (two, False)):
        applied._apply_optimizer_in_backward(MODULE.SGD, model.parameters(), {"lr": 0.03125}, register_hook=hooked)
        backward(model, 0)
    assert all(bool((p != q).any()) for p, q in zip(values(one), before, strict=True))
    assert_same(values(two), before)
    for p in two.parameters():
        p._in_backward_optimizers[0].step()
    assert_same(values(two), values(one))


@over(DENSE)
@each_upstream({"test_multiple_optim_for_params": 0})
def test_in_backward_twice(upstream: str, info: Any) -> None:
    """Two optimizers of a parameter step one after the other."""
    cls, kwargs = rule(info)
    one, two = network(), network()
    outside = [cls(one.parameters(), **kwargs), cls(one.parameters(), lr=0.0078125)]
    applied._apply_optimizer_in_backward(cls, two.parameters(), kwargs)
    applied._apply_optimizer_in_backward(cls, two.parameters(), {"lr": 0.0078125})
    for k in range(4):
        backward(one, k)
        for opt in outside:
            opt.step()
        one.zero_grad()
        backward(two, k)
        assert_same(values(two), values(one))


@each_upstream({"test_get_optimizers_in_backward": 0})
def test_in_backward_found(upstream: str) -> None:
    """One of ours for each parameter, in the model's order, whose saved state can be loaded into another model's."""
    one, two = network(), network()
    for model in (one, two):
        applied._apply_optimizer_in_backward(MODULE.Adam, model.parameters(), {"lr": 0.03125})
    backward(one, 0)
    found = [applied._get_in_backward_optimizers(model) for model in (one, two)]
    assert [type(opt) for opt in found[0]] == [MODULE.Adam] * 6
    assert all(opt.param_groups[0]["params"][0] is p for opt, p in zip(found[0], one.parameters(), strict=True))
    two.load_state_dict(one.state_dict())
    for opt, fresh in zip(*found, strict=True):
        fresh.load_state_dict(opt.state_dict())
    backward(one, 1), backward(two, 1)
    assert_same(values(two), values(one))


# -- state by names -----------------------------------------------------------------------------------------

GROUPED = {"test_state_dict": False, "test_state_dict_multi_param_group": True}


def pair(grouped: bool, cls: Any, **kwargs: Any) -> tuple[torch.nn.Module, Any, torch.nn.Module, Any]:
    """A plain optimizer and one with names, of equal models."""
    one, two = network(), network()

    def groups(model: torch.nn.Module) -> Any:
        split = [{"params": list(model[:2].parameters())}, {"params": list(model[2].parameters()), "lr": 0.0078125}]
        return split if grouped else None

    plain = cls(groups(one) or one.parameters(), **kwargs)
    named = applied._NamedOptimizer(two.named_parameters(), cls, groups(two), **kwargs)
    return one, plain, two, named


def both_step(one: torch.nn.Module, plain: Any, two: torch.nn.Module, named: Any, steps: int = 3) -> None:
    for k in range(steps):
        for model, opt in ((one, plain), (two, named)):
            model.zero_grad()
            backward(model, k)
            opt.step()
    assert_same(values(two), values(one))
    assert_same(numbers(named), numbers(plain))


@over(DENSE)
@each_upstream(GROUPED)
def test_named_state(upstream: str, info: Any) -> None:
    """The state is the plain optimizer's, under names in place of numbers."""
    cls, kwargs = rule(info)
    one, plain, two, named = pair(GROUPED[upstream], cls, **kwargs)
    both_step(one, plain, two, named)
    names = [name for name, _ in one.named_parameters()]
    expected = plain.state_dict()
    assert_same(
        {name: dict(entry) for name, entry in named.state_dict()["state"].items()},
        {names[k]: dict(entry) for k, entry in expected["state"].items()},
    )
    for found, group in zip(named.state_dict()["param_groups"], expected["param_groups"], strict=True):
        assert found["params"] == sorted(names[k] for k in group["params"])


@each_upstream({"test_load_state_dict": False, "test_load_state_dict_conditional_training": True})
def test_named_loading(upstream: str) -> None:
    """State by names goes into an optimizer of the same parameters, which continues alike."""
    grouped = upstream.endswith("training")
    one, _, two, named = pair(grouped, MODULE.Adam, lr=0.03125)
    both_step(one, _, two, named)
    saved = copy.deepcopy(named.state_dict())
    _, _, three, fresh = pair(grouped, MODULE.Adam, lr=0.5)
    fresh.init_state()
    fresh.load_state_dict(saved)
    three.load_state_dict(two.state_dict())
    assert_same(fresh.state_dict(), saved)
    for model, opt in ((two, named), (three, fresh)):
        model.zero_grad()
        backward(model, 5)
        opt.step()
    assert_same(values(three), values(two))


@each_upstream({"test_load_state_dict_error": 0})
def test_named_loading_too_early(upstream: str) -> None:
    """Torch's helper loads into state that exists; before a step ours has none, as torch's classes have none."""
    one, plain, two, named = pair(False, MODULE.Adam, lr=0.03125)
    both_step(one, plain, two, named)
    fresh = pair(False, MODULE.Adam, lr=0.03125)[3]
    with pytest.raises(ValueError, match="initialized before load but found not initialized"):
        fresh.load_state_dict(named.state_dict())


@each_upstream({"test_add_param_group": 0, "test_add_param_group_error": 0})
def test_named_groups(upstream: str) -> None:
    """A group may be added while training, if its parameters have names."""
    models = network(), network()
    parts = [[{"params": list(model[0].parameters())}] for model in models]
    plain = MODULE.Adam(parts[0], lr=0.03125)
    named = applied._NamedOptimizer(models[1].named_parameters(), MODULE.Adam, parts[1], lr=0.03125)
    both_step(models[0], plain, models[1], named)
    if upstream.endswith("error"):
        with pytest.raises(ValueError, match="some parameters are not in the module"):
            named.add_param_group({"params": [torch.ones(9, 1)], "lr": 0.5})
        return
    for later in ({"lr": 0.0625}, {"lr": 0.125, "betas": (0.5, 0.75)}):
        k = len(plain.param_groups)
        for model, opt in zip(models, (plain, named), strict=True):
            opt.add_param_group({"params": list(model[k].parameters()), **later})
        both_step(models[0], plain, models[1], named)
    assert [group["lr"] for group in named.param_groups] == [0.03125, 0.0625, 0.125]


@over(DENSE)
@each_upstream({"test_init_state": 0})
def test_named_empty_state(upstream: str, info: Any) -> None:
    """A step of zero gradients makes the state, with the keys of torch's class, and moves nothing but by decay."""
    results = []
    for module in (MODULE, torch.optim):
        cls = getattr(module, info.optim_cls.__name__)
        model = network()
        named = applied._NamedOptimizer(model.named_parameters(), cls, lr=0.03125)
        named.init_state()
        kept = 1 - 0.03125 * named.param_groups[0]["weight_decay"]
        for p, q in zip(values(model), values(network()), strict=True):
            assert bool(((p - q * kept).abs() <= 3 * 2.0**-24 * q.abs()).all())
            assert kept < 1 or torch.equal(p, q)
        assert all(p.grad is not None and not p.grad.any() for p in model.parameters())
        results.append({name: list(entry) for name, entry in named.state_dict()["state"].items()})
        assert named.param_groups[0]["lr"] == 0.03125
    assert results[0] == results[1]
