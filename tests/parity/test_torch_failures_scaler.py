"""Torch's failures with a gradient scaler: what it does with an overflow, and what it forgets."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch.optim")
import torch

from parity.failures import (
    OURS,
    THEIRS,
    adagrad,
    adam,
    copied,
    leaf,
    look,
    placed,
    probe,
    raised,
    sgd,
    step,
    unchanged,
    verdict,
)

SCALE, LR = 8.0, 0.03
START, GRAD = np.array([1.0, -2.0, 0.5, 4.0]), np.array([0.5, 1.0, -2.0, 0.25])


def scaler() -> torch.amp.GradScaler:
    """One that is in use; its scale is a power of two, so that scaling rounds nothing."""
    made = torch.amp.GradScaler("cpu", init_scale=SCALE)
    made.scale(torch.ones(()))
    return made


def give(p: torch.Tensor, overflow: bool = False) -> None:
    """A scaled gradient."""
    p.grad = placed(GRAD * SCALE, p.dtype)
    if overflow:
        p.grad[1] = torch.inf


@pytest.fixture
def _memory_is_filled() -> Iterator[None]:
    """Torch fills what it allocates with NaN then, so that reading it shows."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@probe()
@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD", "Adagrad"])
def test_an_overflow_on_two_devices(name: str) -> None:
    """The scaler adds up what the devices found; the fused kernels leave a step out if that is 1, and take one at 2."""

    def build(module: Any) -> tuple[torch.Tensor, Any]:
        p = leaf(START)
        opt = getattr(module, name)([p], lr=LR, fused=True)
        for overflow in (False, True):
            give(p, overflow)
            opt.grad_scale, opt.found_inf = torch.tensor(SCALE), torch.tensor(2.0 if overflow else 0.0)
            if not overflow:
                step(opt, writes_gradients=True)
        return p, opt

    _, opt = build(OURS)
    before, state = look(opt), copied(opt)
    opt.step()
    unchanged(opt, before, state)
    assert opt.last_step_skipped
    assert opt.counters["skipped"] == 1
    q, opt = build(THEIRS)
    held = q.detach().clone()
    opt.step()
    verdict(wrong=not q.isfinite().all(), right=torch.equal(q.detach(), held), seen=(q, opt.state[q]))


@probe("LibreYOLO/libreyolo#771")
@pytest.mark.usefixtures("_memory_is_filled")
def test_an_overflow_in_the_first_step() -> None:
    """Fused SGD skips it, but takes the momentum it has only allocated for the first: whatever lay in memory."""

    def run(module: Any) -> torch.Tensor:
        p = leaf(START)
        opt, scaling = module.SGD([p], lr=LR, momentum=0.9, fused=True), scaler()
        give(p, overflow=True)
        scaling.step(opt)
        scaling.update()
        give(p)
        p.grad /= 2  # the scale was halved
        step(opt, lambda: scaling.step(opt), writes_gradients=True)
        return p

    expected = sgd(START, [GRAD], lr=LR)
    assert expected.near(run(OURS))
    q = run(THEIRS)
    verdict(wrong=bool(q.isnan().all()), right=expected.near(q), seen=q)


@probe("#67590", "#152279")
@pytest.mark.parametrize("fused", [None, True], ids=["default", "fused"])
def test_whether_a_step_was_skipped(fused: bool | None) -> None:
    """The scaler tells nobody, though a schedule must know; `last_step_skipped` of ours does."""

    def run(module: Any) -> list[tuple[Any, Any]]:
        p = leaf(START)
        opt, scaling = module.Adam([p], fused=fused), scaler()
        if module is OURS:
            opt._step_supports_amp_scaling = True  # as fused=True has it: the step is called, and says what it did
        told = []
        for overflow in (False, True, False):
            give(p, overflow)
            returned = scaling.step(opt)
            told.append((returned, getattr(opt, "last_step_skipped", None)))
            scaling.update()
        return told

    assert [skipped for _, skipped in run(OURS)] == [False, True, False]
    told = run(THEIRS)
    verdict(wrong=told[0] == told[1] == told[2], right=told[0] != told[1], seen=told)


@probe()
@pytest.mark.parametrize(
    "how", [copy.deepcopy, lambda opt: pickle.loads(pickle.dumps(opt))], ids=["deepcopy", "pickle"]
)
def test_a_copy_with_a_scaler(how: Any) -> None:
    """A fused optimizer steps float16 parameters with a scaler; its copy has forgotten that it can."""

    def run(module: Any) -> tuple[torch.Tensor, BaseException | None]:
        made = how(module.Adam([torch.tensor(START, dtype=torch.float16, requires_grad=True)], lr=LR, fused=True))
        (p,) = made.param_groups[0]["params"]
        give(p)
        scaling = scaler()
        return p, raised(lambda: scaling.step(made))

    expected = adam(START, [GRAD], lr=LR)
    p, error = run(OURS)
    assert error is None
    assert expected.near(p)
    q, error = run(THEIRS)
    verdict(wrong="unscale FP16" in str(error), right=error is None and expected.near(q), seen=error)


@probe("#74739")
@pytest.mark.parametrize("name", ["Adam", "NAdam", "RAdam", "Adamax", "RMSprop", "SGD"])
def test_float16_parameters_with_a_scaler(name: str) -> None:
    """Without `fused`, which most classes lack, the scaler refuses them; ours can be told to unscale in the step."""

    def run(module: Any, scaled: bool) -> tuple[torch.Tensor, BaseException | None]:
        p = leaf(START, torch.float16)
        opt, scaling = getattr(module, name)([p], lr=LR), scaler()
        opt._step_supports_amp_scaling = module is OURS
        give(p)
        if scaled:
            return p, raised(lambda: step(opt, lambda: scaling.step(opt), writes_gradients=True))
        p.grad /= SCALE
        step(opt)
        return p, None

    expected = run(OURS, scaled=False)[0].detach()
    if name == "Adam":
        assert adam(START, [GRAD], lr=LR).near(expected)
    p, error = run(OURS, scaled=True)
    assert error is None
    assert torch.equal(p.detach(), expected)
    assert not torch.equal(p.detach(), torch.tensor(START, dtype=torch.float16))
    _, error = run(THEIRS, scaled=True)
    verdict(wrong="unscale FP16" in str(error), right=error is None, seen=error)


@probe()
@pytest.mark.parametrize("name", ["Adam", "SGD", "Adagrad"])
def test_a_plain_file_in_a_fused_optimizer(name: str) -> None:
    """Loading turns `fused` off but leaves the scaler's protocol on, which the loop then does not know."""
    rule = {"Adam": adam, "SGD": sgd, "Adagrad": adagrad}[name]

    def run(module: Any) -> tuple[torch.Tensor, BaseException | None]:
        plain = leaf(START)
        plain.grad = placed(GRAD)
        saved = getattr(module, name)([plain], lr=LR)
        saved.step()
        p = leaf(plain.detach())
        opt = getattr(module, name)([p], lr=LR, fused=True)
        opt.load_state_dict(saved.state_dict())
        give(p)
        scaling = scaler()
        return p, raised(lambda: step(opt, lambda: scaling.step(opt), writes_gradients=True))

    expected = rule(START, [GRAD, GRAD], lr=LR)
    p, error = run(OURS)
    assert error is None
    assert expected.near(p)
    q, error = run(THEIRS)
    wrong = isinstance(error, AssertionError) and "found_inf to be None" in str(error)
    verdict(wrong=wrong, right=error is None and expected.near(q), seen=error)
