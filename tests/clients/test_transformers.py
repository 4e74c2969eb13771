"""transformers: the Trainer with our optimizer given to it, its checkpoints, accumulation, clipping, bfloat16."""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="the extra `clients` is not installed")
pytest.importorskip("accelerate", reason="the extra `clients` is not installed")

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from clients.training import OURS, THEIRS, assert_same_bits, assert_trains_like_torch

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore", "error:Detected call of")]
BOTH = pytest.mark.parametrize("cls", [THEIRS, OURS], ids=["torch", "ours"])
WORDS, LENGTH = 40, 8


@pytest.fixture(autouse=True, scope="module")
def _quick_collections() -> Iterator[None]:
    """Each Trainer collects garbage; what was imported before need not be searched each time."""
    gc.freeze()
    yield
    gc.unfreeze()


class Recording(Trainer):
    """A Trainer that keeps the loss of every forward pass, unrounded."""

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        loss = super().compute_loss(*args, **kwargs)
        self.losses = [*getattr(self, "losses", []), (loss[0] if isinstance(loss, tuple) else loss).item()]
        return loss


def sentences() -> list[dict[str, torch.Tensor]]:
    """Rows of words; the label is whether the first word is of the upper half."""
    generator = torch.Generator().manual_seed(7)
    ids = torch.randint(0, WORDS, (64, LENGTH), generator=generator)
    return [{"input_ids": row, "labels": (row[0] >= WORDS // 2).long()} for row in ids]


def bert() -> BertForSequenceClassification:
    """A tiny BERT from a configuration, with its dropout, always with the same weights."""
    config = BertConfig(
        vocab_size=WORDS, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=LENGTH, num_labels=2,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return BertForSequenceClassification(config)


def groups(model: Any) -> list[dict[str, Any]]:
    """Weight decay for matrices only, as the Trainer groups parameters itself."""
    params = list(model.parameters())
    return [
        {"params": [p for p in params if p.dim() > 1], "weight_decay": 0.1},
        {"params": [p for p in params if p.dim() <= 1], "weight_decay": 0.0},
    ]


def trainer(folder: Path, cls: Any, by: str = "instance", **kwargs: Any) -> Recording:
    """A Trainer whose optimizer is given as an object, or as a class with arguments."""
    arguments = TrainingArguments(
        **{
            "output_dir": str(folder), "use_cpu": True, "report_to": [], "disable_tqdm": True, "seed": 11,
            "max_steps": 8, "save_steps": 4, "logging_strategy": "no", "per_device_train_batch_size": 8,
            "save_strategy": "no", "lr_scheduler_type": "linear", "warmup_steps": 2, "max_grad_norm": 0.5,
            "learning_rate": 0.01,
        } | kwargs
    )  # fmt: skip
    model = bert()
    given: dict[str, Any] = {"optimizers": (cls(groups(model), lr=0.01), None)}
    if by == "class":
        given = {"optimizer_cls_and_kwargs": (cls, {"lr": 0.01, "betas": (0.8, 0.99)})}
    return Recording(model=model, args=arguments, train_dataset=sentences(), **given)


@pytest.mark.parametrize(
    "settings",
    [{}, {"gradient_accumulation_steps": 2}, {"max_grad_norm": 0.0}, {"bf16": True}, {"by": "class"}],
    ids=["plain", "accumulated", "unclipped", "bfloat16", "class"],
)
def test_training(settings: dict[str, Any], tmp_path: Path) -> None:
    """Losses are torch's."""

    def run(cls: Any) -> list[float]:
        made = trainer(tmp_path, cls, **settings)
        made.train()
        assert type(made.optimizer.optimizer) is cls  # type: ignore[union-attr]
        assert len(made.losses) == 8 * settings.get("gradient_accumulation_steps", 1)
        return made.losses

    assert_trains_like_torch(run, autocast="bf16" in settings)


@BOTH
@pytest.mark.parametrize("by", ["instance", "class"])
@pytest.mark.parametrize("settings", [{}, {"gradient_accumulation_steps": 2, "bf16": True}], ids=["plain", "bfloat16"])
def test_saved_and_resumed(cls: Any, by: str, settings: dict[str, Any], tmp_path: Path) -> None:
    """The checkpoint after four of eight steps, resumed by a new Trainer: the same bits as without, dropout included."""
    whole = trainer(tmp_path / "whole", cls, by, save_strategy="steps", **settings)
    whole.train()
    middle = tmp_path / "whole" / "checkpoint-4"
    second = trainer(tmp_path / "second", cls, by, **settings)
    second.train(resume_from_checkpoint=str(middle))
    half = len(whole.losses) // 2
    assert_same_bits(second.losses, whole.losses[half:])
    assert_same_bits(second.model.state_dict(), whole.model.state_dict())
    assert_same_bits(second.optimizer.state_dict(), whole.optimizer.state_dict())  # type: ignore[union-attr]
    assert second.lr_scheduler.get_last_lr() == whole.lr_scheduler.get_last_lr()  # type: ignore[union-attr]


def test_a_checkpoint_of_torchs_class_is_resumed_with_ours(tmp_path: Path) -> None:
    """A project that changes its optimizer to ours continues where it was."""
    trainer(tmp_path, THEIRS, save_strategy="steps", save_steps=3).train()
    last = get_last_checkpoint(str(tmp_path))
    assert last is not None
    middle = tmp_path / "checkpoint-3"

    def run(cls: Any) -> list[float]:
        made = trainer(tmp_path / "second", cls)
        made.train(resume_from_checkpoint=str(middle))
        return made.losses

    assert_trains_like_torch(run)


def test_an_extra_of_ours_acts(tmp_path: Path) -> None:
    """`clip_norm` in place of the Trainer's `max_grad_norm`: the same losses, to torch's 1e-6 in the divisor."""
    clipped = functools.partial(OURS, clip_norm=0.2)
    runs = {}
    for name, cls, norm in (("inside", clipped, 0.0), ("outside", OURS, 0.2), ("plain", OURS, 0.0)):
        made = trainer(tmp_path, cls, max_grad_norm=norm)
        made.train()
        runs[name] = made.losses
    gap = max(abs(a - b) for a, b in zip(runs["inside"], runs["outside"], strict=True))
    assert gap < 1e-5 < max(abs(a - b) for a, b in zip(runs["plain"], runs["outside"], strict=True))
