"""The table of torch's failures agrees with the probes, and the probes' own instruments work."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch.optim")
import torch

from parity import failures

HERE = Path(__file__).parent
TABLE = HERE.parents[1] / "docs" / "torch-failures.md"
MODULES = sorted(path.stem for path in HERE.glob("test_torch_failures_*.py"))


def rows() -> list[list[str]]:
    """The table's cells, without its head."""
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_each_probe_has_its_row_and_each_row_its_probe() -> None:
    """In both directions, with the same reports; a row without a word on either side is none."""
    listed = {}
    for case, theirs, ours, reports, test in rows():
        assert case
        assert theirs
        assert ours
        (name,) = re.fullmatch(r"`(test_\w+)`", test).groups()
        assert name not in listed
        listed[name] = () if reports == "none" else tuple(reports.split(", "))
    probes = {
        name for module in map(importlib.import_module, MODULES) for name in vars(module) if name.startswith("test_")
    }
    assert len(listed) >= 12
    assert set(listed) == probes == set(failures.REPORTS)
    assert listed == failures.REPORTS


def test_the_table_is_of_the_torch_that_ci_installs() -> None:
    assert f"torch=={failures.VERSION}." in (HERE.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    text = TABLE.read_text(encoding="utf-8")
    assert set(re.findall(r"torch (\d+\.\d+)", text)) == {failures.VERSION}


def honest(p: torch.Tensor) -> None:
    with torch.no_grad():
        p.sub_(1.0)


def untold(p: torch.Tensor) -> None:
    p.data.sub_(1.0)


def strays(p: torch.Tensor) -> None:
    honest(p)
    p.detach().as_strided((1,), (1,), failures.PAD - 1).fill_(0.0)


def strays_from_the_gradient(p: torch.Tensor) -> None:
    honest(p)
    p.grad.data.as_strided((1,), (1,), failures.PAD + p.numel()).fill_(0.0)


def writes_the_gradient(p: torch.Tensor) -> None:
    honest(p)
    p.grad.data.add_(1.0)


def touches_the_gradient(p: torch.Tensor) -> None:
    honest(p)
    p.grad.add_(0.0)


@pytest.mark.parametrize(
    ("act", "complaint"),
    [
        (honest, None),
        (untold, "autograd is not told"),
        (strays, "beside a parameter"),
        (strays_from_the_gradient, "beside a gradient"),
        (writes_the_gradient, "gradient was written"),
        (touches_the_gradient, "gradient was written"),
    ],
)
def test_the_watch_sees(act: Callable[[torch.Tensor], None], complaint: str | None, monkeypatch: Any) -> None:
    """What a careless optimizer does is noticed, each deed by its name."""

    class Careless(torch.optim.Optimizer):
        def step(self, closure: Any = None) -> None:
            act(self.param_groups[0]["params"][0])

    monkeypatch.setattr(failures, "OURS", SimpleNamespace(Careless=Careless))
    p = failures.leaf(torch.arange(4.0))
    p.grad = failures.placed(torch.ones(4))
    opt = Careless([p], {})
    if complaint is None:
        failures.step(opt)
        assert p.tolist() == [-1.0, 0.0, 1.0, 2.0]
    else:
        with pytest.raises(AssertionError, match=complaint):
            failures.step(opt)


def test_a_failure_that_was_mended_is_told() -> None:
    failures.verdict(wrong=True, right=False, seen=None)
    with pytest.raises(pytest.skip.Exception, match="mended this"):
        failures.verdict(wrong=False, right=True, seen=None)
    with pytest.raises(AssertionError):
        failures.verdict(wrong=True, right=True, seen=None)
    other = pytest.fail.Exception if torch.__version__.startswith(failures.VERSION + ".") else pytest.skip.Exception
    with pytest.raises(other, match="neither"):
        failures.verdict(wrong=False, right=False, seen=None)
