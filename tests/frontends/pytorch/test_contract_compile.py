"""What torch's tests ask of an optimizer under torch.compile, make_fx and swapped-in state; graphs run as recorded."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from frontends.pytorch.contract import DENSE, MODULE, assert_same, over, parameters, settings, train

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch's compiler, about itself
MOST_GRAPHS = 2
"""The first step makes state, so it may be traced apart from the later ones."""


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def small() -> tuple[torch.nn.Module, torch.Tensor]:
    """A network of two layers and its input."""
    torch.manual_seed(4)
    return torch.nn.Sequential(torch.nn.Linear(4, 17), torch.nn.Sigmoid(), torch.nn.Linear(17, 3)), torch.randn(5, 4)


@over(DENSE)
@pytest.mark.parametrize("closure", [False, True], ids=["step", "closure"])
def test_compiled_training_is_training(info: Any, closure: bool) -> None:
    """Three steps of a compiled function give the parameters and the state of the eager one."""
    (_, kwargs) = list(settings(info))[-1]  # the one with most in it
    made = []
    for compiled in (False, True):
        params = parameters((17, 3), (17,))
        for p in params:
            p.requires_grad_()
        opt = info.optim_cls(params, **copy.deepcopy(kwargs))

        def loss(params: list[torch.Tensor] = params, opt: Any = opt) -> torch.Tensor:
            opt.zero_grad()
            value = (params[0].sum(1) + params[1]).square().sum()
            value.backward()
            return value

        def step(loss: Any = loss, opt: Any = opt) -> Any:
            return opt.step(loss) if closure else opt.step()

        run = torch.compile(step, backend="eager") if compiled else step
        for _ in range(3):
            loss()
            run()
        made.append((params, opt.state_dict()["state"]))
    (one, state), (two, other) = made
    assert not torch.allclose(one[0], parameters((17, 3))[0])
    torch.testing.assert_close(two, one)
    assert list(other) == list(state)
    for k, slots in state.items():
        torch.testing.assert_close(other[k], slots)


@over(DENSE)
def test_changes_recompile_nothing(info: Any) -> None:
    """A step may be compiled into a graph or left out of it, but a new number or tensor makes no new graph."""
    params = parameters((3, 4), (17,))
    opt = info.optim_cls(params, weight_decay=0.1)
    counter = CompileCounter()
    run = torch.compile(lambda: opt.step(), backend=counter)
    counts = []
    for k in range(12):
        for j, p in enumerate(params):
            p.grad = parameters(tuple(p.shape), seed=10 * k + j)[0]
        if k in (4, 5, 6):
            opt.param_groups[0]["lr"] = 0.01 * k
        if k in (7, 8, 9):
            opt.param_groups[0]["weight_decay"] = 0.01 * k
        before = [p.clone() for p in params]
        run()
        assert all(bool((p != q).any()) for p, q in zip(params, before, strict=True))
        counts.append(counter.frame_count)
    assert counts[-1] <= MOST_GRAPHS
    assert counts[-1] == counts[1]


@over(DENSE)
def test_missing_gradients_are_seen(info: Any) -> None:
    """A parameter that loses its gradient between compiled steps stays put, and moves again with a new one."""
    params = parameters((3, 4), (17,))
    opt = info.optim_cls(params)
    run = torch.compile(lambda: opt.step(), backend="eager")
    for k, missing in enumerate([None, 1, None, 0, None]):
        for j, p in enumerate(params):
            p.grad = None if j == missing else parameters(tuple(p.shape), seed=10 * k + j)[0]
        before = [p.clone() for p in params]
        run()
        for j, (p, q) in enumerate(zip(params, before, strict=True)):
            assert torch.equal(p, q) == (j == missing)


@pytest.mark.parametrize(
    "kwargs",
    [{}, {"momentum": 0.75}, {"momentum": 0.75, "nesterov": True}, {"weight_decay": 0.125}, {"maximize": True}],
    ids=str,
)
def test_complex_sgd_over_lists(kwargs: dict[str, Any]) -> None:
    """SGD of a complex parameter, with `foreach` or without: the same bits; compiled, the same within rounding."""
    params = [parameters((3, 2), dtype=torch.complex64) for _ in range(3)]
    plain, lists, compiled = (
        MODULE.SGD(p, lr=0.125, foreach=foreach, **kwargs)
        for p, foreach in zip(params, (False, True, True), strict=True)
    )
    run = torch.compile(compiled.step, backend="eager")
    for k in range(4):
        for (p,) in params:
            p.grad = parameters((3, 2), dtype=torch.complex64, seed=k)[0]
        plain.step(), lists.step(), run()
    assert_same(params[1], params[0])
    assert_same(list(lists.state[params[1][0]].values()), list(plain.state[params[0][0]].values()))
    torch.testing.assert_close(
        params[2], params[0], rtol=0, atol=4 * 8 * 2.0**-24 * 4
    )  # four steps of numbers below four
    assert not torch.allclose(params[0][0], parameters((3, 2), dtype=torch.complex64)[0])


@over(DENSE)
def test_a_compiled_step_method(info: Any) -> None:
    """`torch.compile(opt.step)` steps as `opt.step` does."""

    one, two = parameters((3, 4), (17,)), parameters((3, 4), (17,))
    opt, other = info.optim_cls(one), info.optim_cls(two)
    run = torch.compile(opt.step, backend="eager")
    for k in range(3):
        for j, (p, q) in enumerate(zip(one, two, strict=True)):
            p.grad = parameters(tuple(p.shape), seed=10 * k + j)[0]
            q.grad = p.grad.clone()
        run(), other.step()
    torch.testing.assert_close(one, two)


def ready(name: str, **kwargs: Any) -> tuple[torch.nn.Module, torch.Tensor, Any, dict[str, Any], dict[str, Any]]:
    """A network, its input, its optimizer after a step, other parameters, and a copy of the optimizer's state."""
    model, x = small()
    opt = getattr(MODULE, name)(model.named_parameters(), lr=0.03125, **kwargs)
    model(x).sum().backward()
    opt.step()
    opt.zero_grad()
    others = {k: torch.randn_like(p).requires_grad_() for k, p in model.named_parameters()}
    return model, x, opt, others, copy.deepcopy(opt.state_dict())


@pytest.mark.parametrize("name", ["AdamW", "Adagrad", "RMSprop"])
def test_state_swapped_in(name: str) -> None:
    """Parameters and state from elsewhere are stepped on in their own memory; then the optimizer is as it was."""
    stateless = pytest.importorskip("torch.optim._stateless")
    model, _, opt, others, saved = ready(name)
    before, state, held = copy.deepcopy(opt.state_dict()), opt.state, [p.detach().clone() for p in model.parameters()]
    lists = [group["params"] for group in opt.param_groups]
    twin = getattr(MODULE, name)([p.detach().clone() for p in others.values()], lr=0.03125)
    twin.load_state_dict(copy.deepcopy(saved))
    grads = parameters(*(tuple(p.shape) for p in others.values()))
    for p, q, g in zip(others.values(), twin.param_groups[0]["params"], grads, strict=True):
        p.grad, q.grad = g.clone(), g.clone()
    with stateless.swap_in_optimizer_params_and_state(opt, others, saved):
        assert opt.param_groups[0]["param_names"] == list(others)
        opt.step()
    twin.step()
    assert_same([p.detach() for p in others.values()], twin.param_groups[0]["params"])
    for k, slots in twin.state_dict()["state"].items():
        assert_same(saved["state"][k], slots)
    assert opt.state is state
    assert [group["params"] for group in opt.param_groups] == lists
    assert_same(opt.state_dict(), before)
    assert_same([p.detach() for p in model.parameters()], held)
    with pytest.raises(RuntimeError, match="uttered"), stateless.swap_in_optimizer_params_and_state(opt, others, saved):
        raise RuntimeError("uttered")
    assert opt.state is state
    with (
        pytest.raises(RuntimeError, match="keys to exactly match"),
        stateless.swap_in_optimizer_params_and_state(
            opt, others, {**saved, "param_groups": [{**saved["param_groups"][0], "more": 1}]}
        ),
    ):
        pass


def test_a_step_recorded_by_make_fx() -> None:
    """A step on traced tensors becomes operations of the graph, which then give an eager step's numbers."""
    stateless = pytest.importorskip("torch.optim._stateless")
    from torch.fx.experimental.proxy_tensor import make_fx
    from torch.nn.utils.stateless import _reparametrize_module

    model, x, opt, others, saved = ready("SGD", momentum=0.9)
    others = {k: p.detach() for k, p in others.items()}

    def function(state: Any, x: torch.Tensor) -> torch.Tensor:
        params, optimizer_state = state
        with (
            _reparametrize_module(model, params),
            stateless.swap_in_optimizer_params_and_state(opt, params, optimizer_state),
        ):
            for p in params.values():
                p.grad = torch.ones_like(p)
            opt.step()
            return model(x)

    graph = make_fx(function)((copy.deepcopy(others), copy.deepcopy(saved)), x)
    eager = function((copy.deepcopy(others), copy.deepcopy(saved)), x)
    still = torch.nn.Sequential(*copy.deepcopy(list(model)))
    still.load_state_dict(others)
    recorded = graph((copy.deepcopy(others), copy.deepcopy(saved)), x)
    torch.testing.assert_close(recorded, eager)
    assert not torch.allclose(still(x), eager)


def test_traced_steps_leave_real_tensors_alone() -> None:
    """Fake tensors have no memory to write to: a step on them changes no number anywhere and raises nothing."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    params = parameters((3, 4))
    with FakeTensorMode() as mode:
        fake = [mode.from_tensor(p) for p in params]
        opt = MODULE.Adam(fake)
        for p in fake:
            p.grad = torch.ones_like(p)
        opt.step()
        assert opt.state[fake[0]]["exp_avg"].shape == (3, 4)
    assert_same(params, parameters((3, 4)))
    real = MODULE.Adam(params)
    train(DENSE[0], real, params, 1)
    assert not torch.equal(params[0], parameters((3, 4))[0])
