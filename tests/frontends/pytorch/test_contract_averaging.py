"""The tests of torch's `test_swa_utils.py`, by their names: averages of parameters that an optimizer of ours moves.

Torch's tests move the parameters at random; here steps of ours move them, since an average must see what a step wrote.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn, get_ema_multi_avg_fn, get_swa_multi_avg_fn, update_bn

from frontends.pytorch.contract import DENSE, MODULE, assert_same, each_upstream, over

DECAY, UPDATES = 0.75, 8
BOUND = 4 * UPDATES * 2.0**-24
"""Each update of an average has at most four roundings, of numbers of which `size` is the largest."""


def convolution() -> torch.nn.Module:
    """Two layers with a batch normalization between them, the same each time."""
    torch.manual_seed(4)
    return torch.nn.Sequential(
        torch.nn.Conv2d(2, 6, 3), torch.nn.BatchNorm2d(6, momentum=0.3), torch.nn.Flatten(), torch.nn.Linear(54, 3)
    )


def dense() -> torch.nn.Module:
    torch.manual_seed(4)
    return torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.BatchNorm1d(7, momentum=0.3), torch.nn.Linear(7, 3))


def batches(model: torch.nn.Module, count: int = 4) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(9)
    shape = (6, 2, 5, 5) if isinstance(model[0], torch.nn.Conv2d) else (6, 5)
    return [torch.randn(shape, generator=generator) for _ in range(count)]


def trained(model: torch.nn.Module, name: str = "Adam", updates: int = UPDATES) -> Iterator[None]:
    """Steps of an optimizer, one for each turn."""
    opt = getattr(MODULE, name)(model.parameters(), lr=0.0625)
    for k in range(updates):
        opt.zero_grad()
        model(batches(model)[k % 4]).square().mean().backward()
        opt.step()
        yield


def expected(seen: list[list[torch.Tensor]], ema: bool) -> list[torch.Tensor]:
    """The averages in double precision: the first values, then a fixed or a falling share of each difference."""
    averages = [v.double() for v in seen[0]]
    for n, values in enumerate(seen[1:], 2):
        share = 1 - DECAY if ema else 1 / n
        averages = [a + (v.double() - a) * share for a, v in zip(averages, values, strict=True)]
    return averages


def assert_averages(found: list[torch.Tensor], seen: list[list[torch.Tensor]], ema: bool) -> None:
    for k, (value, average) in enumerate(zip(found, expected(seen, ema), strict=True)):
        size = torch.stack([values[k].abs() for values in seen]).amax(0)
        assert bool(((value.double() - average).abs() <= BOUND * size).all())


@over(DENSE)
@pytest.mark.parametrize("ema", [False, True], ids=["mean", "exponential"])
@each_upstream({"test_averaged_model_all_devices": 0})
def test_average_of_steps(upstream: str, info: Any, ema: bool) -> None:
    """The average holds what every step of ours wrote, and the steps know nothing of the average."""
    model, alone = convolution(), convolution()
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(DECAY) if ema else get_swa_multi_avg_fn())
    seen = []
    name = info.optim_cls.__name__
    for _ in trained(model, name):
        averaged.update_parameters(model)
        seen.append([p.detach().clone() for p in model.parameters()])
    for _ in trained(alone, name):
        pass
    assert_same([p.detach() for p in model.parameters()], [p.detach() for p in alone.parameters()])
    assert not torch.equal(seen[0][0], seen[-1][0])
    assert int(averaged.n_averaged) == UPDATES
    assert_averages([p.detach() for p in averaged.module.parameters()], seen, ema)


@each_upstream({"test_averaged_model_state_dict": 0})
def test_average_saved(upstream: str) -> None:
    """Another average that loads the first's state is the same, bit for bit, and stays so over more steps."""
    model = convolution()
    one, two = AveragedModel(model), AveragedModel(model)
    for k, _ in enumerate(trained(model)):
        one.update_parameters(model)
        if k == UPDATES // 2:
            two.load_state_dict(copy.deepcopy(one.state_dict()))
        elif k > UPDATES // 2:
            two.update_parameters(model)
    assert_same(dict(two.state_dict()), dict(one.state_dict()))


@each_upstream({"test_averaged_model_default_avg_fn_picklable": 0})
def test_average_pickled(upstream: str) -> None:
    """After steps of ours, with the optimizer in the same pickle."""
    model = convolution()
    averaged = AveragedModel(model)
    opt = MODULE.Adam(model.parameters(), lr=0.0625)
    for batch in batches(model):
        opt.zero_grad()
        model(batch).square().mean().backward()
        opt.step()
        averaged.update_parameters(model)
    back, again = pickle.loads(pickle.dumps((averaged, opt)))
    assert_same(dict(back.state_dict()), dict(averaged.state_dict()))
    assert_same(again.state_dict(), opt.state_dict())


@pytest.mark.parametrize("buffers", [False, True], ids=["parameters", "buffers too"])
@pytest.mark.parametrize("multiple", [False, True], ids=["one by one", "lists"])
@each_upstream({"test_averaged_model_exponential": 0})
def test_average_with_buffers(upstream: str, multiple: bool, buffers: bool) -> None:
    """Batch statistics are averaged too, or copied as they are."""
    model = convolution()
    how: dict[str, Callable[..., Any]] = (
        {"multi_avg_fn": get_ema_multi_avg_fn(DECAY)} if multiple else {"avg_fn": get_ema_avg_fn(DECAY)}
    )
    averaged = AveragedModel(model, use_buffers=buffers, **how)
    seen = []

    def values(of: torch.nn.Module) -> list[torch.Tensor]:
        tensors = chain(of.parameters(), of.buffers()) if buffers else of.parameters()
        return [t.detach().clone() for t in tensors if t.is_floating_point()]

    for _ in trained(model):
        averaged.update_parameters(model)
        seen.append(values(model))
    assert_averages(values(averaged.module), seen, True)
    if not buffers:
        assert_same(list(averaged.module.buffers()), list(model.buffers()))


@pytest.mark.parametrize("labelled", [False, True], ids=["inputs", "inputs and labels"])
@each_upstream({"test_update_bn_dnn": dense, "test_update_bn_cnn": convolution})
def test_statistics_renewed(upstream: str, labelled: bool) -> None:
    """`update_bn` finds the mean and variance of what the layer trained by ours gives to the normalization."""
    model = dense() if upstream.endswith("dnn") else convolution()
    for _ in trained(model):
        pass
    given = batches(model)
    with torch.no_grad():
        inner = [model[0](batch).double().transpose(0, 1).flatten(1) for batch in given]
    update_bn([(batch, torch.zeros(6)) for batch in given] if labelled else given, model)
    norm = model[1]
    # a float32 mean of m numbers, and of so many batches, is off by at most as many roundings of the largest
    size, rounds = max(float(x.abs().max()) for x in inner), inner[0].shape[1] + len(given) + 4
    bound = 2 * rounds * 2.0**-24
    mean = torch.stack([x.mean(1) for x in inner]).mean(0)
    variance = torch.stack([x.var(1) for x in inner]).mean(0)
    assert bool(((norm.running_mean.double() - mean).abs() <= bound * size).all())
    assert bool(((norm.running_var.double() - variance).abs() <= bound * 4 * size * size).all())
    assert model.training
    assert int(norm.num_batches_tracked) == len(given)


@each_upstream({"test_bn_update_eval_momentum": 0})
def test_statistics_of_an_evaluated_model(upstream: str) -> None:
    """The mode and the momentum are those before, and training by ours continues."""
    model = convolution()
    for _ in trained(model, updates=1):
        pass
    model.eval()
    update_bn(batches(model), model)
    assert not model.training
    assert model[1].momentum == 0.3
    before = [p.detach().clone() for p in model.parameters()]
    for _ in trained(model, updates=1):
        pass
    assert all(bool((p != q).any()) for p, q in zip(model.parameters(), before, strict=True))
