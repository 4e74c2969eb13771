"""What torch's tests ask of hooks: each runs once, in order, may change what passes by, and can be removed."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from frontends.pytorch.contract import INFOS, assert_same, over, parameters, train


def stepped(info: Any, **kwargs: Any) -> tuple[Any, list[torch.Tensor]]:
    """An optimizer with state."""
    params = parameters((4, 3), (17,))
    opt = info.optim_cls(params, **kwargs)
    train(info, opt, params, 2)
    return opt, params


@over(INFOS)
def test_step_hooks(info: Any) -> None:
    """Before and after every step, with the optimizer and the arguments, until removed."""
    opt, params = stepped(info)
    calls: list[Any] = []
    before = opt.register_step_pre_hook(lambda o, args, kwargs: calls.append(("pre", o, args, kwargs)))
    after = opt.register_step_post_hook(lambda o, args, kwargs: calls.append(("post", o, args, kwargs)))
    train(info, opt, params, 2)
    assert [c[0] for c in calls] == ["pre", "post"] * 2
    assert all(c[1] is opt for c in calls)
    calls.clear()
    before.remove()
    opt.step(closure=lambda: 3.0)
    assert [c[0] for c in calls] == ["post"]
    assert set(calls[0][3]) == {"closure"}
    after.remove()
    train(info, opt, params, 1)
    assert len(calls) == 1


@over(INFOS)
def test_a_step_hook_may_change_the_arguments(info: Any) -> None:
    """A pair returned takes the place of the arguments; anything else is an error, before anything moves."""
    opt, params = stepped(info)
    handle = opt.register_step_pre_hook(lambda o, args, kwargs: (args, {"closure": lambda: 42.0}))
    assert opt.step() == 42.0
    handle.remove()
    opt.register_step_pre_hook(lambda o, args, kwargs: "nonsense")
    held = copy.deepcopy(params)
    with pytest.raises(RuntimeError, match="must return None or a tuple"):
        opt.step()
    assert_same(params, held)


@over(INFOS)
def test_hooks_of_all_optimizers(info: Any) -> None:
    """Global hooks surround local ones; those of a class derived from ours run once too."""
    derived = type("Derived", (info.optim_cls,), {})
    for cls in (info.optim_cls, derived):
        params = parameters((4, 3), (17,))
        opt = cls(params)
        order: list[int] = []
        handles = [
            register_optimizer_step_pre_hook(lambda o, a, k: order.append(0)),  # noqa: B023 - called in this turn
            opt.register_step_pre_hook(lambda o, a, k: order.append(1)),  # noqa: B023
            opt.register_step_post_hook(lambda o, a, k: order.append(2)),  # noqa: B023
            register_optimizer_step_post_hook(lambda o, a, k: order.append(5)),  # noqa: B023
        ]
        try:
            train(info, opt, params, 2)
        finally:
            for handle in handles:
                handle.remove()
        assert order == [0, 1, 2, 5] * 2
        train(info, opt, params, 1)
        assert len(order) == 8


@over(INFOS)
def test_state_dict_hooks(info: Any) -> None:
    """One before that may change the optimizer, one after that may replace the dictionary; order can be chosen."""
    opt, _ = stepped(info)
    order: list[str] = []

    def before(o: Any) -> None:
        order.append("pre")
        o.param_groups[0]["lr"] = 0.5

    def after(o: Any, saved: dict[str, Any]) -> dict[str, Any]:
        order.append("post")
        saved["note"] = 1
        return {**saved, "replaced": True}

    def first(o: Any, saved: dict[str, Any]) -> None:
        order.append("first")
        assert "note" not in saved

    handles = [opt.register_state_dict_pre_hook(before), opt.register_state_dict_post_hook(after)]
    handles.append(opt.register_state_dict_post_hook(first, prepend=True))
    saved = opt.state_dict()
    assert order == ["pre", "first", "post"]
    assert saved["param_groups"][0]["lr"] == 0.5
    assert saved["replaced"] is True
    assert saved["note"] == 1
    for handle in handles:
        handle.remove()
    assert set(opt.state_dict()) == {"state", "param_groups"}
    assert len(order) == 3


@over(INFOS)
def test_load_state_dict_hooks(info: Any) -> None:
    """One before that may replace what is loaded, without touching what was given, and one after; order can be chosen."""
    opt, params = stepped(info, lr=0.25)
    given = opt.state_dict()
    kept = copy.deepcopy(given)
    order: list[str] = []

    def before(o: Any, loading: dict[str, Any]) -> dict[str, Any]:
        order.append("pre")
        groups = [{**group, "lr": group["lr"] / 2} for group in loading["param_groups"]]
        return {**loading, "param_groups": groups}

    def first(o: Any, loading: dict[str, Any]) -> None:
        order.append("first")
        assert loading["param_groups"][0]["lr"] == 0.25

    def after(o: Any) -> None:
        order.append("post")
        assert o.param_groups[0]["lr"] == 0.125
        o.state[params[0]]["seen"] = 1

    handles = [opt.register_load_state_dict_pre_hook(before), opt.register_load_state_dict_post_hook(after)]
    handles.append(opt.register_load_state_dict_pre_hook(first, prepend=True))
    opt.load_state_dict(given)
    assert order == ["first", "pre", "post"]
    assert opt.param_groups[0]["lr"] == 0.125
    assert opt.state[params[0]].pop("seen") == 1
    assert_same(given, kept)
    for handle in handles:
        handle.remove()
    opt.load_state_dict(given)
    assert opt.param_groups[0]["lr"] == 0.25
    assert len(order) == 3
    train(info, opt, params, 1)


@over(INFOS)
def test_hooks_that_save_and_load_keep_the_course(info: Any) -> None:
    """A hook on either side that turns values around and back leaves training as it was."""

    def turn(o: Any, saved: dict[str, Any]) -> dict[str, Any]:
        slots = {k: {n: -v if torch.is_tensor(v) else v for n, v in s.items()} for k, s in saved["state"].items()}
        return {**saved, "state": slots}

    opt, one = stepped(info)
    two = [p.clone() for p in one]
    twin = info.optim_cls(two)
    opt.register_state_dict_post_hook(turn)
    twin.register_load_state_dict_pre_hook(turn)
    twin.load_state_dict(opt.state_dict())
    train(info, opt, one, 2), train(info, twin, two, 2)
    assert_same(two, one)
