"""What torch's tests ask of an optimizer under torch.compile, make_fx and swapped-in state; graphs run as recorded."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from contract import DENSE, MODULE, assert_same, each, flagged, over, parameters, settings, train
from torch._dynamo.testing import CompileCounter

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

    def body(kwargs: dict[str, Any]) -> None:
        torch._dynamo.reset()
        made = []
        for compiled in (False, True):
            model, x = small()
            opt = info.optim_cls(model.parameters(), **copy.deepcopy(kwargs))

            def loss(model: Any = model, x: Any = x, opt: Any = opt) -> torch.Tensor:
                opt.zero_grad()
                value = model(x).square().sum()
                value.backward()
                return value

            def step(loss: Any = loss, opt: Any = opt) -> Any:
                return opt.step(loss) if closure else opt.step()

            run = torch.compile(step, backend="eager") if compiled else step
            for _ in range(3):
                loss()
                run()
            made.append((list(model.parameters()), opt.state_dict()))
        torch.testing.assert_close(made[1][0], made[0][0])
        assert_same(made[1][1]["state"].keys(), made[0][1]["state"].keys())
        for k, state in made[0][1]["state"].items():
            torch.testing.assert_close(made[1][1]["state"][k], state)

    each(list(settings(info))[-2:], body)


def graphs(params: list[torch.Tensor], opt: Any, between: Callable[[int], None], steps: int) -> int:
    """Number of graphs compiled for a function that steps, something happening before each call."""
    counter = CompileCounter()

    @torch.compile(backend=counter)
    def run() -> None:
        opt.step()

    for k in range(steps):
        for j, p in enumerate(params):
            p.grad = parameters(tuple(p.shape), seed=10 * k + j)[0]
        between(k)
        run()
    return counter.frame_count


@over(DENSE)
@pytest.mark.parametrize("what", ["nothing", "lr", "weight_decay", "gradients", "time"])
def test_changes_recompile_nothing(info: Any, what: str) -> None:
    """A step compiled into a graph or left out of it, but no new graph for a new number or a new tensor."""
    params = parameters((3, 4), (17,))
    opt = info.optim_cls(params, weight_decay=0.1)
    held = [p.clone() for p in params]

    def between(k: int) -> None:
        if what in ("lr", "weight_decay"):
            opt.param_groups[0][what] = 0.01 * (k + 1)
        elif what == "gradients":
            for p in params:
                p.grad = p.grad.clone()

    few = graphs(params, opt, between, 3)
    torch._dynamo.reset()
    assert few <= MOST_GRAPHS
    assert graphs(params, opt, between, 12 if what == "time" else 5) <= MOST_GRAPHS
    assert all(bool((p != q).any()) for p, q in zip(params, held, strict=True))


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


@over(DENSE)
def test_a_compiled_step_method(info: Any) -> None:
    """`torch.compile(opt.step)` steps as `opt.step` does."""

    def body(kwargs: dict[str, Any]) -> None:
        torch._dynamo.reset()
        one, two = parameters((3, 4), (17,)), parameters((3, 4), (17,))
        opt, other = info.optim_cls(one, **copy.deepcopy(kwargs)), info.optim_cls(two, **copy.deepcopy(kwargs))
        run = torch.compile(opt.step, backend="eager")
        for k in range(3):
            for j, (p, q) in enumerate(zip(one, two, strict=True)):
                p.grad = parameters(tuple(p.shape), seed=10 * k + j)[0]
                q.grad = p.grad.clone()
            run(), other.step()
        torch.testing.assert_close(one, two)

    each(list(flagged(info, ("foreach",)))[:1], body)


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
    model, x, opt, others, saved = ready(name)
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
