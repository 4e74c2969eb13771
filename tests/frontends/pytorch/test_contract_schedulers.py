"""What torch's tests ask of an optimizer under schedulers and weight averaging."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as schedulers
from torch.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn, update_bn

from frontends.pytorch.contract import INFOS, MODULE, SCHEDULERS, Maker, assert_same, numbers, over, parameters, train

STEPS = 9


def extra(info: Any) -> dict[str, Any]:
    """A momentum where there may be none."""
    return {"momentum": 0.9} if info.optim_cls.__name__ in ("SGD", "RMSprop") else {}


def test_every_scheduler_is_here() -> None:
    """Of those torch exports."""
    assert set(schedulers.__all__) - {"LRScheduler"} <= set(SCHEDULERS)


@over(INFOS)
@pytest.mark.parametrize("make", SCHEDULERS.values(), ids=list(SCHEDULERS))
def test_schedulers_turn_the_same_numbers(info: Any, make: Maker) -> None:
    """lr, momentum and betas take torch's course; the parameters feel them; a saved scheduler goes on."""
    groups = [[{"params": p[:1]}, {"params": p[1:], "lr": 0.02}] for p in (parameters((3, 4), (17,)) for _ in range(3))]
    twin_class = getattr(torch.optim, info.optim_cls.__name__)
    classes = (info.optim_cls, twin_class, info.optim_cls)
    opt, twin, again = (cls(g, lr=0.01, **extra(info)) for cls, g in zip(classes, groups, strict=True))
    one, two, three = (make(o) for o in (opt, twin, again))
    for k in range(STEPS):
        assert numbers(opt) == numbers(twin)
        for o in (opt, twin, again):
            train(info, o, [p for group in o.param_groups for p in group["params"]], 1, k)
        for s in (one, two, three):
            s.step(1.0) if isinstance(s, schedulers.ReduceLROnPlateau) else s.step()
        if k == 4:  # go on in another pair
            saved = copy.deepcopy((opt.state_dict(), one.state_dict()))
            fresh = info.optim_cls(copy.deepcopy([{"params": g["params"]} for g in opt.param_groups]), **extra(info))
            again, three = fresh, make(fresh)
            fresh.load_state_dict(saved[0]), three.load_state_dict(saved[1])
    assert numbers(again) == numbers(opt)
    assert len({str(numbers(opt)), str(numbers(info.optim_cls(parameters((2,)), lr=0.01)))}) == 2
    params = [[p for group in o.param_groups for p in group["params"]] for o in (opt, again, twin)]
    assert_same(params[1], params[0])
    torch.testing.assert_close(params[0], params[2])


@over(INFOS)
def test_steps_are_counted_for_schedulers(info: Any) -> None:
    """A scheduler ahead of the optimizer is warned of, one in order is not, and a replaced step is seen."""
    params = parameters((3, 4))
    opt = info.optim_cls(params)
    scheduler = schedulers.StepLR(opt, 2)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()
    opt = info.optim_cls(params)
    scheduler = schedulers.StepLR(opt, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            train(info, opt, params, 1)
            scheduler.step()
    opt = info.optim_cls(params)
    scheduler = schedulers.StepLR(opt, 2)
    bound = opt.step
    opt.step = lambda closure=None: bound(closure)
    with pytest.warns(UserWarning, match="overridden after"):
        scheduler.step()


@over(INFOS)
def test_an_lr_may_be_any_number(info: Any) -> None:
    """Schedulers and users leave NumPy's numbers in groups; they are numbers."""
    import numpy as np

    one, two = parameters((3, 4), (17,)), parameters((3, 4), (17,))
    opt, other = info.optim_cls(one, lr=0.25), info.optim_cls(two, lr=0.25)
    for kind in (np.float64, np.float32, int):
        for k in range(2):
            opt.param_groups[0]["lr"], other.param_groups[0]["lr"] = kind(1), 1.0
            train(info, opt, one, 1, k), train(info, other, two, 1, k)
    assert_same(one, two)


@pytest.mark.parametrize("ema", [False, True], ids=["mean", "exponential"])
@pytest.mark.parametrize("name", ["Adam", "SGD"])
def test_averaged_models(name: str, ema: bool) -> None:
    """AveragedModel over steps of ours holds the mean of the parameters seen, and batch statistics can be renewed."""
    torch.manual_seed(3)
    model = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.BatchNorm1d(7), torch.nn.Linear(7, 1))
    opt = getattr(MODULE, name)(model.parameters(), lr=0.0625)
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.75) if ema else None)
    swa = SWALR(opt, swa_lr=0.03125, anneal_epochs=2)
    seen: list[list[torch.Tensor]] = []
    for _ in range(6):
        opt.zero_grad()
        model(torch.randn(8, 5)).square().mean().backward()
        opt.step()
        averaged.update_parameters(model)
        swa.step()
        seen.append([p.detach().clone() for p in model.parameters()])
    assert not torch.equal(seen[0][0], seen[-1][0])
    for k, p in enumerate(averaged.module.parameters()):
        values = [s[k].double() for s in seen]
        expected = values[0]
        for n, value in enumerate(values[1:], 1):
            expected = expected + (value - expected) * (0.25 if ema else 1 / (n + 1))
        torch.testing.assert_close(p.double(), expected, rtol=1e-5, atol=1e-6)
    assert opt.param_groups[0]["lr"] == 0.03125
    batches = [torch.randn(8, 5) for _ in range(3)]
    update_bn(batches, averaged)
    assert int(averaged.module[1].num_batches_tracked) == 3
