"""Tensors that no kernel of ours reaches: torch's own step where torch has the class, else the rule over lists.

There is no such device here, so parameters are steered into those lanes: the set of devices that kernels reach is emptied.
The tests with a GPU run the same comparisons there.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch

import adamas
import adamas.torch
from adamas.torch import _lanes, _operations

TORCHS = {
    "Adam": {"weight_decay": 0.1, "amsgrad": True},
    "AdamW": {"weight_decay": 0.1, "betas": (0.8, 0.95)},
    "SGD": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    "Adagrad": {"lr_decay": 0.1, "initial_accumulator_value": 0.2},
    "RMSprop": {"momentum": 0.8, "centered": True},
    "Adadelta": {"rho": 0.8},
    "NAdam": {"momentum_decay": 0.01},
    "RAdam": {"betas": (0.8, 0.95)},
    "Adamax": {"weight_decay": 0.1},
}
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture
def no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have our kernels reach no device."""
    monkeypatch.setattr(_lanes, "KERNEL_DEVICES", set())
    monkeypatch.setattr("adamas.torch._optimizer.KERNEL_DEVICES", set())


def parameters(device: str = "cpu", seed: int = 0) -> list[torch.nn.Parameter]:
    g = torch.Generator("cpu").manual_seed(seed)
    shapes = [(7,), (3, 4), (), (1,), (50,)]
    return [torch.nn.Parameter(torch.randn(s, generator=g).to(device)) for s in shapes]


def set_gradients(params: list[torch.nn.Parameter], step: int) -> None:
    g = torch.Generator("cpu").manual_seed(100 + step)
    for k, p in enumerate(params):
        p.grad = None if (step, k) == (1, 0) else torch.randn(p.shape, generator=g).to(p.device, p.dtype)


def run(opt: Any, params: list[torch.nn.Parameter], steps: int = 4, first: int = 0) -> None:
    for step in range(first, first + steps):
        set_gradients(params, step)
        opt.step()


def same_state(a: Any, b: Any) -> None:
    one, two = a.state_dict(), b.state_dict()
    assert one["state"].keys() == two["state"].keys()
    for k, entry in one["state"].items():
        assert list(entry) == list(two["state"][k])
        for key, value in entry.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(two["state"][k][key])), key
    strip = [{k: v for k, v in g.items() if k != "params"} for g in one["param_groups"]]
    assert strip == [{k: v for k, v in g.items() if k != "params"} for g in two["param_groups"]]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", TORCHS)
def test_torchs_own_step_serves(name: str, device: str, no_kernels: None) -> None:
    """The same bits and state as torch's class; hooks run once."""
    params, twins = parameters(device), parameters(device)
    opt = getattr(adamas.torch, name)(params, lr=0.1, **TORCHS[name])
    twin = getattr(torch.optim, name)(twins, lr=0.1, **TORCHS[name])
    calls: list[str] = []
    opt.register_step_pre_hook(lambda *a: calls.append("before"))
    opt.register_step_post_hook(lambda *a: calls.append("after"))
    run(opt, params)
    run(twin, twins)
    assert all(torch.equal(a, b) for a, b in zip(params, twins, strict=True))
    same_state(opt, twin)
    assert calls == ["before", "after"] * 4
    assert opt.paths == {"torch": 5}
    assert device in adamas.info()["torch_paths"]["torch"]


@pytest.mark.parametrize("name", TORCHS)
def test_a_mixture_takes_both_paths(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some parameters within reach, some not, in one optimizer and one group."""
    reached = parameters(seed=1)
    params = [*parameters(), *reached]
    plain = _lanes.within_reach
    monkeypatch.setattr(_lanes, "within_reach", lambda p: plain(p) and any(p is r for r in reached))
    opt = getattr(adamas.torch, name)(params, lr=0.1, **TORCHS[name])
    torch_twins, our_twins = parameters(), parameters(seed=1)
    for step in range(4):
        set_gradients(params[:5], step)
        set_gradients(reached, step)
        opt.step()
    run(getattr(torch.optim, name)(torch_twins, lr=0.1, **TORCHS[name]), torch_twins)
    monkeypatch.undo()
    run(getattr(adamas.torch, name)(our_twins, lr=0.1, **TORCHS[name]), our_twins)
    assert all(torch.equal(a, b) for a, b in zip(params[:5], torch_twins, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(reached, our_twins, strict=True))
    assert opt.paths == {"torch": 5, "native": 5}


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("overflows", [(), (1,)])
def test_gradient_scaling_on_torchs_own_step(fused: bool, overflows: tuple[int, ...], no_kernels: None) -> None:
    """With and without fused: parameters, gradients, scale and what was skipped equal torch's."""
    results = []
    for library in (adamas.torch, torch.optim):
        params = parameters()
        opt, scaler = library.AdamW(params, lr=0.1, fused=fused), torch.amp.GradScaler("cpu", init_scale=8.0)
        skipped = []
        for step in range(3):
            set_gradients(params, step)
            for p in params:
                if p.grad is not None:
                    p.grad.mul_(8.0)
            if step in overflows:
                params[1].grad.view(-1)[0] = math.inf
            scaler._lazy_init_scale_growth_tracker(torch.device("cpu")) if scaler._scale is None else None
            scaler.scale(torch.ones(()))
            before = [p.detach().clone() for p in params]
            scaler.step(opt)
            scaler.update(8.0)
            skipped.append(all(torch.equal(a, b) for a, b in zip(params, before, strict=True)))
            if library is adamas.torch and fused:
                assert opt.last_step_skipped is (step in overflows)
        results.append((params, [p.grad for p in params], skipped))
    (ours, our_grads, our_skips), (theirs, their_grads, their_skips) = results
    assert our_skips == their_skips == [step in overflows for step in range(3)]
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(our_grads, their_grads, strict=True))


def test_state_moves_between_the_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parameter that comes into reach continues from the state that torch's step made, and back."""
    params, twins = parameters(), parameters()
    opt, twin = adamas.torch.AdamW(params, lr=0.1), adamas.torch.AdamW(twins, lr=0.1)
    run(twin, twins, 6)
    run(opt, params, 2)
    monkeypatch.setattr(_lanes, "KERNEL_DEVICES", set())
    monkeypatch.setattr("adamas.torch._optimizer.KERNEL_DEVICES", set())
    opt._driver.plan = None
    run(opt, params, 2, first=2)
    assert opt.paths == {"torch": 5}
    monkeypatch.undo()
    run(opt, params, 2, first=4)
    assert opt.paths == {"native": 5}
    for a, b in zip(params, twins, strict=True):  # two of six steps were torch's: a few roundings apart
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    assert [int(s["step"]) for s in opt.state.values()] == [int(s["step"]) for s in twin.state.values()]


EXTRA = [
    ("AdamW", {"clip_norm": 0.5}),
    ("AdamW", {"nonfinite": "skip"}),
    ("SGD", {"momentum": 0.9, "clip_norm": 0.5, "nonfinite": "raise"}),
    ("Adagrad", {"clip_norm": 0.5}),
    *((name, {}) for name in adamas.torch.CLASSES if name not in TORCHS and not name.startswith("Sparse")),
    ("Lion", {"cautious": True}),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("name", "given"), EXTRA, ids=[f"{n}-{'-'.join(g)}" for n, g in EXTRA])
def test_the_rule_over_lists_has_the_bits_of_single_tensors(
    name: str, given: dict[str, Any], device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where something of ours is asked for: operations over lists, with the bits of the same operations tensor by tensor.

    The kernel's bits may differ: torch's square root is not always the nearest number, and it takes a number over a tensor
    as a product with the reciprocal: a few units in the last place (6e-8) of each update in four steps, and updates are
    about as large as parameters here.
    """
    reached = parameters()
    run(getattr(adamas.torch, name)(reached, lr=0.1, weight_decay=0.1, **given), reached)
    monkeypatch.setattr(_lanes, "KERNEL_DEVICES", set())
    monkeypatch.setattr("adamas.torch._optimizer.KERNEL_DEVICES", set())
    twins = parameters(device)
    with monkeypatch.context() as context:
        context.setattr(_operations.OperationsPlan, "_goes_in_list", lambda self, member: False)
        run(getattr(adamas.torch, name)(twins, lr=0.1, weight_decay=0.1, **given), twins)
    lists: list[int] = []
    plain = _operations.OperationsPlan._step_list

    def noted(self: Any, members: Any, *rest: Any) -> Any:
        lists.append(len(members))
        return plain(self, members, *rest)

    monkeypatch.setattr(_operations.OperationsPlan, "_step_list", noted)
    params = parameters(device)
    opt = getattr(adamas.torch, name)(params, lr=0.1, weight_decay=0.1, **given)
    run(opt, params)
    assert opt.paths == {"operations": 5}
    assert sum(lists) == (0 if given.get("cautious") else 5 + 4 + 5 + 5)  # the mask counts tensor by tensor
    assert len(lists) <= 6  # the parameter that missed a gradient has another step count than the rest
    for a, b, kernel in zip(params, twins, reached, strict=True):
        assert torch.equal(a, b)
        torch.testing.assert_close(a.cpu(), kernel, rtol=3e-6, atol=3e-6)


@pytest.mark.parametrize("name", ["AdamW", "Lion"])
def test_half_precision_parameters_over_lists(name: str, no_kernels: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """float32 arithmetic and state for 16-bit parameters, as in the kernel, when an extra of ours is asked for."""
    for dtype in (torch.bfloat16, torch.float16):
        params = [torch.nn.Parameter(p.detach().to(dtype)) for p in parameters()]
        twins = copy.deepcopy(params)
        opt = getattr(adamas.torch, name)(params, lr=0.1, nonfinite="skip")
        for step in range(3):
            set_gradients(params, step)
            opt.step()
        assert opt.paths == {"operations": 5}
        monkeypatch.undo()
        twin = getattr(adamas.torch, name)(twins, lr=0.1, nonfinite="skip")
        for step in range(3):
            set_gradients(twins, step)
            twin.step()
        assert twin.paths == {"native": 5}
        for a, b in zip(params, twins, strict=True):  # a last bit of float32 may turn the rounding to 16 bits
            torch.testing.assert_close(a, b, rtol=2.0**-7 if dtype is torch.bfloat16 else 2.0**-10, atol=1e-4)
        assert all(v.dtype is torch.float32 for s in opt.state.values() for k, v in s.items() if v.dim())
        monkeypatch.setattr(_lanes, "KERNEL_DEVICES", set())


class Tagged(torch.Tensor):
    """A tensor subclass without behaviour of its own."""


def test_tensor_subclasses_take_torchs_step() -> None:
    p = torch.nn.Parameter(torch.ones(4).as_subclass(Tagged))
    twin = torch.nn.Parameter(torch.ones(4).as_subclass(Tagged))
    p.grad, twin.grad = torch.ones(4).as_subclass(Tagged), torch.ones(4).as_subclass(Tagged)
    opt, theirs = adamas.torch.AdamW([p]), torch.optim.AdamW([twin])
    for _ in range(3):
        opt.step()
        theirs.step()
    assert type(p) is type(twin)
    assert opt.paths == ({"torch": 1} if type(p) is not torch.nn.Parameter else {"native": 1})
    torch.testing.assert_close(torch.as_tensor(p), torch.as_tensor(twin), rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", ["Lion", "Nesterov"])
def test_parameters_that_share_memory_are_stepped_in_turn(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two parameters over one storage, or over parts of it that overlap: off the kernels as on them."""
    results = []
    for reached in (True, False):
        if not reached:
            monkeypatch.setattr(_lanes, "KERNEL_DEVICES", set())
            monkeypatch.setattr("adamas.torch._optimizer.KERNEL_DEVICES", set())
        memory = torch.linspace(1.0, 2.0, 12)
        params = [torch.nn.Parameter(view) for view in (memory[:8], memory[4:], memory[:3], memory[8:])]
        opt = getattr(adamas.torch, name)(params, lr=0.1)
        for p in params:
            p.grad = torch.ones_like(p)
        opt.step()
        opt.step()
        assert opt.paths == {"native" if reached else "operations": 4}
        results.append(memory.clone())
        if not reached:
            clipped = getattr(adamas.torch, name)(params, lr=0.1, clip_norm=1.0)
            with pytest.raises(ValueError, match="appear twice or share memory"):
                clipped.step()
    torch.testing.assert_close(*results, rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", ["AdamW", "Adamax", "NAdam"])
def test_float32_state_of_16_bit_parameters_loads_where_torch_steps(name: str, no_kernels: None) -> None:
    """State that our kernels kept in float32 takes the parameter's dtype, as torch's own loading has it."""
    params, twins = ([torch.nn.Parameter(torch.ones(5, dtype=torch.bfloat16))] for _ in range(2))
    state = {"step": torch.tensor(1.0), "exp_avg": torch.full((5,), 0.1)}
    state |= {"exp_inf" if name == "Adamax" else "exp_avg_sq": torch.full((5,), 0.01)}
    state |= {"mu_product": torch.tensor(0.8)} if name == "NAdam" else {}
    for library, ps in ((adamas.torch, params), (torch.optim, twins)):
        opt = getattr(library, name)(ps, lr=0.1)
        opt.load_state_dict({**opt.state_dict(), "state": {0: copy.deepcopy(state)}})
        ps[0].grad = torch.ones(5, dtype=torch.bfloat16)
        opt.step()
        assert all(v.dtype is torch.bfloat16 for v in opt.state[ps[0]].values() if v.dim())
    assert torch.equal(params[0], twins[0])
