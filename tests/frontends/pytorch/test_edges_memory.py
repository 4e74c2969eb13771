"""A dropped optimizer gives its memory back at once: nothing of it is part of a reference cycle."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import adamas.torch

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


def test_the_clip_and_the_plain_look_are_freed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from adamas.torch import _look

    monkeypatch.setattr(_look, "layout_known", lambda: False)
    opt = adamas.torch.AdamW(parameters(), clip_norm=1.0, nonfinite="skip")
    steps(opt)
    assert type(opt._driver.look) is _look.PlainLook
    part = weakref.ref(opt)
    del opt
    assert part() is None
