"""accelerate: prepared optimizers, skipped steps, schedules, saved states."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("accelerate", reason="the extra `clients` is not installed")

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.state import AcceleratorState, GradientState, PartialState

from clients.training import OURS, THEIRS, assert_same_bits, assert_trains_like_torch, data, network

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore", "error:Detected call of")]
BOTH = pytest.mark.parametrize("cls", [THEIRS, OURS], ids=["torch", "ours"])


@pytest.fixture(autouse=True)
def _no_accelerator_is_left() -> Iterator[None]:
    """accelerate's states are singletons of the process."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    PartialState._reset_state()


class Training:
    """One run: model, optimizer, schedule and batches prepared by an Accelerator."""

    def __init__(self, cls: Any, mixed: str = "no", every: int = 1, **kwargs: Any) -> None:
        _reset()
        self.accelerator = Accelerator(cpu=True, mixed_precision=mixed, gradient_accumulation_steps=every)
        if mixed == "fp16":  # accelerate makes no scaler for the CPU, but uses one
            self.accelerator.native_amp = True
            self.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=3)
        model = network()
        optimizer = cls(model.parameters(), **{"lr": 0.02} | kwargs)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=20)
        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*data()), batch_size=16)
        self.model, self.optimizer, self.schedule, self.loader = self.accelerator.prepare(
            model, optimizer, schedule, loader
        )
        self.losses: list[float] = []
        self.skipped: list[bool] = []
        self.rates: list[float] = []

    def epoch(self, clip: float | None = None, spoil: tuple[int, ...] = ()) -> None:
        """All batches once; `spoil` are numbers of batches whose loss overflows."""
        for k, (x, y) in enumerate(self.loader):
            with self.accelerator.accumulate(self.model):
                loss = torch.nn.functional.cross_entropy(self.model(x), y)
                self.losses.append(loss.item())
                self.accelerator.backward(loss * float("inf") if k in spoil else loss)
                if clip is not None and self.accelerator.sync_gradients:
                    self.accelerator.clip_grad_norm_(self.model.parameters(), clip)
                self.optimizer.step()
                self.skipped.append(self.optimizer.step_was_skipped)
                self.schedule.step()
                self.rates.append(self.schedule.get_last_lr()[0])
                self.optimizer.zero_grad()

    def all(self) -> Any:
        """Everything that a resumed run must have in common with an uninterrupted one."""
        return [self.losses[-4:], self.model.state_dict(), self.optimizer.state_dict(), self.schedule.state_dict()]


def _reset() -> None:
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


@pytest.mark.parametrize("mixed", ["no", "bf16", "fp16"])
@pytest.mark.parametrize("every", [1, 2])
def test_training(mixed: str, every: int) -> None:
    """Losses are torch's, with clipping, a schedule and accumulated gradients."""

    def run(cls: Any) -> list[float]:
        training = Training(cls, mixed, every)
        for _ in range(3):
            training.epoch(clip=0.5)
        return training.losses

    assert_trains_like_torch(run, autocast=mixed != "no")


@BOTH
@pytest.mark.parametrize("mixed", ["no", "fp16"])
def test_saved_and_resumed(cls: Any, mixed: str, tmp_path: Path) -> None:
    """save_state and load_state in the middle: the same bits as without."""
    whole = Training(cls, mixed)
    whole.epoch(), whole.epoch()
    first = Training(cls, mixed)
    first.epoch()
    first.accelerator.save_state(str(tmp_path))
    second = Training(cls, mixed)
    second.accelerator.load_state(str(tmp_path))
    second.epoch()
    assert_same_bits(second.all(), whole.all())


def test_a_run_of_torchs_class_is_resumed_with_ours(tmp_path: Path) -> None:
    """A checkpoint that accelerate wrote with torch's class loads into ours, and the training is torch's."""

    def run(cls: Any) -> list[float]:
        first = Training(THEIRS)
        first.epoch()
        first.accelerator.save_state(str(tmp_path / cls.__name__))
        second = Training(cls)
        second.accelerator.load_state(str(tmp_path / cls.__name__))
        second.epoch(), second.epoch()
        return second.losses

    assert_trains_like_torch(run)


@pytest.mark.parametrize("kwargs", [{}, {"foreach": True}, {"foreach": False}], ids=["plain", "foreach", "loop"])
def test_an_overflow_is_seen_and_the_schedule_waits(kwargs: dict[str, Any]) -> None:
    """After an overflow `step_was_skipped` is true and the schedule does not advance, as with torch's class."""
    runs = []
    for cls in (THEIRS, OURS):
        training = Training(cls, "fp16", **kwargs)
        training.epoch(spoil=(0, 2)), training.epoch(spoil=(1,))
        runs.append(training)
    theirs, ours = runs
    assert theirs.skipped == [True, False, True, False, False, True, False, False]
    assert ours.skipped == theirs.skipped
    assert ours.rates == theirs.rates
    assert ours.accelerator.optimizer_step_was_skipped == theirs.accelerator.optimizer_step_was_skipped
    assert ours.accelerator.scaler.get_scale() == theirs.accelerator.scaler.get_scale()
    steps = [float(entry["step"]) for entry in ours.optimizer.state.values()]
    assert steps == [5.0] * 6


def test_training_with_overflows() -> None:
    """Losses are torch's where a scaler leaves steps out, and gradients are clipped between backward and step."""

    def run(cls: Any) -> list[float]:
        training = Training(cls, "fp16")
        training.epoch(clip=0.5, spoil=(1,)), training.epoch(clip=0.5, spoil=(0, 3)), training.epoch(clip=0.5)
        return training.losses

    assert_trains_like_torch(run, autocast=True)


def test_with_fused_both_unscale_in_the_step() -> None:
    """`fused=True` asks for the scale to be handed over, as in torch: losses alike, `last_step_skipped` tells."""

    def run(cls: Any) -> list[float]:
        training = Training(cls, "fp16", fused=True)
        training.epoch(spoil=(1,)), training.epoch(), training.epoch()
        return training.losses

    assert_trains_like_torch(run, autocast=True)
    training = Training(OURS, "fp16", fused=True)
    training.epoch(spoil=(3,))
    assert training.optimizer.optimizer.last_step_skipped
    assert training.optimizer.optimizer.counters["skipped"] == 1


@BOTH
def test_only_fused_claims_to_unscale(cls: Any) -> None:
    """The attribute that accelerate, Lightning and GradScaler read is there exactly with `fused=True`, as in torch."""
    for fused in (None, False, True):
        optimizer = cls(network().parameters(), fused=fused)
        again = pickle.loads(pickle.dumps(optimizer))
        assert getattr(optimizer, "_step_supports_amp_scaling", False) is bool(fused)
        if cls is OURS:  # torch's class forgets it when copied
            assert getattr(again, "_step_supports_amp_scaling", False) is bool(fused)
            assert getattr(copy.deepcopy(optimizer), "_step_supports_amp_scaling", False) is bool(fused)


@BOTH
def test_a_prepared_optimizer_is_copied(cls: Any) -> None:
    """An AcceleratedOptimizer is pickled and copied with its optimizer, and both go the same way."""
    training = Training(cls)
    training.epoch()
    for again in (copy.deepcopy(training.optimizer), pickle.loads(pickle.dumps(training.optimizer))):
        assert isinstance(again, AcceleratedOptimizer)
        twins = [p for g in again.param_groups for p in g["params"]]
        own = [p for g in training.optimizer.param_groups for p in g["params"]]
        assert_same_bits(again.state_dict(), training.optimizer.state_dict())
        kept = copy.deepcopy(training.optimizer)
        for p, q, r in zip(twins, own, (p for g in kept.param_groups for p in g["params"]), strict=True):
            p.grad, r.grad = torch.ones_like(q), torch.ones_like(q)
        again.step(), kept.step()
        assert_same_bits(again.state_dict(), kept.state_dict())


def test_every_extra_reaches_the_step() -> None:
    """`clip_norm` of the optimizer does what accelerate's clip_grad_norm_ does, with and without a scaler."""
    for mixed in ("no", "fp16"):
        inside, outside, plain = Training(OURS, mixed, clip_norm=0.05), Training(OURS, mixed), Training(OURS, mixed)
        inside.epoch(), outside.epoch(clip=0.05), plain.epoch()
        gap = max(abs(a - b) for a, b in zip(inside.losses, outside.losses, strict=True))
        assert gap < 1e-5 < max(abs(a - b) for a, b in zip(plain.losses, outside.losses, strict=True))
