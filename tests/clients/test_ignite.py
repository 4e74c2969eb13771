"""ignite: trainers, scalers, checkpoints, parameter schedules and averages with our optimizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ignite", reason="the extra `clients` is not installed")

import torch
from ignite.engine import Engine, Events, create_supervised_trainer
from ignite.handlers import (
    Checkpoint,
    CosineAnnealingScheduler,
    DiskSaver,
    EMAHandler,
    LRScheduler,
    ParamGroupScheduler,
    PiecewiseLinear,
    create_lr_scheduler_with_warmup,
)

from clients.training import OURS, THEIRS, assert_same_bits, assert_trains_like_torch, network, parts

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore", "error:Detected call of")]
BOTH = pytest.mark.parametrize("cls", [THEIRS, OURS], ids=["torch", "ours"])
SCHEDULES = ["none", "torch", "piecewise", "groups", "warmup", "eps"]


class Training:
    """A trainer of ignite with its model, optimizer and schedule; `losses` holds all losses."""

    def __init__(self, cls: Any, schedule: str = "none", scaled: bool = False, every: int = 1) -> None:
        self.model = network()
        weights = [p for p in self.model.parameters() if p.dim() > 1]
        others = [p for p in self.model.parameters() if p.dim() <= 1]
        groups: list[dict[str, Any]] = [{"params": weights, "weight_decay": 0.1}, {"params": others, "lr": 0.01}]
        self.optimizer = cls(groups, lr=0.02)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=3) if scaled else None
        amp: dict[str, Any] = {"amp_mode": "amp", "scaler": self.scaler} if scaled else {}
        self.trainer = create_supervised_trainer(
            self.model, self.optimizer, torch.nn.CrossEntropyLoss(), gradient_accumulation_steps=every, **amp
        )
        self.schedule = schedule_of(schedule, self.optimizer)
        if self.schedule is not None:
            self.trainer.add_event_handler(Events.ITERATION_STARTED, self.schedule)
        self.losses: list[float] = []
        self.trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda e: self.losses.append(float(e.state.output)))

    def saved(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        kept = {"model": self.model, "optimizer": self.optimizer, "trainer": self.trainer, "schedule": self.schedule}
        return {k: v for k, v in (kept | {"scaler": self.scaler}).items() if v is not None}


def schedule_of(name: str, optimizer: Any) -> Any:
    """A schedule that writes into the optimizer's groups."""
    if name == "torch":
        return LRScheduler(torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9))
    if name == "piecewise":
        return PiecewiseLinear(optimizer, "lr", [(0, 0.0), (4, 0.03), (12, 0.001)])
    if name == "groups":
        first = CosineAnnealingScheduler(optimizer, "lr", 0.03, 0.001, 8, param_group_index=0)
        second = PiecewiseLinear(optimizer, "weight_decay", [(0, 0.0), (12, 0.5)], param_group_index=1)
        return ParamGroupScheduler([first, second])
    if name == "warmup":
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)
        return create_lr_scheduler_with_warmup(cosine, warmup_start_value=0.0, warmup_end_value=0.02, warmup_duration=4)
    if name == "eps":
        return PiecewiseLinear(optimizer, "eps", [(0, 1e-8), (12, 1e-3)])
    return None


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_training(schedule: str) -> None:
    """Losses are torch's with schedules that write lr, eps and weight decay, of one group or all."""

    def run(cls: Any) -> list[float]:
        training = Training(cls, schedule)
        training.trainer.run(parts(), max_epochs=3)
        return training.losses

    assert_trains_like_torch(run)


@pytest.mark.parametrize("every", [1, 2])
def test_training_with_a_scaler(every: int) -> None:
    """Losses are torch's with ignite's own use of GradScaler, and accumulated gradients."""

    def run(cls: Any) -> list[float]:
        training = Training(cls, scaled=True, every=every)
        with torch.autocast("cpu", dtype=torch.float16):  # ignite asks for CUDA's alone
            training.trainer.run(parts(), max_epochs=3)
        return training.losses

    assert_trains_like_torch(run, autocast=True)


@BOTH
@pytest.mark.parametrize("scaled", [False, True])
def test_saved_and_resumed(cls: Any, scaled: bool, tmp_path: Path) -> None:
    """Checkpoint and its load_objects in the middle: the same bits as without."""
    whole = Training(cls, "torch", scaled)
    whole.trainer.run(parts(), max_epochs=4)
    first = Training(cls, "torch", scaled)
    handler = Checkpoint(first.saved(), DiskSaver(str(tmp_path), require_empty=False), n_saved=None)
    first.trainer.add_event_handler(Events.EPOCH_COMPLETED(once=2), handler)
    first.trainer.run(parts(), max_epochs=3)
    second = Training(cls, "torch", scaled)
    Checkpoint.load_objects(second.saved(), torch.load(tmp_path / str(handler.last_checkpoint), weights_only=True))
    second.trainer.run(parts(), max_epochs=4)
    assert_same_bits(second.losses, whole.losses[8:])
    assert_same_bits(second.model.state_dict(), whole.model.state_dict())
    assert_same_bits(second.optimizer.state_dict(), whole.optimizer.state_dict())


def test_averages() -> None:
    """EMAHandler: the average of weights is torch's."""

    def run(cls: Any) -> list[float]:
        training = Training(cls)
        average = EMAHandler(training.model, momentum=0.1)
        average.attach(training.trainer, name="ema", event=Events.ITERATION_COMPLETED)
        seen: list[float] = []
        x, y = parts(64)[0]

        def note(engine: Engine) -> None:
            with torch.no_grad():
                seen.append(torch.nn.functional.cross_entropy(average.ema_model(x), y).item())

        training.trainer.add_event_handler(Events.ITERATION_STARTED, note)
        training.trainer.run(parts(), max_epochs=3)
        return seen

    assert_trains_like_torch(run)
