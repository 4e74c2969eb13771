"""The tests of torch's `test_lrscheduler.py` of refusals, warnings and lifetimes, by their names."""

from __future__ import annotations

import contextlib
import gc
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as lr
from torch.optim.swa_utils import SWALR

from frontends.pytorch.contract import (
    INFOS,
    MODULE,
    Maker,
    assert_same,
    each_upstream,
    numbers,
    over,
    parameters,
    step,
    two_groups,
)

# -- refusals -----------------------------------------------------------------------------------------------


class Asking(lr.LRScheduler):
    """Its `get_lr` wants an argument, which no scheduler gets."""

    def get_lr(self, epoch: int) -> list[Any]:  # type: ignore[override]
        return [group["lr"] for group in self.optimizer.param_groups]


def grown(o: Any) -> None:
    """A third group, of which a scheduler with two least rates knows nothing."""
    scheduler = lr.ReduceLROnPlateau(o, patience=0, min_lr=[0.01, 0.02])
    o.add_param_group({"params": parameters((2, 3)), "lr": 0.25})
    for loss in (1.0, 1.5):
        step(o)
        scheduler.step(loss)


REFUSALS: dict[str, list[tuple[type[Exception], str, Callable[[Any], Any]]]] = {
    "test_error_when_getlr_has_epoch": [(TypeError, "epoch", Asking)],
    "test_raise_error_when_last_epoch_is_greater_than_0_and_initial_lr_is_not_specified": [
        (KeyError, "initial_lr", lambda o: lr.StepLR(o, 2, last_epoch=3))
    ],
    "test_linearlr_start_factor_limits1": [(ValueError, "factor", lambda o: lr.LinearLR(o, start_factor=0.0))],
    "test_linearlr_start_factor_limits2": [(ValueError, "factor", lambda o: lr.LinearLR(o, start_factor=1.5))],
    "test_cycle_lr_invalid_mode": [(ValueError, "mode", lambda o: lr.CyclicLR(o, 0.1, 0.2, mode="square"))],
    "test_cycle_lr_cycle_momentum_fail_with_momentumless_optimizer": [
        (ValueError, "momentum", lambda o: lr.CyclicLR(o, 0.1, 0.2, cycle_momentum=True))
    ],
    "test_onecycle_lr_invalid_anneal_strategy": [
        (ValueError, "anneal_strategy", lambda o: lr.OneCycleLR(o, 0.1, total_steps=5, anneal_strategy="square"))
    ],
    "test_onecycle_lr_invalid_pct_start": [
        (ValueError, "pct_start", lambda o: lr.OneCycleLR(o, 0.1, total_steps=5, pct_start=1.5))
    ],
    "test_onecycle_lr_cannot_calculate_total_steps": [(ValueError, "total_steps", lambda o: lr.OneCycleLR(o, 0.1))],
    "test_multiplicative_lr_with_lr_lambda": [
        (TypeError, "lr_lambda should be a function", lambda o: lr.MultiplicativeLR(o, 0.5)),
        (TypeError, "lr_lambda should be a function", lambda o: lr.MultiplicativeLR(o, [0.5, 0.25])),
    ],
    "test_swalr_hypers": [
        (ValueError, "anneal_strategy must", lambda o: SWALR(o, 0.1, anneal_strategy="square")),
        (ValueError, "anneal_epochs must", lambda o: SWALR(o, 0.1, anneal_epochs=-3)),
        (ValueError, "anneal_epochs must", lambda o: SWALR(o, 0.1, anneal_epochs=2.5)),
        (ValueError, "swa_lr must", lambda o: SWALR(o, [0.1, 0.2, 0.3])),
    ],
    "test_add_param_group_errors_reduce_lr_on_plateau": [(RuntimeError, "number of param groups", grown)],
}


@each_upstream(REFUSALS)
def test_lr_refusals(upstream: str) -> None:
    """The exception and words are those raised over torch's class, and the groups are left as there."""
    name = "Adagrad" if "momentumless" in upstream else "SGD"
    for kind, said, wrong in REFUSALS[upstream]:
        ours, twin = two_groups(MODULE, name), two_groups(torch.optim, name)
        with pytest.raises(kind, match=said) as here:
            wrong(ours)
        with pytest.raises(kind) as there:
            wrong(twin)
        assert str(here.value) == str(there.value)
        assert_same(numbers(ours), numbers(twin))
        step(ours)


# -- warnings -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """The warnings of the body, as text."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield said
    said += [str(w.message) for w in caught]


def pattern(module: Any, early: bool, last_epoch: int = -1, replaced: bool = False) -> tuple[list[str], list[str]]:
    """What is said when a scheduler is made, and when it moves before the optimizer (early) or after it, ten times."""
    opt = two_groups(module)
    for group in opt.param_groups:
        if last_epoch >= 0:
            group["initial_lr"] = 0.03125
    with heard() as first:
        scheduler = lr.StepLR(opt, 3, gamma=0.25, last_epoch=last_epoch)
    if replaced:
        bound = opt.step
        opt.step = lambda *args, **kwargs: bound(*args, **kwargs)
    with heard() as later:
        for k in range(10):
            if early:
                scheduler.step()
            step(opt, k)
            if not early:
                scheduler.step()
    return first, later


def composed(module: Any) -> tuple[list[str], list[str]]:
    """The same for one scheduler after another."""
    opt = two_groups(module)
    with heard() as first:
        scheduler = lr.SequentialLR(opt, [lr.LinearLR(opt, 0.5, 0.25, 4), lr.ExponentialLR(opt, 0.75)], [4])
    with heard() as later:
        for k in range(8):
            step(opt, k)
            scheduler.step()
    return first, later


EARLY, REPLACED = "before `optimizer.step()`", "has been overridden"
PATTERNS: dict[str, tuple[str | None, Callable[[Any], tuple[list[str], list[str]]]]] = {
    "test_old_pattern_warning": (EARLY, lambda m: pattern(m, True)),
    "test_old_pattern_warning_with_arg": (EARLY, lambda m: pattern(m, True)),
    "test_old_pattern_warning_resuming": (EARLY, lambda m: pattern(m, True, 7)),
    "test_old_pattern_warning_resuming_with_arg": (EARLY, lambda m: pattern(m, True, 7)),
    "test_old_pattern_warning_with_overridden_optim_step": (REPLACED, lambda m: pattern(m, True, 7, True)),
    "test_new_pattern_no_warning": (None, lambda m: pattern(m, False)),
    "test_new_pattern_no_warning_with_arg": (None, lambda m: pattern(m, False)),
    "test_new_pattern_no_warning_with_overridden_optim_step": (REPLACED, lambda m: pattern(m, False, -1, True)),
    "test_sequentiallr_no_warnings": (None, composed),
}


@each_upstream(PATTERNS)
def test_lr_warnings(upstream: str) -> None:
    """Ours makes torch's schedulers say what torch's class makes them say, once, and nothing else."""
    said, run = PATTERNS[upstream]
    first, later = run(MODULE)
    assert first == []
    assert len(later) == (said is not None)
    assert all(str(said) in text and "how-to-adjust-learning-rate" in text for text in later)
    assert (first, later) == run(torch.optim)


# -- lifetimes ----------------------------------------------------------------------------------------------

LIFETIMES: dict[str, tuple[Maker, bool]] = {
    "test_no_cyclic_references": (lambda o: lr.LambdaLR(o, lambda k: 1.0), False),
    "test_no_cyclic_references_in_step": (lambda o: lr.LambdaLR(o, lambda k: 1.0), True),
    "test_cycle_lr_removed_after_out_of_scope": (lambda o: lr.CyclicLR(o, 0.25, 1.0, cycle_momentum=False), False),
}


@over(INFOS)
@each_upstream(LIFETIMES)
def test_lr_lifetimes(info: Any, upstream: str) -> None:
    """A dropped scheduler, its optimizer and the state are freed at once, while the garbage collector is off."""
    make, stepped = LIFETIMES[upstream]
    p = torch.ones(10, requires_grad=True)
    collects = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        opt = info.optim_cls([p], lr=0.5)
        scheduler = make(opt)
        if stepped:
            p.grad = torch.ones(10).to_sparse() if info.only_supports_sparse_grads else torch.ones(10)
            opt.step()
            scheduler.step()
        kept = {
            "scheduler": weakref.ref(scheduler), "optimizer": weakref.ref(opt),
            **{key: weakref.ref(v) for key, v in opt.state.get(p, {}).items() if isinstance(v, torch.Tensor)},
        }  # fmt: skip
        del scheduler
        assert kept["scheduler"]() is None
        del opt
        assert [name for name, reference in kept.items() if reference() is not None] == []
    finally:
        if collects:
            gc.enable()
