"""Programs that build optimizers from a command line or a file: jsonargparse and LightningCLI."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jsonargparse", reason="the extra `clients` is not installed")

import jsonargparse
import torch

import adamas.torch
import clients.training
from clients.training import OURS, THEIRS, assert_trains_like_torch, network

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore")]
CLASSES = adamas.torch.CLASSES
EVERY = pytest.mark.parametrize("name", sorted(CLASSES))


def parser() -> jsonargparse.ArgumentParser:
    """A program with an option `--optimizer` of any class, as LightningCLI makes one."""
    made = jsonargparse.ArgumentParser(exit_on_error=False)
    made.add_subclass_arguments(torch.optim.Optimizer, "optimizer", skip={"params"}, instantiate=False)
    return made


def parsed(name: str, *arguments: str) -> dict[str, Any]:
    """The settings that `--optimizer=adamas.torch.NAME` and more arguments give."""
    options = [f"--optimizer={name}", *(f"--optimizer.{one}" for one in arguments)]
    return dict(parser().parse_args(options).optimizer.init_args.as_dict())


@EVERY
def test_the_parser_finds_every_setting(name: str) -> None:
    """Without options the settings are the defaults of the constructor, all of them."""
    expected = {k: p.default for k, p in inspect.signature(CLASSES[name]).parameters.items() if k != "params"}
    assert parsed(f"adamas.torch.{name}") == expected
    assert {"lr", "clip_norm", "nonfinite"} <= set(expected)


@EVERY
def test_the_parser_reads_values_of_every_type(name: str) -> None:
    """Numbers, flags, choices and tuples are converted, and the class takes what was parsed."""
    given = ["lr=0.01", "clip_norm=1.5", "nonfinite=skip"]
    expected: dict[str, Any] = {"lr": 0.01, "clip_norm": 1.5, "nonfinite": "skip"}
    known = inspect.signature(CLASSES[name]).parameters
    if "betas" in known:
        betas = tuple(0.5 + 0.1 * k for k in range(len(known["betas"].default)))
        given.append(f"betas={list(betas)}")
        expected["betas"] = betas
    if "cautious" in known:
        given += ["cautious=true", "decay=independent"]
        expected |= {"cautious": True, "decay": "independent"}
    settings = parsed(f"adamas.torch.{name}", *given)
    assert {k: settings[k] for k in expected} == expected
    made = CLASSES[name](network().parameters(), **settings)
    group = made.param_groups[0]
    assert all(group[k] == v for k, v in expected.items() if k in group)
    assert made._extras == {"clip_norm": 1.5, "nonfinite": "skip"}


@pytest.mark.parametrize("name", ["AdamW", "SGD", "SparseAdamW", "Lion", "AdEMAMix"])
@pytest.mark.parametrize("wrong", ["clipnorm=1.0", "lr=fast", "clip_norm=[1]", "nonfinite=ignore", "betas=0.9"])
def test_the_parser_refuses_what_is_wrong(name: str, wrong: str) -> None:
    """A misspelt name, a word for a number, an unknown choice, one number for a tuple."""
    key, word = wrong.split("=")
    with pytest.raises(jsonargparse.ArgumentError, match=f"{key}|{word}"):
        parsed(f"adamas.torch.{name}", wrong)
    assert parsed(f"adamas.torch.{name}", "lr=0.5")["lr"] == 0.5


def test_a_function_with_a_typed_optimizer() -> None:
    """A function that takes a callable from parameters to an optimizer, which is jsonargparse's other idiom."""

    def train(optimizer: Callable[[Iterable], torch.optim.Optimizer] = torch.optim.SGD) -> Any:
        return optimizer(network().parameters())

    made = jsonargparse.auto_cli(
        train, args=["--optimizer=adamas.torch.AdamW", "--optimizer.lr=0.25", "--optimizer.clip_norm=2"]
    )
    assert type(made) is OURS
    assert (made.param_groups[0]["lr"], made._extras["clip_norm"]) == (0.25, 2.0)


def test_a_configuration_is_written_and_read(tmp_path: Path) -> None:
    """The file that the parser writes gives the same settings when read."""
    first = parser()
    read = first.parse_args(["--optimizer=adamas.torch.AdEMAMix", "--optimizer.lr=0.25", "--optimizer.cautious=true"])
    first.add_argument("--config", action="config")
    file = tmp_path / "config.yaml"
    file.write_text(first.dump(read), encoding="utf-8")
    again = parser()
    again.add_argument("--config", action="config")
    assert again.parse_args([f"--config={file}"]).optimizer == read.optimizer


class TestLightningCLI:
    """`python train.py fit --optimizer=adamas.torch.AdamW ...`."""

    @pytest.fixture(autouse=True)
    def _lightning(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("lightning", reason="the extra `clients` is not installed")
        monkeypatch.chdir(tmp_path)

    def run(self, *options: str) -> Any:
        """One training by command line; the CLI with its model and trainer."""
        from lightning.pytorch.cli import LightningCLI

        from clients.test_lightning import Module, loader

        class Net(Module):
            def __init__(self) -> None:
                super().__init__()

            def train_dataloader(self) -> Any:
                return loader()

        quiet = ["--trainer.accelerator=cpu", "--trainer.logger=false", "--trainer.max_epochs=2",
                 "--trainer.enable_progress_bar=false", "--trainer.enable_checkpointing=false"]  # fmt: skip
        return LightningCLI(Net, args=["fit", *quiet, *options], save_config_callback=None)

    def test_trains(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Losses are torch's, with settings and a schedule given on the command line."""

        def run(cls: Any) -> list[float]:
            monkeypatch.setattr(clients.training, "Chosen", cls, raising=False)
            path = f"{cls.__module__}.AdamW" if cls in (OURS, THEIRS) else "clients.training.Chosen"
            schedule = ["--lr_scheduler=torch.optim.lr_scheduler.ExponentialLR", "--lr_scheduler.gamma=0.5"]
            cli = self.run(f"--optimizer={path}", "--optimizer.lr=0.02", "--optimizer.betas=[0.8,0.9]", *schedule)
            assert type(cli.trainer.optimizers[0]) is cls
            (group,) = cli.trainer.optimizers[0].param_groups
            assert (group["initial_lr"], group["betas"]) == (0.02, (0.8, 0.9))
            return list(cli.model.losses)

        assert_trains_like_torch(run)

    def test_extras(self) -> None:
        """An extra of ours reaches the optimizer and acts; so does another rule of ours."""
        clipped = self.run("--optimizer=adamas.torch.SGD", "--optimizer.lr=0.1", "--optimizer.clip_norm=1e-3")
        plain = self.run("--optimizer=adamas.torch.SGD", "--optimizer.lr=0.1")
        assert abs(clipped.model.losses[4] - clipped.model.losses[0]) < 4 * 0.1 * 1e-3 * 10  # 4 short steps
        assert abs(plain.model.losses[4] - plain.model.losses[0]) > 0.05
        lion = self.run("--optimizer=adamas.torch.Lion", "--optimizer.lr=0.01", "--optimizer.cautious=true")
        assert lion.trainer.optimizers[0].param_groups[0]["cautious"] is True
        assert lion.model.losses[-1] < lion.model.losses[0]

    @pytest.mark.parametrize("wrong", ["clipnorm=1.0", "lr=fast", "nonfinite=ignore"])
    def test_refuses(self, wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
        """A wrong name or value ends the program with a message that names it."""
        with pytest.raises(SystemExit):
            self.run("--optimizer=adamas.torch.AdamW", f"--optimizer.{wrong}")
        assert wrong.split("=")[0] in capsys.readouterr().err
