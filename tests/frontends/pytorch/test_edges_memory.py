"""A dropped optimizer gives its memory back at once: nothing of it is part of a reference cycle."""

from __future__ import annotations

import copy
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import adamas.torch
from snapshots import GUARD

Step = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Only reference counts free anything. torch's first optimizer imports modules, which leave cycles of their own."""
    torch.optim.SGD([torch.zeros(1)])
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def parameters(count: int = 3) -> list[torch.nn.Parameter]:
    made = [torch.nn.Parameter(torch.ones(50)) for _ in range(count)]
    for p in made:
        p.grad = torch.ones(50)
    return made


def steps(opt: Any) -> None:
    for _ in range(3):
        opt.step()


def loads(opt: Any) -> None:
    steps(opt)
    opt.load_state_dict(copy.deepcopy(opt.state_dict()))
    steps(opt)


def copies(opt: Any) -> None:
    steps(opt)
    copy.deepcopy(opt).step()


def fails(opt: Any) -> None:
    steps(opt)
    opt.param_groups[0]["lr"] = float("nan")
    with pytest.raises(ValueError, match="must be finite"):
        opt.step()


def fails_at_once(opt: Any) -> None:
    opt.param_groups[0]["lr"] = float("nan")
    with pytest.raises(ValueError, match="must be finite"):
        opt.step()


def schedules(opt: Any) -> None:
    schedule = torch.optim.lr_scheduler.LambdaLR(opt, lambda step: 0.9**step)
    for _ in range(3):
        opt.step()
        schedule.step()


def closes(opt: Any) -> None:
    opt.step(lambda: torch.zeros(()))


def grows(opt: Any) -> None:
    steps(opt)
    opt.add_param_group({"params": parameters(1)})
    steps(opt)


USES = [steps, loads, copies, fails, fails_at_once, schedules, closes, grows]


@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
@pytest.mark.parametrize("name", ["AdamW", "SGD", "RMSprop", "NAdam", "Lion", "AdEMAMix"])
def test_torch_optimizers_are_freed_at_once(name: str, use: Step) -> None:
    opt = getattr(adamas.torch, name)(parameters(), lr=1e-3)
    use(opt)
    parts = [weakref.ref(opt), weakref.ref(opt._driver), weakref.ref(opt._driver.engine)]
    parts += [weakref.ref(t) for entry in opt.state.values() for t in entry.values() if isinstance(t, torch.Tensor)]
    del opt
    assert [part() for part in parts] == [None] * len(parts)


def loaded(opt: Any) -> None:
    opt.load_state_dict(copy.deepcopy(opt.state_dict()))


def cleared(opt: Any) -> None:
    opt.state.clear()


def entry_deleted(opt: Any) -> None:
    del opt.state[next(iter(opt.state))]


def entry_emptied(opt: Any) -> None:
    next(iter(opt.state.values())).clear()


def replaced(opt: Any) -> None:
    entry = next(iter(opt.state.values()))
    for key in [key for key, held in entry.items() if isinstance(held, torch.Tensor)]:
        entry[key] = entry[key].clone()


@pytest.mark.parametrize("plain", [False, True], ids=["native look", "plain look"])
@pytest.mark.parametrize("change", [loaded, cleared, entry_deleted, entry_emptied, replaced], ids=lambda c: c.__name__)
@pytest.mark.parametrize("name", ["AdamW", "RMSprop", "NAdam", "Lion"])
def test_state_that_is_taken_out_is_freed_at_once(
    name: str, change: Step, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the next step, and that step is right: equal to one of a fresh optimizer with this state."""
    from adamas.torch import _look

    if plain:
        monkeypatch.setattr(_look, "layout_known", lambda: False)
    opt = getattr(adamas.torch, name)(parameters(), lr=1e-3)
    steps(opt)
    assert opt._driver.look is not None
    held = [weakref.ref(t) for t in next(iter(opt.state.values())).values() if isinstance(t, torch.Tensor)]
    assert held
    change(opt)
    assert [part() for part in held] == [None] * len(held)
    twin = copy.deepcopy(opt)
    for p, q in zip(*(o.param_groups[0]["params"] for o in (opt, twin)), strict=True):
        q.grad = p.grad.clone()
    steps(opt), steps(twin)
    for p, q in zip(*(o.param_groups[0]["params"] for o in (opt, twin)), strict=True):
        assert torch.equal(p, q)


def test_a_change_from_another_thread_waits_for_the_step() -> None:
    """The plan that a step has in use is not taken from it."""
    opt = adamas.torch.AdamW(parameters(), lr=1e-3)
    steps(opt)
    driver = opt._driver
    other = threading.Thread(target=opt.state.clear)
    with driver.engine.lock:  # as a step holds it
        other.start()
        other.join(0.5)
        assert driver.plan is not None
        assert other.is_alive()
    other.join(GUARD)
    assert driver.plan is None
    steps(opt)


def test_the_clip_and_the_plain_look_are_freed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from adamas.torch import _look

    monkeypatch.setattr(_look, "layout_known", lambda: False)
    opt = adamas.torch.AdamW(parameters(), clip_norm=1.0, nonfinite="skip")
    steps(opt)
    assert type(opt._driver.look) is _look.PlainLook
    part = weakref.ref(opt)
    del opt
    assert part() is None
