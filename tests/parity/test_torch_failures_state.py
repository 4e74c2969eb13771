"""Torch's failures of state: saved, loaded, incomplete, half-updated, sparse."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch.optim")
import torch

from parity.failures import (
    OURS,
    THEIRS,
    adam,
    average_room,
    flags,
    intact,
    leaf,
    placed,
    probe,
    raised,
    refuses,
    step,
    verdict,
    within,
)

LR = 0.03
START, GRAD = np.array([1.0, -2.0, 0.5]), np.array([0.5, 1.0, -2.0])


def stepped(module: Any, start: Any = START, grad: Any = GRAD, dtype: torch.dtype = torch.float32, **kwargs: Any) -> tuple[torch.Tensor, Any]:  # fmt: skip
    """(parameter, Adam on it) after a step."""
    p = leaf(start, dtype)
    p.grad = placed(grad, dtype)
    opt = module.Adam([p], lr=LR, **kwargs)
    step(opt)
    return p, opt


@probe("#196083", "#147288")
@flags
def test_two_optimizers_after_loading(flags: dict[str, bool]) -> None:
    """Loading another's state dict shares its tensors: each then moves the other's moments and count."""

    def run(module: Any) -> tuple[float, torch.Tensor]:
        p, one = stepped(module, **flags)
        q = leaf(START)
        two = module.Adam([q], lr=LR, **flags)
        two.load_state_dict(one.state_dict())
        q.grad = placed(GRAD)
        step(two)
        return float(one.state[p]["step"]), one.state[p]["exp_avg"]

    once, twice = (adam(START, n * [GRAD]).m for n in (1, 2))
    room = average_room(2.0, 2)
    count, moment = run(OURS)
    assert count == 1
    assert within(moment, once, room)
    count, moment = run(THEIRS)
    verdict(
        wrong=count == 2 and within(moment, twice, room), right=count == 1 and within(moment, once, room), seen=moment
    )


@probe("#43706")
def test_loading_moments_of_another_dtype() -> None:
    """float32 moments of a bfloat16 parameter are rounded to bfloat16 by loading them."""
    exact = 1.0 + 2.0**-20  # 1 in bfloat16

    def run(module: Any) -> torch.Tensor:
        p, opt = stepped(module, dtype=torch.bfloat16)
        saved = copy.deepcopy(opt.state_dict())
        saved["state"][0]["exp_avg"] = torch.full((3,), exact)
        opt.load_state_dict(saved)
        return opt.state[p]["exp_avg"]

    assert within(run(OURS), exact, 0.0)
    seen = run(THEIRS)
    verdict(wrong=within(seen, 1.0, 0.0), right=within(seen, exact, 0.0), seen=seen)


@probe("#43706")
def test_loading_integers() -> None:
    """Integers in the state become floats of the parameter's dtype, which cannot count so far."""
    count = 2**24 + 1

    def run(module: Any) -> torch.Tensor:
        p, opt = stepped(module)
        opt.state[p]["tokens"] = torch.tensor([count])
        opt.load_state_dict(copy.deepcopy(opt.state_dict()))
        return opt.state[p]["tokens"]

    seen = run(OURS)
    assert seen.dtype is torch.int64
    assert seen.tolist() == [count]
    seen = run(THEIRS)
    verdict(wrong=seen.tolist() == [2.0**24], right=seen.tolist() == [count], seen=seen)


def named(module: Any, names: str) -> tuple[dict[str, torch.Tensor], Any]:
    """Parameters by name, in this order, and Adam on them."""
    params = {name: leaf(START) for name in names}
    return params, module.Adam(params.items(), lr=LR)


@probe("#1489", "#134107")
def test_parameters_in_another_order() -> None:
    """The file has names, and so has the optimizer; torch goes by place, and swaps the moments silently."""
    grads = {"a": GRAD, "b": 10 * GRAD}

    def run(module: Any, **how: bool) -> dict[str, torch.Tensor]:
        params, saved = named(module, "ab")
        for name, p in params.items():
            p.grad = placed(grads[name])
        step(saved)
        params, opt = named(module, "ba")
        opt.load_state_dict(saved.state_dict(), **how)
        return {name: opt.state[p]["exp_avg"] for name, p in params.items()}

    expected = {name: adam(START, [g]).m for name, g in grads.items()}
    room = average_room(20.0, 1)
    moments = run(OURS, by_name=True)
    assert all(within(moments[name], expected[name], room) for name in "ab")
    moments = run(THEIRS)
    wrong = within(moments["a"], expected["b"], room) and within(moments["b"], expected["a"], room)
    right = all(within(moments[name], expected[name], room) for name in "ab")
    verdict(wrong=wrong, right=right, seen=moments)


@probe("#34660", "#3852")
def test_a_model_with_one_more_layer() -> None:
    """Fine-tuning: what the file knows goes on, what is new begins; torch refuses the file."""

    def run(module: Any, **how: bool) -> dict[str, torch.Tensor]:
        params, saved = named(module, "ab")
        for p in params.values():
            p.grad = placed(GRAD)
        step(saved)
        params, opt = named(module, "axb")
        opt.load_state_dict(saved.state_dict(), **how)
        for p in params.values():
            p.grad = placed(GRAD)
        step(opt)
        return params

    params = run(OURS, by_name=True, strict=False)
    m, v = (1 - 0.9) * GRAD, (1 - 0.999) * GRAD**2
    assert adam(START, [GRAD], lr=LR).near(params["x"])
    assert all(adam(START, [GRAD], lr=LR, done=(m, v, 1)).near(params[name]) for name in "ab")
    error = raised(lambda: run(THEIRS))
    verdict(wrong="doesn't match the size" in str(error), right=error is None, seen=error)


@probe()
@flags
def test_a_file_without_one_of_the_moments(flags: dict[str, bool]) -> None:
    """What is missing begins at zero; torch raises a KeyError, when the first of the steps is due."""

    def run(module: Any) -> tuple[torch.Tensor, BaseException | None]:
        p, opt = stepped(module, **flags)
        p.data.copy_(torch.tensor(START))
        saved = copy.deepcopy(opt.state_dict())
        del saved["state"][0]["exp_avg_sq"]
        opt.load_state_dict(saved)
        return p, raised(lambda: step(opt))

    expected = adam(START, [GRAD], lr=LR, done=((1 - 0.9) * GRAD, 0.0, 1))
    p, error = run(OURS)
    assert error is None
    assert expected.near(p)
    q, error = run(THEIRS)
    verdict(wrong=isinstance(error, KeyError), right=error is None and expected.near(q), seen=repr(error))


@probe()
@flags
def test_amsgrad_turned_on_later(flags: dict[str, bool]) -> None:
    """Settings may change between steps, this one by a KeyError; the maximum begins with the step that needs it."""
    grads = [GRAD, 3 * GRAD, 0.1 * GRAD, 0.1 * GRAD]

    def run(module: Any) -> tuple[torch.Tensor, BaseException | None]:
        p, opt = stepped(module, betas=(0.9, 0.5), **flags)
        opt.param_groups[0]["amsgrad"] = True
        for g in grads[1:]:
            p.grad = placed(g)
            if error := raised(lambda: step(opt)):
                return p, error
        return p, None

    expected = adam(START, [placed(g).numpy() for g in grads], lr=LR, betas=(0.9, 0.5), amsgrad_from=2)
    p, error = run(OURS)
    assert error is None
    assert expected.near(p)
    q, error = run(THEIRS)
    verdict(wrong=isinstance(error, KeyError), right=error is None and expected.near(q), seen=repr(error))


@probe()
@pytest.mark.parametrize("flags", [{}, {"foreach": True}], ids=["loop", "foreach"])
def test_a_step_that_fails(flags: dict[str, bool]) -> None:
    """One state of a wrong shape, in the second parameter: torch has changed the first, or all counts, by then."""

    def build(module: Any) -> tuple[Any, Any]:
        params = [leaf(START), leaf(START)]
        for p in params:
            p.grad = placed(GRAD)
        opt = module.Adam(params, lr=LR, **flags)
        step(opt)
        opt.state[params[1]]["exp_avg"] = torch.zeros(2)
        return params, opt

    _, opt = build(OURS)
    refuses(opt, RuntimeError, r"exp_avg.*\(2,\).*\(3,\)")
    params, opt = build(THEIRS)
    error = raised(opt.step)
    counts = [float(opt.state[p]["step"]) for p in params]
    verdict(wrong=error is not None and 2.0 in counts, right=error is not None and counts == [1.0, 1.0], seen=counts)


@probe("#25484", "#48482", "#1285")
def test_weight_decay_of_sparse_gradients() -> None:
    """Rows of an embedding that a batch touches are stepped and decay, others rest; nothing in torch can do that."""
    start, rows, decay = np.arange(1.0, 11.0).reshape(5, 2), [1, 3, 1], 0.25
    grads = np.array([[0.5, -1.0], [2.0, 0.25], [1.0, 0.5]])

    def run(module: Any, name: str, **kwargs: Any) -> torch.Tensor:
        p = leaf(start)
        p.grad = torch.sparse_coo_tensor(torch.tensor([rows]), torch.tensor(grads, dtype=torch.float32), (5, 2), check_invariants=True)  # fmt: skip
        step(getattr(module, name)([p], lr=LR, weight_decay=decay, **kwargs))
        return p

    expected, touched = start.copy(), [1, 3]
    path = adam(start[touched], [np.array([grads[0] + grads[2], grads[1]])], lr=LR, weight_decay=decay)
    expected[touched] = path.p
    p = run(OURS, "SparseAdamW")
    assert within(p[touched], path.p, path.room(p.dtype))
    assert torch.equal(p[[0, 2, 4]].detach(), torch.tensor(start[[0, 2, 4]], dtype=torch.float32))
    assert intact(p)
    names = [name for name in ("SparseAdamW", "SparseAdam", "AdamW", "Adam", "SGD") if hasattr(THEIRS, name)]
    errors = {name: raised(lambda name=name: run(THEIRS, name)) for name in names}
    right = any(error is None and path.near(run(THEIRS, name)[touched]) for name, error in errors.items())
    verdict(wrong=all(errors.values()), right=right, seen=errors)
