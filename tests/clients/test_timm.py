"""timm: its factory builds our classes by name, with its groups by layer, and its Lookahead wraps them.

timm needs torchvision, which must be of the same build as torch; so it is no part of the extra `clients`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

try:
    import timm  # noqa: F401
except (ImportError, RuntimeError) as error:  # torchvision of another build than torch's raises RuntimeError
    pytest.skip(f"timm cannot be imported: {error}", allow_module_level=True)

import torch
from timm.optim import create_optimizer_v2
from timm.optim._optim_factory import OptimInfo, default_registry
from timm.optim.lookahead import Lookahead
from torch.nn.functional import cross_entropy

import clients.training
from clients.training import OURS, THEIRS, assert_same_bits, assert_trains_like_torch, network, parts

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore", "error:Detected call of")]
BOTH = pytest.mark.parametrize("cls", [THEIRS, OURS], ids=["torch", "ours"])


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The names `adamasadamw` and `adamaslion` in timm's registry, by path; timm reads a name up to the last `_` as a prefix."""
    before = dict(default_registry._optimizers)
    for name, path in (("adamasadamw", "adamas.torch.AdamW"), ("adamaslion", "adamas.torch.Lion")):
        default_registry.register(OptimInfo(name=name, opt_class=path, has_betas=True))
    default_registry.register(OptimInfo(name="chosen", opt_class="clients.training.Chosen", has_betas=True))
    yield
    default_registry._optimizers.clear()
    default_registry._optimizers.update(before)


def train(model: Any, optimizer: Any, steps: int) -> list[float]:
    """The losses of so many steps."""
    out = []
    for k in range(steps):
        x, y = parts()[k % 4]
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        out.append(loss.item())
    return out


def made(cls: Any, monkeypatch: pytest.MonkeyPatch, **kwargs: Any) -> tuple[Any, Any]:
    """A model and its optimizer by timm's factory."""
    monkeypatch.setattr(clients.training, "Chosen", cls, raising=False)
    model = network()
    return model, create_optimizer_v2(model, opt="chosen", lr=0.02, weight_decay=0.1, betas=(0.8, 0.99), **kwargs)


@pytest.mark.parametrize("lookahead", [False, True])
def test_training(lookahead: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses are torch's, with timm's groups (no decay for vectors), alone and within Lookahead."""

    def run(cls: Any) -> list[float]:
        model, optimizer = made(cls, monkeypatch)
        assert [g["weight_decay"] for g in optimizer.param_groups] == [0.0, 0.1]
        return train(model, Lookahead(optimizer, k=3) if lookahead else optimizer, 12)

    assert_trains_like_torch(run)


@BOTH
def test_saved_and_resumed(cls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """State dictionaries of the model and the optimizer in the middle: the same bits as without."""
    model, optimizer = made(cls, monkeypatch)
    losses = train(model, optimizer, 8)
    first = made(cls, monkeypatch)
    train(*first, 4)
    second = made(cls, monkeypatch)
    second[0].load_state_dict(first[0].state_dict())
    second[1].load_state_dict(first[1].state_dict())
    assert_same_bits(train(*second, 4), losses[4:])
    assert_same_bits(second[1].state_dict(), optimizer.state_dict())


def test_extras_and_other_rules() -> None:
    """Arguments of the factory reach the extras of ours; a rule that torch has not is built by its name."""
    optimizer: Any = create_optimizer_v2(network(), opt="adamasadamw", lr=0.1, clip_norm=0.5)
    assert type(optimizer) is OURS
    assert optimizer._extras["clip_norm"] == 0.5
    lion: Any = create_optimizer_v2(network(), opt="adamaslion", lr=0.1, cautious=True)
    assert all(group["cautious"] for group in lion.param_groups)
    assert torch.is_tensor(lion.param_groups[0]["params"][0])
