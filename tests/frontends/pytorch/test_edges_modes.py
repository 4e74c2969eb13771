"""Nothing depends on torch's global settings: every mode, every class, first and later steps, the same bits.

Each mode runs in a process of its own (`modes_worker.py`), so that the process's very first step, in which torch's records
are verified, happens under it, and so that a crash is a failure of one test.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from modes_worker import MODES

import adamas.torch

WORKER = Path(__file__).with_name("modes_worker.py")


@cache
def digests(mode: str) -> dict[str, str]:
    done = subprocess.run([sys.executable, str(WORKER), mode], capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, str] = json.loads(done.stdout)
    return result


def kept_as_torch_has_it(mode: str, key: str) -> bool:
    """With a default of float64 torch keeps step counts in float64, and so do scalar slots; no other bit may differ."""
    return mode == "default dtype float64" and "NAdam" in key


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "none"])
def test_no_global_mode_changes_a_bit(mode: str) -> None:
    expected, found = digests("none"), digests(mode)
    assert len(expected) > 100
    assert len(set(expected.values())) > 50  # the classes differ; digests of nothing would not
    assert {k: v for k, v in found.items() if not kept_as_torch_has_it(mode, k)} == {
        k: v for k, v in expected.items() if not kept_as_torch_has_it(mode, k)
    }


def test_the_verification_of_torchs_records_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a statement about torch's records meets: the plain look then serves."""
    from adamas.torch import _records

    def stumbles() -> object:
        yield True
        raise RuntimeError("planted")

    _records.layout_known.cache_clear()
    try:
        monkeypatch.setattr(_records, "_verify", stumbles)
        assert not _records.layout_known()
    finally:
        monkeypatch.undo()
        _records.layout_known.cache_clear()


@pytest.mark.parametrize("key", ["step", "exp_avg"])
def test_a_state_tensor_on_another_device_is_not_followed(key: str) -> None:
    """State on the meta device has no memory; the native look must not follow its null pointer."""
    params = [torch.nn.Parameter(torch.ones(5))]
    params[0].grad = torch.ones(5)
    opt = adamas.torch.AdamW(params)
    opt.step()
    opt.step()
    opt.state[params[0]][key] = opt.state[params[0]][key].to("meta")
    before = params[0].detach().clone()
    with pytest.raises((RuntimeError, NotImplementedError)):
        opt.step()
    assert torch.equal(params[0], before)


def test_inference_parameters_are_stepped_in_inference_mode_only() -> None:
    with torch.inference_mode():
        p = torch.nn.Parameter(torch.ones(5), requires_grad=False)
    p.grad = torch.ones(5)
    opt = adamas.torch.AdamW([p])
    with torch.inference_mode():
        for _ in range(3):
            opt.step()
    before = p.clone()
    assert not torch.equal(before, torch.ones(5))
    with pytest.raises(RuntimeError, match="inference tensor"):
        opt.step()
    assert torch.equal(p, before)


def test_state_loaded_in_inference_mode_serves_outside() -> None:
    params = [torch.nn.Parameter(torch.ones(5))]
    params[0].grad = torch.ones(5)
    opt, twin = adamas.torch.AdamW(params), None
    opt.step()
    twin_params = [torch.nn.Parameter(params[0].detach().clone())]
    twin_params[0].grad = torch.ones(5)
    twin = adamas.torch.AdamW(twin_params)
    with torch.inference_mode():
        twin.load_state_dict(opt.state_dict())
    for _ in range(3):
        opt.step()
        twin.step()
    assert torch.equal(params[0], twin_params[0])
    assert not twin.state[twin_params[0]]["step"].is_inference()
