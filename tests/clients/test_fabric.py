"""Lightning Fabric: clipping in every precision, training, saving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lightning", reason="the extra `clients` is not installed")

import lightning as L
import torch
from torch.nn.functional import cross_entropy

from clients.training import OURS, THEIRS, assert_same_bits, assert_trains_like_torch, data, network

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore", "error:Detected call of")]
PRECISIONS = pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])


def fabric_of(cls: Any, precision: str) -> tuple[Any, Any, Any]:
    """Fabric with a model and an optimizer; for 16-mixed it is given a scaler for the CPU."""
    given: dict[str, Any] = {"precision": precision}
    if precision == "16-mixed":
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=100)
        given = {"plugins": [L.fabric.plugins.precision.MixedPrecision("16-mixed", "cpu", scaler=scaler)]}
    fabric = L.Fabric(accelerator="cpu", devices=1, **given)
    model = network()
    return fabric, *fabric.setup(model, cls(model.parameters(), lr=0.02))


@pytest.mark.parametrize("cls", [THEIRS, OURS], ids=["torch", "ours"])
@PRECISIONS
def test_gradients_are_clipped(cls: Any, precision: str) -> None:
    """After `clip_gradients` gradients have the norm that was asked for, less torch's 1e-6 in the divisor."""
    fabric, model, optimizer = fabric_of(cls, precision)
    x, y = data()
    for _ in range(3):
        fabric.backward(10 * cross_entropy(model(x), y))
        fabric.clip_gradients(model, optimizer, max_norm=0.5)
        norm = float(torch.nn.utils.get_total_norm([p.grad for p in model.parameters()]))
        assert abs(norm - 0.5) < 1e-5
        optimizer.step()
        optimizer.zero_grad()


@PRECISIONS
def test_training(precision: str, tmp_path: Path) -> None:
    """Losses are torch's; saved and loaded in the middle, the bits are those of an uninterrupted run."""

    def part(fabric: Any, model: Any, optimizer: Any, steps: int) -> list[float]:
        out = []
        x, y = data()
        for _ in range(steps):
            loss = cross_entropy(model(x), y)
            out.append(loss.item())
            fabric.backward(loss)
            fabric.clip_gradients(model, optimizer, max_norm=0.3)
            optimizer.step()
            optimizer.zero_grad()
        return out

    def run(cls: Any) -> list[float]:
        whole = fabric_of(cls, precision)
        out = part(*whole, 8)
        if cls in (OURS, THEIRS):
            first, second = fabric_of(cls, precision), fabric_of(cls, precision)
            early = part(*first, 4)
            first[0].save(tmp_path / cls.__module__, {"model": first[1], "optimizer": first[2]})
            second[0].load(tmp_path / cls.__module__, {"model": second[1], "optimizer": second[2]})
            assert_same_bits([*early, *part(*second, 4)], out)
            assert_same_bits(second[2].state_dict(), whole[2].state_dict())
        return out

    assert_trains_like_torch(run, autocast=precision != "32-true")
