"""The tests of torch's `test_lrscheduler.py` of saved schedulers, added groups and tensors of the user's, by their names."""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as lr
from torch.optim.swa_utils import SWALR

from frontends.pytorch.contract import (
    MODULE,
    SCHEDULERS,
    Maker,
    assert_same,
    each_upstream,
    numbers,
    parameters,
    step,
    two_groups,
)

# -- saved schedulers ---------------------------------------------------------------------------------------


class Scale:
    """A function with a state of its own."""

    def __init__(self, value: float):
        self.value = value

    def __call__(self, k: float) -> float:
        return self.value / (1 + k)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scale) and other.value == self.value

    __hash__ = None  # type: ignore[assignment]


def half(k: float) -> float:
    return 0.5


def cyclic(o: Any, **kwargs: Any) -> Any:
    return lr.CyclicLR(o, 0.25, 1.0, 3, cycle_momentum=False, **kwargs)


SAVED: dict[str, list[tuple[Maker, Maker]]] = {
    "test_step_lr_state_dict": [(lambda o: lr.StepLR(o, 3, 0.25), lambda o: lr.StepLR(o, 1, 0.125))],
    "test_multi_step_lr_state_dict": [
        (lambda o: lr.MultiStepLR(o, [2, 4, 9], 0.25), lambda o: lr.MultiStepLR(o, [1, 3], 0.125))
    ],
    "test_exp_step_lr_state_dict": [(lambda o: lr.ExponentialLR(o, 0.75), lambda o: lr.ExponentialLR(o, 0.125))],
    "test_cosine_lr_state_dict": [
        (lambda o: lr.CosineAnnealingLR(o, 8, 1e-9), lambda o: lr.CosineAnnealingLR(o, 3, 1e-6))
    ],
    "test_reduce_lr_on_plateau_state_dict": [
        (lambda o: lr.ReduceLROnPlateau(o, patience=1), lambda o: lr.ReduceLROnPlateau(o, "max", 0.5, 8))
    ],
    "test_lambda_lr_state_dict_fn": [(lambda o: lr.LambdaLR(o, half), lambda o: lr.LambdaLR(o, half))],
    "test_lambda_lr_state_dict_obj": [
        (lambda o: lr.LambdaLR(o, Scale(2.0)), lambda o: lr.LambdaLR(o, Scale(-1.0)))
    ],
    "test_CosineAnnealingWarmRestarts_lr_state_dict": [
        (lambda o: lr.CosineAnnealingWarmRestarts(o, 3, 2), lambda o: lr.CosineAnnealingWarmRestarts(o, 50))
    ],
    "test_swa_lr_state_dict": [
        (lambda o: SWALR(o, 0.25, anneal_epochs=3), lambda o: SWALR(o, 2.0, anneal_epochs=9, anneal_strategy="linear"))
    ],
    "test_cycle_lr_state_dict_picklable": [
        (cyclic, cyclic),
        (lambda o: cyclic(o, scale_fn=half), lambda o: cyclic(o, scale_fn=half)),
        (lambda o: cyclic(o, scale_fn=Scale(0.5)), lambda o: cyclic(o, scale_fn=Scale(0.25))),
    ],
    "test_cycle_lr_scale_fn_restored_from_state_dict": [
        (lambda o: cyclic(o, mode="triangular2"), cyclic),
        (lambda o: cyclic(o, scale_fn=half), lambda o: cyclic(o, scale_fn=half)),
    ],
}  # fmt: skip


def move(scheduler: Any, k: int) -> None:
    scheduler.step((3.0, 2.0, 2.0, 2.0, 1.0)[k % 5]) if isinstance(
        scheduler, lr.ReduceLROnPlateau
    ) else scheduler.step()


def attributes(scheduler: Any) -> dict[str, Any]:
    """What a scheduler consists of; functions by their kind, since each scheduler has its own."""
    return {
        key: value if isinstance(value, Scale) or not callable(value) else type(value)
        for key, value in vars(scheduler).items()
        if key != "optimizer"
    }


@each_upstream(SAVED)
def test_lr_saved(upstream: str) -> None:
    """A scheduler of other settings becomes the one that it loads, by way of a pickle, and both continue alike."""
    for make, other in SAVED[upstream]:
        ours, twin, fresh = two_groups(MODULE), two_groups(torch.optim), two_groups(MODULE)
        scheduler, second, copied = make(ours), make(twin), other(fresh)
        for k in range(6):
            for o, s in ((ours, scheduler), (twin, second)):
                step(o, k)
                move(s, k)
        saved = scheduler.state_dict()
        assert_same(saved, second.state_dict())
        copied.load_state_dict(pickle.loads(pickle.dumps(saved)))
        fresh.load_state_dict(ours.state_dict())
        assert_same(attributes(copied), attributes(scheduler))
        for k in range(6, 12):
            for o, s in ((ours, scheduler), (twin, second), (fresh, copied)):
                step(o, k)
                move(s, k)
            assert_same(numbers(ours), numbers(twin))
            assert_same(numbers(fresh), numbers(ours))
            assert_same(copied.get_last_lr(), scheduler.get_last_lr())


@each_upstream({"test_lr_scheduler_state_dict_load": SCHEDULERS})
@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("name", list(SCHEDULERS))
def test_lr_files(upstream: str, name: str, weights_only: bool) -> None:
    """A scheduler's file needs no code to load, is the one of a scheduler over torch's class, and comes back equal."""
    make = SCHEDULERS[name]
    ours, twin = two_groups(MODULE), two_groups(torch.optim)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # composed schedulers move each other before a step, and torch warns of it
        scheduler, second, again = make(ours), make(twin), make(two_groups(MODULE))
    for k in range(3):
        for o, s in ((ours, scheduler), (twin, second)):
            step(o, k)
            move(s, k)
    file = io.BytesIO()
    torch.save(scheduler.state_dict(), file)
    file.seek(0)
    loaded = torch.load(file, weights_only=weights_only)
    assert_same(loaded, second.state_dict())
    again.load_state_dict(loaded)
    assert_same(again.state_dict(), scheduler.state_dict())


CONTINUED: dict[str, Callable[..., Any]] = {
    "ExponentialLR": lambda o, **k: lr.ExponentialLR(o, 0.75, **k),
    "LambdaLR": lambda o, **k: lr.LambdaLR(o, lambda epoch: 0.5**epoch, **k),
    "MultiplicativeLR": lambda o, **k: lr.MultiplicativeLR(o, lambda epoch: 0.5, **k),
    "StepLR": lambda o, **k: lr.StepLR(o, 3, **k),
    "MultiStepLR": lambda o, **k: lr.MultiStepLR(o, [2, 5], **k),
    "ConstantLR": lr.ConstantLR,
    "LinearLR": lr.LinearLR,
    "PolynomialLR": lr.PolynomialLR,
    "CosineAnnealingLR": lambda o, **k: lr.CosineAnnealingLR(o, 9, **k),
    "CosineAnnealingWarmRestarts": lambda o, **k: lr.CosineAnnealingWarmRestarts(o, 9, **k),
    "CyclicLR": lambda o, **k: lr.CyclicLR(o, 0.25, 1.0, **k),
    "OneCycleLR": lambda o, **k: lr.OneCycleLR(o, 0.5, total_steps=9, **k),
    "SWALR": lambda o, **k: SWALR(o, 0.25, **k),
    "ReduceLROnPlateau": lambda o, last_epoch=0: lr.ReduceLROnPlateau(o),
}


@each_upstream({"test_lr_scheduler_checkpoint": 0, "test_lr_scheduler_checkpoint_on_plateau": 0})
def test_lr_checkpoints(upstream: str) -> None:
    """A scheduler made over an optimizer that loaded another's state begins with the rate the other had."""
    for name, make in CONTINUED.items():
        if (name == "ReduceLROnPlateau") != upstream.endswith("on_plateau"):
            continue
        rates = []
        for module in (MODULE, torch.optim):
            opt, fresh = two_groups(module, "AdamW"), two_groups(module, "AdamW")
            scheduler = make(opt)
            step(opt)
            move(scheduler, 0)
            fresh.load_state_dict(opt.state_dict())
            rates.append((make(fresh, last_epoch=0).get_last_lr(), numbers(fresh)))
            assert [float(x) for x in rates[-1][0]] == [float(group["lr"]) for group in opt.param_groups], name
        assert_same(*rates)


# -- groups and tensors of the user's -----------------------------------------------------------------------


@each_upstream({"test_add_param_group_does_not_break_reduce_lr_on_plateau": 0})
@pytest.mark.parametrize("least", [0.0, [0.001, 0.002]], ids=["one least rate", "a list of them"])
def test_lr_added_group(upstream: str, least: Any) -> None:
    """A group added between steps is reduced with the others from then on."""
    opts = two_groups(MODULE), two_groups(torch.optim)
    made = [lr.ReduceLROnPlateau(o, patience=1, factor=0.5, min_lr=least) for o in opts]
    for k in range(9):
        for o, s in zip(opts, made, strict=True):
            if k == 4:
                o.add_param_group({"params": parameters((2, 3)), "lr": 0.75})
                if isinstance(least, list):
                    s.min_lrs = [*s.min_lrs[:2], 0.003]
            step(o, k)
            s.step(1.0)
        assert_same(numbers(opts[0]), numbers(opts[1]))
    assert opts[0].param_groups[2]["lr"] < 0.75


def momenta(value: float) -> dict[str, Any]:
    return {"base_momentum": torch.tensor(value), "max_momentum": torch.tensor(value + 0.0625)}


INITIAL: dict[str, dict[str, tuple[Callable[..., Any], dict[str, Any]]]] = {
    "test_constant_initial_lr": {
        name: (CONTINUED[name], {})
        for name in CONTINUED
        if name not in ("CyclicLR", "OneCycleLR", "SWALR", "ReduceLROnPlateau")
    },
    "test_constant_initial_params_cyclelr": {
        "CyclicLR": (lambda o, **k: lr.CyclicLR(o, **k), {"base_lr": torch.tensor(0.125), "max_lr": torch.tensor(0.25), **momenta(0.75)})
    },
    "test_constant_initial_params_onecyclelr": {
        "OneCycleLR": (lambda o, **k: lr.OneCycleLR(o, total_steps=9, **k), {"max_lr": torch.tensor(0.125), **momenta(0.75)})
    },
    "test_constant_initial_params_swalr": {"SWALR": (lambda o, **k: SWALR(o, **k), {"swa_lr": torch.tensor(0.0625)})},
}  # fmt: skip


@each_upstream(INITIAL)
def test_lr_initial(upstream: str) -> None:
    """Tensors that the user changes later are the optimizer's lr still, and not the rates a scheduler began with."""
    for name, (make, given) in INITIAL[upstream].items():
        results = []
        for module in (MODULE, torch.optim):
            rate, own = torch.tensor(0.125), {key: value.clone() for key, value in given.items()}
            opt = module.SGD(parameters((3,)), lr=rate)
            assert opt.param_groups[0]["lr"] is rate
            scheduler = make(opt, **own)
            kept = {k: float(v) for k, v in numbers(opt)[0].items() if k in own or k in ("initial_lr", "min_lr")}
            for k in range(2):
                for tensor in (rate, *own.values()):
                    tensor.mul_(0.5)
                step(opt, k)
                scheduler.step()
                assert {key: float(opt.param_groups[0][key]) for key in kept} == kept, name
            results.append((numbers(opt), scheduler.base_lrs))
        assert_same(*results)
