"""What torch's tests ask of state dictionaries: they are complete, load anywhere, and are nobody else's memory."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch

from frontends.pytorch.contract import (
    DENSE,
    INFOS,
    MODULE,
    assert_same,
    each,
    flagged,
    over,
    parameters,
    settings,
    train,
)


def pair() -> list[torch.Tensor]:
    """A weight and a bias."""
    return parameters((10, 5), (33,))


def named(params: list[torch.Tensor], on: bool) -> list[Any]:
    """The parameters, with names or without."""
    return list(zip(("weight", "bias"), params, strict=True)) if on else params


@over(INFOS)
@pytest.mark.parametrize("names", [False, True], ids=["unnamed", "named"])
def test_loading_continues_alike(info: Any, names: bool) -> None:
    """An optimizer that loads another's state does the same steps from there; the loaded dict is not changed."""

    def body(kwargs: dict[str, Any]) -> None:
        one = pair()
        opt = info.optim_cls(named(one, names), **copy.deepcopy(kwargs))
        train(info, opt, one, 3)
        two = [p.clone() for p in one]
        twin = info.optim_cls(named(two, names), **copy.deepcopy(kwargs))
        loaded = copy.deepcopy(opt.state_dict())
        kept = copy.deepcopy(loaded)
        twin.load_state_dict(loaded)
        assert_same(loaded, kept)
        for k in range(3):
            train(info, opt, one, 1, 50 + k), train(info, twin, two, 1, 50 + k)
            assert_same(two, one)
        assert_same(twin.state_dict(), opt.state_dict())
        if names:
            assert twin.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
        # groups that repeat parameters are written the same way
        twin.param_groups.extend(twin.param_groups)
        assert_same(twin.state_dict()["param_groups"][-1], opt.state_dict()["param_groups"][-1])

    each(settings(info), body)


@over(INFOS)
def test_older_files_load(info: Any) -> None:
    """Options which a file of an older torch lacks are filled in, and steps can be taken."""

    def body(kwargs: dict[str, Any]) -> None:
        params = pair()
        opt = info.optim_cls(params, **kwargs)
        train(info, opt, params, 2)
        full = opt.state_dict()
        for missing in (*((flag,) for flag in info.not_og_supported_flags), info.not_og_supported_flags):
            old = copy.deepcopy(full)
            for group in old["param_groups"]:
                for flag in missing:
                    group.pop(flag, None)
            opt.load_state_dict(old)
            lacking = [key for key in full["param_groups"][0] if key not in opt.param_groups[0]]
            assert not [key for key in lacking if key not in missing]
            train(info, opt, params, 1)

    each(flagged(info, ("foreach", "fused")), body)


@over(INFOS)
@pytest.mark.parametrize("saved", [False, True], ids=["from unnamed", "from named"])
@pytest.mark.parametrize("live", [False, True], ids=["to unnamed", "to named"])
def test_names_load(info: Any, saved: bool, live: bool) -> None:
    """Names in the file win; a file without names leaves the optimizer's."""

    def body(kwargs: dict[str, Any]) -> None:
        one, two = pair(), pair()
        opt = info.optim_cls(named(one, saved), **copy.deepcopy(kwargs))
        train(info, opt, one, 2)
        other = [(f"own.{k}", p) for k, p in enumerate(two)] if live else two
        twin = info.optim_cls(other, **copy.deepcopy(kwargs))
        twin.load_state_dict(opt.state_dict())
        expected = ["weight", "bias"] if saved else ["own.0", "own.1"] if live else None
        assert twin.param_groups[0].get("param_names") == expected
        train(info, twin, two, 1)

    each(settings(info), body)


@over(INFOS)
def test_weights_only_files(info: Any) -> None:
    """A saved state needs no code to load, and comes back equal."""

    def body(kwargs: dict[str, Any]) -> None:
        params = pair()
        opt = info.optim_cls(params, **kwargs)
        train(info, opt, params, 2)
        file = io.BytesIO()
        torch.save(opt.state_dict(), file)
        file.seek(0)
        back = torch.load(file, weights_only=True)
        assert_same(back, opt.state_dict())
        twin = info.optim_cls(pair(), **copy.deepcopy(kwargs))
        twin.load_state_dict(back)
        assert_same(twin.state_dict(), opt.state_dict())

    each(flagged(info), body)


@over(INFOS)
def test_a_step_saved_as_a_number_loads(info: Any) -> None:
    """Old files hold the step as a number; it becomes what this torch keeps, and training goes on alike."""

    def body(kwargs: dict[str, Any]) -> None:
        one = pair()
        opt = info.optim_cls(one, **copy.deepcopy(kwargs))
        train(info, opt, one, 2)
        saved = copy.deepcopy(opt.state_dict())
        for state in saved["state"].values():
            if "step" in state:
                state["step"] = float(state["step"])
        two = [p.clone() for p in one]
        twin = info.optim_cls(two, **copy.deepcopy(kwargs))
        twin.load_state_dict(saved)
        train(info, opt, one, 2, 9), train(info, twin, two, 2, 9)
        assert_same(two, one)
        for p, q in zip(one, two, strict=True):
            assert {k: float(v) for k, v in opt.state[p].items() if k == "step"} == {
                k: float(v) for k, v in twin.state[q].items() if k == "step"
            }

    each(flagged(info), body)


@over(INFOS)
def test_loading_copies(info: Any) -> None:
    """Steps of the one optimizer leave the other's state alone, and the dictionary's."""

    def body(kwargs: dict[str, Any]) -> None:
        one, two = pair(), pair()
        opt, twin = (info.optim_cls(p, **copy.deepcopy(kwargs)) for p in (one, two))
        train(info, opt, one, 2)
        saved = opt.state_dict()
        twin.load_state_dict(saved)
        before = copy.deepcopy((saved, opt.state_dict()))
        train(info, twin, two, 2)
        assert_same((saved, opt.state_dict()), before)
        train(info, opt, one, 1)
        for p, q in zip(one, two, strict=True):
            for a, b in zip(opt.state[p].values(), twin.state[q].values(), strict=True):
                if isinstance(a, torch.Tensor):
                    assert a.data_ptr() != b.data_ptr()

    each(settings(info), body)


def test_adam_and_adamw_exchange_files() -> None:
    """Adam with decoupled decay and AdamW load each other's files; AdamW stays decoupled after loading any Adam's."""
    adam, adamw = MODULE.Adam, MODULE.AdamW
    assert issubclass(adamw, adam)
    one, two = pair(), pair()
    plain = adam(one, weight_decay=0.1, decoupled_weight_decay=True)
    decoupled = adamw(two, weight_decay=0.1)
    for k in range(2):
        train(DENSE[0], plain, one, 1, k), train(DENSE[0], decoupled, two, 1, k)
        assert_same(two, one)
    saved, other = copy.deepcopy(plain.state_dict()), copy.deepcopy(decoupled.state_dict())
    decoupled.load_state_dict(saved), plain.load_state_dict(other)
    train(DENSE[0], plain, one, 1), train(DENSE[0], decoupled, two, 1)
    assert_same(two, one)
    coupled = adam(pair(), weight_decay=0.1)
    decoupled.load_state_dict(coupled.state_dict())
    assert decoupled.param_groups[0]["decoupled_weight_decay"] is True
    older = copy.deepcopy(coupled.state_dict())
    del older["param_groups"][0]["decoupled_weight_decay"]
    decoupled.load_state_dict(older)
    assert decoupled.param_groups[0]["decoupled_weight_decay"] is True
    coupled.load_state_dict(older)
    assert coupled.param_groups[0]["decoupled_weight_decay"] is False


@over(INFOS)
def test_groups_of_another_shape_are_refused(info: Any) -> None:
    """A file for other groups is named as such, and nothing changes."""
    params = pair()
    opt = info.optim_cls(params)
    train(info, opt, params, 1)
    before = copy.deepcopy(opt.state_dict())
    more = info.optim_cls([{"params": [p]} for p in pair()])
    fewer = info.optim_cls(pair()[:1])
    with pytest.raises(ValueError, match="loaded state dict has a different number of parameter groups"):
        opt.load_state_dict(more.state_dict())
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        opt.load_state_dict(fewer.state_dict())
    assert_same(opt.state_dict(), before)
