"""Lightning: automatic and manual training, mixed precision with clipping, checkpoints, averaged weights."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lightning", reason="the extra `clients` is not installed")

import lightning as L
import torch
from lightning.pytorch.callbacks import (
    BackboneFinetuning,
    EMAWeightAveraging,
    GradientAccumulationScheduler,
    ModelCheckpoint,
    StochasticWeightAveraging,
)
from torch.nn.functional import cross_entropy

from clients.training import OURS, THEIRS, assert_same_bits, assert_trains_like_torch, data, network

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore", "error:Detected call of")]
BOTH = pytest.mark.parametrize("cls", [THEIRS, OURS], ids=["torch", "ours"])
PRECISIONS = pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])


class Module(L.LightningModule):
    """The network, its optimizer, and the losses of all steps."""

    def __init__(self, cls: Any = THEIRS, schedule: bool = True, **kwargs: Any) -> None:
        super().__init__()
        self.cls, self.schedule, self.kwargs = cls, schedule, kwargs
        self.network = network()
        self.losses: list[float] = []

    def training_step(self, batch: Any, k: int) -> Any:
        x, y = batch
        loss = cross_entropy(self.network(x), y)
        self.losses.append(loss.item())
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = self.cls(self.parameters(), **{"lr": 0.02} | self.kwargs)
        if not self.schedule:
            return optimizer
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.03, total_steps=40)  # writes betas too
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Manual(Module):
    """The optimizer is stepped by the module itself, with gradients clipped by Lightning."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.automatic_optimization = False

    def training_step(self, batch: Any, k: int) -> None:
        optimizer: Any = self.optimizers()
        loss = super().training_step(batch, k)
        optimizer.zero_grad()
        self.manual_backward(loss)
        self.clip_gradients(optimizer, gradient_clip_val=0.5, gradient_clip_algorithm="norm")
        optimizer.step()
        self.lr_schedulers().step()  # type: ignore[union-attr,call-arg]


def loader() -> Any:
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*data()), batch_size=16)


def trainer(folder: Path, epochs: int = 3, **kwargs: Any) -> L.Trainer:
    """A quiet trainer on the CPU; for 16-mixed it is given a scaler, because Lightning makes none there."""
    if kwargs.get("precision") == "16-mixed":
        del kwargs["precision"]
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=3)
        kwargs["plugins"] = [L.pytorch.plugins.precision.MixedPrecision("16-mixed", "cpu", scaler=scaler)]
    kwargs = {"enable_checkpointing": False, "callbacks": []} | kwargs
    return L.Trainer(
        accelerator="cpu", devices=1, max_epochs=epochs, logger=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=folder, **kwargs,
    )  # fmt: skip


@PRECISIONS
@pytest.mark.parametrize("algorithm", ["norm", "value"])
def test_training_with_clipping(precision: str, algorithm: str, tmp_path: Path) -> None:
    """Losses are torch's with `gradient_clip_val` in each precision, and a schedule that writes lr and betas."""
    clip = {"gradient_clip_val": 0.3 if algorithm == "norm" else 0.01, "gradient_clip_algorithm": algorithm}

    def run(cls: Any) -> list[float]:
        trainer(tmp_path, precision=precision, **clip).fit(module := Module(cls), loader())
        return module.losses

    assert_trains_like_torch(run, autocast=precision != "32-true")


@PRECISIONS
def test_training_by_hand(precision: str, tmp_path: Path) -> None:
    """Manual optimization with `clip_gradients`."""

    def run(cls: Any) -> list[float]:
        trainer(tmp_path, precision=precision).fit(module := Manual(cls), loader())
        return module.losses

    assert_trains_like_torch(run, autocast=precision != "32-true")


def test_accumulated_gradients(tmp_path: Path) -> None:
    """Accumulation that changes between epochs, with clipping."""

    def run(cls: Any) -> list[float]:
        made = trainer(tmp_path, callbacks=[GradientAccumulationScheduler({0: 1, 1: 2})], gradient_clip_val=0.5)
        made.fit(module := Module(cls, schedule=False), loader())
        return module.losses

    assert_trains_like_torch(run)


@BOTH
@pytest.mark.parametrize("precision", ["32-true", "bf16-true", "bf16-mixed", "16-mixed"])
def test_saved_and_resumed(cls: Any, precision: str, tmp_path: Path) -> None:
    """A checkpoint of the middle, then `ckpt_path`: the same bits as without."""
    kwargs: dict[str, Any] = {"precision": precision, "gradient_clip_val": 0.3}
    whole = trainer(tmp_path, **kwargs)
    whole.fit(module := Module(cls), loader())
    saver = ModelCheckpoint(dirpath=tmp_path, filename="middle", every_n_train_steps=8)
    first = trainer(tmp_path, enable_checkpointing=True, callbacks=[saver], epochs=2, **kwargs)
    first.fit(Module(cls), loader())
    (file,) = tmp_path.glob("middle*.ckpt")
    second = trainer(tmp_path, **kwargs)
    second.fit(resumed := Module(cls), loader(), ckpt_path=file, weights_only=False)
    assert len(resumed.losses) == 4
    assert_same_bits(resumed.losses, module.losses[-4:])
    assert_same_bits(resumed.state_dict(), module.state_dict())
    assert_same_bits(second.optimizers[0].state_dict(), whole.optimizers[0].state_dict())


def test_a_checkpoint_of_torchs_class_is_resumed_with_ours(tmp_path: Path) -> None:
    """A project that changes its optimizer to ours continues where it was."""
    first = trainer(tmp_path, epochs=1, enable_checkpointing=True)
    first.fit(Module(THEIRS), loader())
    first.save_checkpoint(file := tmp_path / "one.ckpt")

    def run(cls: Any) -> list[float]:
        trainer(tmp_path).fit(module := Module(cls), loader(), ckpt_path=file, weights_only=False)
        return module.losses

    assert_trains_like_torch(run)


@BOTH
def test_an_overflow_is_left_out(cls: Any, tmp_path: Path) -> None:
    """With 16-mixed a batch whose loss overflows changes no parameter."""

    class Spoilt(Module):
        kept: list[Any]

        def training_step(self, batch: Any, k: int) -> Any:
            self.kept = [*getattr(self, "kept", []), [p.detach().clone() for p in self.parameters()]]
            return super().training_step(batch, k) * (float("inf") if k == 1 else 1)

    whole = trainer(tmp_path, precision="16-mixed", epochs=1, gradient_clip_val=1)
    whole.fit(module := Spoilt(cls, schedule=False), loader())
    assert_same_bits(module.kept[2], module.kept[1])
    assert not torch.equal(module.kept[3][0], module.kept[2][0])
    assert float(next(iter(whole.optimizers[0].state.values()))["step"]) == 3


@pytest.mark.parametrize("kind", ["swa", "ema"])
def test_averaged_weights(kind: str, tmp_path: Path) -> None:
    """The callbacks that average weights: losses, and the loss of the average, as with torch's class."""

    def run(cls: Any) -> list[float]:
        average: Any = EMAWeightAveraging(decay=0.9)
        if kind == "swa":
            average = StochasticWeightAveraging(swa_lrs=0.01, swa_epoch_start=1, annealing_epochs=2)
        module = Module(cls, schedule=False)
        trainer(tmp_path, callbacks=[average], epochs=4).fit(module, loader())
        with torch.no_grad():  # the average has replaced the weights
            return [*module.losses, cross_entropy(module.network(data()[0]), data()[1]).item()]

    assert_trains_like_torch(run)


@BOTH
def test_averages_are_resumed(cls: Any, tmp_path: Path) -> None:
    """Weight averaging swaps the weights at each checkpoint: a resumed run has the same bits."""

    def training(epochs: int, **kwargs: Any) -> tuple[L.Trainer, Module]:
        return trainer(tmp_path, callbacks=[EMAWeightAveraging(decay=0.9)], epochs=epochs, **kwargs), Module(cls)

    whole, module = training(3)
    whole.fit(module, loader())
    saver = ModelCheckpoint(dirpath=tmp_path, filename="one", every_n_train_steps=4)
    first = trainer(
        tmp_path, callbacks=[EMAWeightAveraging(decay=0.9), saver], epochs=1, enable_checkpointing=True
    )  # fmt: skip
    first.fit(Module(cls), loader())
    (file,) = tmp_path.glob("one*.ckpt")
    second, late = training(3)
    second.fit(late, loader(), ckpt_path=file, weights_only=False)
    assert_same_bits(late.losses, module.losses[-8:])
    assert_same_bits(late.state_dict(), module.state_dict())


@BOTH
def test_a_trained_optimizer_is_copied(cls: Any, tmp_path: Path) -> None:
    """Copies of an optimizer that a Trainer has stepped, wrapped and scheduled, step alike."""
    made = trainer(tmp_path, epochs=1)
    made.fit(Module(cls), loader())
    one, other = copy.deepcopy(made.optimizers[0]), copy.deepcopy(made.optimizers[0])
    before = [p.detach().clone() for g in made.optimizers[0].param_groups for p in g["params"]]
    for optimizer in (one, other):
        for p in (p for group in optimizer.param_groups for p in group["params"]):
            p.grad = torch.ones_like(p)
        optimizer.step()
    assert_same_bits(one.state_dict(), other.state_dict())
    assert_same_bits([g["params"] for g in one.param_groups], [g["params"] for g in other.param_groups])
    assert_same_bits([g["params"] for g in made.optimizers[0].param_groups], before)
    assert not torch.equal(one.param_groups[0]["params"][0], before[0])


class Tuned(Module):
    """A network in two parts, as Lightning's finetuning expects it."""

    def __init__(self, cls: Any) -> None:
        super().__init__(cls, schedule=False)
        self.backbone, self.head = torch.nn.Sequential(*self.network[:3]), self.network[3]

    def configure_optimizers(self) -> Any:
        return self.cls([p for p in self.head.parameters() if p.requires_grad], lr=0.02)


def test_finetuning(tmp_path: Path) -> None:
    """A group that is added in the middle of training, with a learning rate that the callback changes each epoch."""

    def run(cls: Any) -> list[float]:
        callback = BackboneFinetuning(unfreeze_backbone_at_epoch=2, lambda_func=lambda epoch: 1.5, verbose=False)
        made = trainer(tmp_path, callbacks=[callback], epochs=5)
        made.fit(module := Tuned(cls), loader())
        assert len(made.optimizers[0].param_groups) == 2
        return module.losses

    assert_trains_like_torch(run)


def test_what_our_optimizer_tells_is_seen_through_lightnings(tmp_path: Path) -> None:
    """`last_grad_norm`, `last_step_skipped` and `counters` of the wrapper that a module gets are those of the optimizer."""
    seen: list[Any] = []

    class Asking(Module):
        def on_train_batch_end(self, *args: Any) -> None:
            wrapper: Any = self.optimizers()
            assert wrapper.optimizer is not wrapper
            seen.append((wrapper.last_step_skipped, wrapper.counters["skipped"], wrapper.last_grad_norm))

        def training_step(self, batch: Any, k: int) -> Any:
            return super().training_step(batch, k) * (float("nan") if k == 1 else 1)

    asking = Asking(OURS, schedule=False, clip_norm=0.1, nonfinite="skip")
    trainer(tmp_path, epochs=1).fit(asking, loader())
    assert [one[:2] for one in seen] == [(False, 0), (True, 1), (False, 1), (False, 1)]
    assert all(norm is not None and norm > 0.1 for k, (_, _, norm) in enumerate(seen) if k != 1)
