"""hydra: optimizers built by `instantiate` from a configuration."""

from __future__ import annotations

import inspect
import io

import pytest

pytest.importorskip("hydra", reason="the extra `clients` is not installed")

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

import adamas.torch
from clients.training import assert_same_bits, network

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore")]
CLASSES = adamas.torch.CLASSES
EVERY = pytest.mark.parametrize("name", sorted(CLASSES))


@EVERY
def test_instantiate(name: str) -> None:
    """Every class is built from a configuration with all its defaults; lists come as hydra's own type."""
    defaults = {k: p.default for k, p in inspect.signature(CLASSES[name]).parameters.items() if k != "params"}
    given = defaults | {"lr": 0.25, "clip_norm": 2.0}
    written = {k: list(v) if isinstance(v, tuple) else v for k, v in given.items()}
    config = {"_target_": f"adamas.torch.{name}", **written}
    whole = instantiate(OmegaConf.create(config), params=network().parameters())
    part = instantiate(OmegaConf.create({**config, "_partial_": True}))(network().parameters())
    direct = CLASSES[name](network().parameters(), **given)
    for made in (whole, part):
        assert type(made) is CLASSES[name]
        groups = [{k: v for k, v in one.param_groups[0].items() if k != "params"} for one in (made, direct)]
        assert groups[0] == groups[1]
        assert made._extras == direct._extras


@pytest.mark.parametrize("name", ["AdamW", "Lion"])
def test_what_was_built_steps(name: str) -> None:
    """The step with settings of hydra's types is the step with Python's, bit for bit, and its file opens anywhere."""
    config = OmegaConf.create({"_target_": f"adamas.torch.{name}", "lr": 0.25, "betas": [0.5, 0.75], "clip_norm": 2})
    made = instantiate(config, params=network().parameters())
    direct = CLASSES[name](network().parameters(), lr=0.25, betas=(0.5, 0.75), clip_norm=2.0)
    for optimizer in (made, direct):
        for p in optimizer.param_groups[0]["params"]:
            p.grad = torch.full_like(p, 0.5)
        optimizer.step()
    assert_same_bits(made.state_dict(), direct.state_dict())
    assert_same_bits(list(made.param_groups[0]["params"]), list(direct.param_groups[0]["params"]))
    torch.save(made.state_dict(), file := io.BytesIO())
    file.seek(0)
    assert_same_bits(torch.load(file, weights_only=True), direct.state_dict())


@EVERY
def test_a_wrong_name_is_refused(name: str) -> None:
    config = OmegaConf.create({"_target_": f"adamas.torch.{name}", "clipnorm": 1.0})
    with pytest.raises(Exception, match="clipnorm"):
        instantiate(config, params=network().parameters())
