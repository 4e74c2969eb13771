"""One of four processes of `test_contract_meshes.py`: `python mesh_worker.py RANK MEETING_FILE REPORT_FILE`.

It writes a report: the name of each of torch's tests, and nothing or how its like failed here.
"""

from __future__ import annotations

import copy
import importlib
import json
import os
import sys
import traceback
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

MODULE = importlib.import_module(os.environ.get("OPT", "adamas.torch"))
PROCESSES, STEPS = 4, 2
PLAIN = {"lr": 0.125, "foreach": False}
DECAY = {"lr": 0.125, "weight_decay": 0.0625}
BETAS = {**DECAY, "betas": (0.625, 0.75), "eps": 1e-6}
AMSGRAD = {**BETAS, "amsgrad": True}
ADAM = [PLAIN, DECAY, AMSGRAD, {**AMSGRAD, "maximize": True, "fused": True}]
ADAM += [{**DECAY, "lr": torch.full((1,) * dims, 0.125), "fused": True} for dims in (0, 1)]
FUSED = ("Adam", "AdamW", "SGD", "Adagrad")
DECOUPLED = [DECAY, {**BETAS, "decoupled_weight_decay": True}]
SHARDED: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "test_adam_1d_sharding": ("Adam", ADAM),
    "test_adamw_1d_sharding": ("AdamW", ADAM),
    "test_sgd_1d_sharding": (
        "SGD", [PLAIN, {"lr": 0.125, "momentum": 0.75, "dampening": 0.25},
                {**DECAY, "momentum": 0.75, "nesterov": True, "maximize": True}],
    ),
    "test_adagrad_1d_sharding": (
        "Adagrad", [PLAIN, {**DECAY, "lr_decay": 0.03125, "initial_accumulator_value": 0.25, "eps": 1e-6, "maximize": True}],
    ),
    "test_RMSprop_1d_sharding": (
        "RMSprop", [PLAIN, {**DECAY, "alpha": 0.875, "eps": 1e-6, "momentum": 0.75, "centered": True},
                    {**DECAY, "momentum": 0.75, "maximize": True}],
    ),
    "test_adadelta_1d_sharding": ("Adadelta", [PLAIN, {**DECAY, "rho": 0.875, "eps": 1e-5, "maximize": True}]),
    "test_nadam_1d_sharding": ("NAdam", DECOUPLED),
    "test_radam_1d_sharding": ("RAdam", DECOUPLED),
    "test_adamax_1d_sharding": ("Adamax", [PLAIN, BETAS, {**BETAS, "maximize": True}]),
    "test_admaw_fused_across_meshes": ("AdamW", ADAM[2:5]),
}  # fmt: skip


class Network(nn.Module):
    """Two layers; their sizes are no multiple of four, so that the shares differ."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(8)
        self.first, self.second = nn.Linear(10, 18), nn.Linear(18, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(x)))


def share(name: str, module: nn.Module, mesh: Any, places: list[Any]) -> None:
    """Every process keeps its rows; gradients are summed up first."""
    from torch.distributed.tensor import distribute_tensor

    for key, p in list(module.named_parameters(recurse=False)):
        shared = nn.Parameter(distribute_tensor(p.detach(), mesh, places))
        shared.register_hook(lambda g: g.redistribute(placements=places))
        module.register_parameter(key, shared)


def spread(model: Network, across: bool) -> None:
    """One mesh for both layers, or a flat one for the first and a square one for the second."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_module

    def put(module: Any, inputs: Any, mesh: Any) -> Any:
        return DTensor.from_local(inputs[0], mesh, [Replicate()] * mesh.ndim, run_check=False)

    def get(module: Any, outputs: Any, mesh: Any) -> Any:
        return outputs.redistribute(placements=[Replicate()] * mesh.ndim).to_local()

    if not across:
        mesh, places = init_device_mesh("cpu", (PROCESSES,)), [Shard(0)]
        distribute_module(model, mesh, partial(share, places=places), put, get)
        return
    square = init_device_mesh("cpu", (2, PROCESSES // 2), mesh_dim_names=("x", "y"))
    flat = square["x", "y"]._flatten(mesh_dim_name="flat")
    for module, mesh, places in ((model.first, flat, [Shard(0)]), (model.second, square, [Replicate(), Shard(0)])):
        distribute_module(module, mesh, partial(share, places=places), put, get)


def train(name: str, kwargs: dict[str, Any], across: bool) -> None:
    """Steps of a whole network and of a shared one."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    whole, shared = Network(), Network()
    spread(shared, across)
    opts = [getattr(MODULE, name)(m.parameters(), **copy.deepcopy(kwargs)) for m in (whole, shared)]
    x = torch.randn(8, 10, generator=torch.Generator().manual_seed(1))
    for k in range(STEPS):
        for model, opt in zip((whole, shared), opts, strict=True):
            opt.zero_grad(set_to_none=k % 2 == 0)
            model(x).square().mean().backward()
        for p, q in zip(whole.parameters(), shared.parameters(), strict=True):
            assert isinstance(q.grad, DTensor)
            assert q.grad.placements == q.placements
            own = distribute_tensor(p.grad, q.device_mesh, q.placements, src_data_rank=None)
            q.grad.copy_(own)  # so that only the steps differ
        for opt in opts:
            opt.step()
    for p, q in zip(whole.parameters(), shared.parameters(), strict=True):
        close(q, p, "parameter", 1.0)
        assert list(opts[1].state[q]) == list(opts[0].state[p])
        for key, value in opts[1].state[q].items():
            state = torch.as_tensor(opts[0].state[p][key])
            close(value, state, key, float(state.abs().max()))


def strided(name: str) -> None:
    """Shares with gradients in another order of memory, with each flag of the class, move as whole contiguous ones do."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor, Shard, distribute_tensor

    mesh, generator = init_device_mesh("cpu", (PROCESSES,)), torch.Generator().manual_seed(2)
    flags = ["foreach", "fused"] if name in FUSED else ["foreach"]
    for kwargs in ({}, *({flag: True} for flag in flags)):
        whole, *gradients = (torch.randn(8, 6, generator=generator) for _ in range(1 + STEPS))
        shared = distribute_tensor(whole, mesh, [Shard(0)], src_data_rank=None)
        opts = [getattr(MODULE, name)([p], lr=0.125, **kwargs) for p in (whole, shared)]
        for g in gradients:
            own = g.chunk(PROCESSES)[torch.distributed.get_rank()].t().contiguous().t()
            whole.grad, shared.grad = g, DTensor.from_local(own, mesh, [Shard(0)], run_check=False)
            for opt in opts:
                opt.step()
        close(shared, whole, f"{kwargs} parameter", max(1.0, float(whole.abs().max())))


def close(found: Any, expected: torch.Tensor, what: str, size: float) -> None:
    """Two steps of at most ten roundings each, of numbers no larger than `size`."""
    found = found.full_tensor() if hasattr(found, "full_tensor") else torch.as_tensor(found)
    difference = float((found - expected).detach().abs().max())
    assert difference <= STEPS * 10 * 2.0**-24 * size, f"{what}: {difference}"


def main() -> None:
    rank, world, meeting, report = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    warnings.simplefilter("ignore")  # of torch's gloo, about itself
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=world)
    done = {}
    for upstream, (name, settings) in SHARDED.items():
        done[upstream] = ""
        for kwargs in settings:
            try:
                train(name, kwargs, "across" in upstream)
            except Exception:
                done[upstream] = f"{kwargs}\n{traceback.format_exc()}"
                break
        key = f"strided {name}"
        try:
            done[key] = ""
            strided(name)
        except Exception:
            done[key] = traceback.format_exc()
    report.write_text(json.dumps(done), encoding="utf-8")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
