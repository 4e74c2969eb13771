"""What torch's tests ask of an optimizer in two processes, and of its state in a distributed checkpoint."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from frontends.pytorch.contract import DENSE, MODULE, assert_same, over, parameters, train
from frontends.pytorch.processes import run_processes
from snapshots import GUARD

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch's checkpoints, about themselves


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """What the two processes found, by the name of the check."""
    return run_processes("distributed_worker.py", 2, tmp_path_factory.mktemp("gloo"), GUARD)


@pytest.mark.parametrize("kind", ["sharded", "zero"])
def test_two_processes(reports: list[dict[str, str]], kind: str) -> None:
    """DTensor parameters and ZeroRedundancyOptimizer train as one process does."""
    for rank, report in enumerate(reports):
        checks = {label: failure for label, failure in report.items() if label.startswith(kind)}
        assert len(checks) >= 3
        failed = [f"process {rank}, {label}: {failure}" for label, failure in checks.items() if failure]
        assert not failed, "\n".join(failed)


def network() -> torch.nn.Module:
    """Two layers with names."""
    torch.manual_seed(2)
    return torch.nn.Sequential(torch.nn.Linear(3, 17), torch.nn.Linear(17, 2))


def give(model: torch.nn.Module, seed: int) -> None:
    """Gradients, the same each time."""
    params = list(model.parameters())
    for p, g in zip(params, parameters(*(tuple(p.shape) for p in params), seed=seed), strict=True):
        p.grad = g


@over(DENSE)
@pytest.mark.parametrize("flat", [False, True], ids=["nested", "flattened"])
def test_a_checkpoint_by_names(info: Any, flat: bool) -> None:
    """State by parameter names goes into a fresh optimizer, which goes on alike."""
    checkpoint = pytest.importorskip("torch.distributed.checkpoint.state_dict")
    options = checkpoint.StateDictOptions(flatten_optimizer_state_dict=flat)
    one, two = network(), network()
    opt, fresh = info.optim_cls(one.parameters(), lr=0.0625), info.optim_cls(two.parameters(), lr=0.5)
    for k in range(2):
        give(one, k)
        opt.step()
    saved = copy.deepcopy(checkpoint.get_optimizer_state_dict(one, opt, options=options))
    assert all(isinstance(key, str) for key in saved)
    # the same step of a fresh optimizer, whose state is made by a step of lr 0: nothing may move
    held = [p.detach().clone() for p in two.parameters()]
    two_before = checkpoint.get_optimizer_state_dict(two, fresh, options=options)
    assert_same([p.detach() for p in two.parameters()], held)
    assert list(two_before) == list(saved)
    two.load_state_dict(one.state_dict())
    checkpoint.set_optimizer_state_dict(two, fresh, saved, options=options)
    assert fresh.param_groups[0]["lr"] == 0.0625
    for k in range(2, 4):
        give(one, k), give(two, k)
        opt.step(), fresh.step()
    assert_same([p.detach() for p in two.parameters()], [p.detach() for p in one.parameters()])


def test_steps_inside_the_backward_pass() -> None:
    """One optimizer for each parameter, stepping from a hook of autograd's thread, is one optimizer for all."""
    one, two = network(), network()
    whole = MODULE.Adam(one.parameters(), lr=0.0625)
    each = {p: MODULE.Adam([p], lr=0.0625) for p in two.parameters()}

    def hook(p: torch.Tensor) -> None:
        each[p].step()
        each[p].zero_grad()

    for p in two.parameters():
        p.register_post_accumulate_grad_hook(hook)
    x = parameters((5, 3))[0]
    for _ in range(3):
        whole.zero_grad()
        one(x).square().sum().backward()
        whole.step()
        two(x).square().sum().backward()
        assert_same([p.detach() for p in two.parameters()], [p.detach() for p in one.parameters()])
    assert all(p.grad is None for p in two.parameters())


def test_optimizers_applied_in_backward() -> None:
    """Torch's own helper for that takes our classes."""
    applied = pytest.importorskip("torch.distributed.optim.apply_optimizer_in_backward")
    one, two = network(), network()
    whole = MODULE.SGD(one.parameters(), lr=0.0625, momentum=0.9)
    applied._apply_optimizer_in_backward(MODULE.SGD, two.parameters(), {"lr": 0.0625, "momentum": 0.9})
    x = parameters((5, 3))[0]
    for _ in range(3):
        whole.zero_grad()
        one(x).square().sum().backward()
        whole.step()
        two(x).square().sum().backward()
    assert_same([p.detach() for p in two.parameters()], [p.detach() for p in one.parameters()])
    train(DENSE[2], whole, list(one.parameters()), 1)
