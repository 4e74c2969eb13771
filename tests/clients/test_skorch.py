"""skorch: nets for scikit-learn with our optimizer: groups, schedules, saved parameters, pickles, searches."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("skorch", reason="the extra `clients` is not installed")
pytest.importorskip("sklearn", reason="the extra `clients` is not installed")

import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, Checkpoint, GradientNormClipping, LoadInitState, LRScheduler

from clients.training import OURS, THEIRS, assert_same_bits, assert_trains_like_torch, data, network

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore", "error:Detected call of")]
BOTH = pytest.mark.parametrize("cls", [THEIRS, OURS], ids=["torch", "ours"])


class Net(torch.nn.Module):
    """The network as a class, which skorch builds itself."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = network()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class Losses(Callback):
    """Keeps the loss of every batch in training."""

    def on_batch_end(self, net: Any, training: Any = None, **kwargs: Any) -> None:
        if training:
            net.losses = [*getattr(net, "losses", []), kwargs["loss"].item()]


def net(cls: Any, **kwargs: Any) -> NeuralNetClassifier:
    """A net of four epochs of four batches; weights decay, norms and biases do not."""
    given: dict[str, Any] = {
        "max_epochs": 4, "batch_size": 16, "train_split": None, "verbose": 0, "optimizer": cls,
        "criterion": torch.nn.CrossEntropyLoss,
        "optimizer__lr": 0.02, "optimizer__betas": (0.8, 0.99),
        "optimizer__param_groups": [("layers.*.weight", {"weight_decay": 0.1, "lr": 0.03}), ("layers.2*", {"lr": 0.01})],
        "callbacks": [("losses", Losses())],
    }  # fmt: skip
    return NeuralNetClassifier(Net, **given | kwargs)


def state(one: NeuralNetClassifier) -> Any:
    return [one.module_.state_dict(), one.optimizer_.state_dict()]


@pytest.mark.parametrize("schedule", [False, True])
def test_training(schedule: bool) -> None:
    """Losses are torch's, with groups by pattern, clipping, and a schedule that writes lr and betas."""
    callbacks: list[Any] = [("losses", Losses()), ("clip", GradientNormClipping(0.3))]
    if schedule:
        cycle = LRScheduler(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.05, total_steps=20, step_every="batch")
        callbacks.append(("cycle", cycle))

    def run(cls: Any) -> list[float]:
        made = net(cls, callbacks=callbacks)
        made.fit(*data())
        assert [g["weight_decay"] for g in made.optimizer_.param_groups] == [0.1, 0.01, 0.01]
        return list(made.losses)

    assert_trains_like_torch(run)


@BOTH
def test_saved_and_resumed(cls: Any, tmp_path: Path) -> None:
    """save_params and load_params of module, optimizer and history in the middle: the same bits as without."""
    files = {f"f_{what}": str(tmp_path / what) for what in ("params", "optimizer", "criterion", "history")}
    whole = net(cls).fit(*data())
    net(cls, max_epochs=2).fit(*data()).save_params(**files)
    second = net(cls, max_epochs=2).initialize()
    second.load_params(**files)
    second.partial_fit(*data())
    assert_same_bits(second.losses, whole.losses[8:])
    assert_same_bits(state(second), state(whole))


@BOTH
def test_resumed_from_a_checkpoint(cls: Any, tmp_path: Path) -> None:
    """The callbacks Checkpoint and LoadInitState: the same bits as without."""
    whole = net(cls).fit(*data())
    there = Checkpoint(dirname=str(tmp_path), monitor=None)
    net(cls, max_epochs=2, callbacks=[("there", there)]).fit(*data())
    second = net(cls, max_epochs=2, callbacks=[("losses", Losses()), ("load", LoadInitState(there))]).fit(*data())
    assert_same_bits(second.losses, whole.losses[8:])
    assert_same_bits(state(second), state(whole))


@BOTH
@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_a_copied_net_continues(cls: Any, how: str) -> None:
    """A pickled or copied net that was trained partly is trained on: the same bits as without."""
    whole = net(cls).fit(*data())
    first = net(cls, max_epochs=2).fit(*data())
    second = pickle.loads(pickle.dumps(first)) if how == "pickle" else copy.deepcopy(first)
    kept = copy.deepcopy(state(first))
    second.partial_fit(*data())
    assert_same_bits(state(second), state(whole))
    assert_same_bits(state(first), kept)


@BOTH
def test_warm_start_and_new_settings(cls: Any) -> None:
    """partial_fit continues; set_params of a learning rate reaches the living optimizer without losing its state."""
    made = net(cls, max_epochs=1, optimizer__param_groups=[]).fit(*data())
    living = made.optimizer_
    made.set_params(optimizer__lr=0.0)
    before = copy.deepcopy(made.module_.state_dict())
    made.partial_fit(*data())
    assert made.optimizer_ is living
    assert_same_bits(made.module_.state_dict(), before)
    assert {float(entry["step"]) for entry in living.state.values()} == {8.0}


def test_a_search() -> None:
    """GridSearchCV clones nets and tries settings, an extra of ours among them: the same scores as with torch's class."""
    scores = {}
    for cls in (THEIRS, OURS):
        grid = {"optimizer__lr": [1e-4, 0.02], "optimizer__weight_decay": [0.0, 0.1]}
        search = GridSearchCV(net(cls, optimizer__param_groups=[]), grid, cv=2, scoring="accuracy")
        search.fit(data()[0].numpy(), data()[1].numpy())
        scores[cls] = list(search.cv_results_["mean_test_score"])
    assert scores[OURS] == scores[THEIRS]
    assert max(scores[OURS]) > min(scores[OURS])
    search = GridSearchCV(net(OURS, optimizer__param_groups=[]), {"optimizer__clip_norm": [None, 1e-9]}, cv=2)
    search.fit(data()[0].numpy(), data()[1].numpy())
    again = clone(search.best_estimator_)
    assert again.get_params()["optimizer"] is OURS
    assert search.cv_results_["mean_test_score"].shape == (2,)


@BOTH
def test_a_wrong_setting_is_named(cls: Any) -> None:
    with pytest.raises(TypeError, match="learning_rat"):
        net(cls, optimizer__learning_rat=1.0).fit(*data())
