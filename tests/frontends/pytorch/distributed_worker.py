"""One of two processes of `test_contract_distributed.py`: `python distributed_worker.py RANK 2 MEETING_FILE REPORT_FILE`.

It writes a report: the name of each check, and nothing or how it failed.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

MODULE = importlib.import_module(os.environ.get("OPT", "adamas.torch"))
SHAPES = ((6, 4), (5,), (1, 3), (34, 2))
"""Split evenly, unevenly, and so that one process has nothing."""
CLASSES: dict[str, list[dict[str, Any]]] = {
    "Adam": [{}, {"weight_decay": 0.1, "amsgrad": True}, {"lr": torch.tensor(0.0078125)}, {"fused": True}],
    "AdamW": [{}, {"foreach": True}],
    "NAdam": [{"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "RAdam": [{}],
    "Adamax": [{}],
    "SGD": [{"momentum": 0.9, "nesterov": True}],
    "Adagrad": [{}],
    "RMSprop": [{"centered": True, "momentum": 0.1}],
    "Adadelta": [{}],
}


def numbers(k: int) -> list[torch.Tensor]:
    """The same in both processes."""
    generator = torch.Generator().manual_seed(k)
    return [torch.randn(shape, generator=generator) for shape in SHAPES]


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    """Three steps of at most ten roundings of numbers of size one: torch's operations may take the kernel's place."""
    torch.testing.assert_close(a, b, rtol=3 * 10 * 2.0**-24, atol=3 * 10 * 2.0**-24)


def sharded(name: str, kwargs: dict[str, Any], mesh: DeviceMesh) -> None:
    """Three steps on parameters split between the processes give the whole parameters' numbers; so does the state."""
    placements = [[Shard(0)], [Shard(0)], [Shard(0)], [Replicate()]]
    whole = numbers(0)
    parts = [distribute_tensor(p.clone(), mesh, where) for p, where in zip(whole, placements, strict=True)]
    opt, twin = getattr(MODULE, name)(parts, **kwargs), getattr(MODULE, name)(whole, **kwargs)
    for k in range(1, 4):
        for p, q, g, where in zip(parts, whole, numbers(k), placements, strict=True):
            p.grad, q.grad = distribute_tensor(g, mesh, where), g
        opt.step()
        twin.step()
    for p, q, where in zip(parts, whole, placements, strict=True):
        close(p.full_tensor(), q)
        assert list(opt.state[p]) == list(twin.state[q])
        for key, value in opt.state[p].items():
            if isinstance(value, torch.Tensor) and value.dim():
                assert isinstance(value, DTensor), f"{key} of a DTensor is a {type(value).__name__}"
                assert list(value.placements) == where, key
                close(value.full_tensor(), twin.state[q][key])


def zero(name: str, kwargs: dict[str, Any]) -> None:
    """ZeroRedundancyOptimizer over ours: the plain optimizer's parameters, and a state to save and load."""
    whole, parts = [[torch.nn.Parameter(p) for p in numbers(0)] for _ in range(2)]
    cls = getattr(MODULE, name)
    plain, opt = cls(whole, **kwargs), ZeroRedundancyOptimizer(parts, optimizer_class=cls, **kwargs)

    def step(k: int) -> None:
        for p, q, g in zip(whole, parts, numbers(k), strict=True):
            p.grad, q.grad = g, g.clone()
        plain.step()
        opt.step()
        for p, q in zip(whole, parts, strict=True):
            assert torch.equal(q, p)

    step(1)
    opt.param_groups[0]["lr"] = plain.param_groups[0]["lr"] = 0.5
    step(2)
    opt.consolidate_state_dict(to=0)
    files = [opt.state_dict() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(files, src=0)
    opt = ZeroRedundancyOptimizer(parts, optimizer_class=cls, **kwargs)
    opt.load_state_dict(files[0])
    step(3)


def main() -> None:
    """Run every check, whatever the others do."""
    rank, meeting, report = int(sys.argv[1]), sys.argv[3], Path(sys.argv[4])
    warnings.simplefilter("ignore")  # of torch's gloo and ZeRO, about themselves
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    checks: dict[str, Callable[[], None]] = {}
    for name, settings in CLASSES.items():
        for k, kwargs in enumerate(settings):
            checks[f"sharded {name} {k}"] = lambda n=name, s=kwargs: sharded(n, s, mesh)
    for name in ("Adam", "AdamW", "SGD"):
        kwargs = {"momentum": 0.9} if name == "SGD" else {"weight_decay": 0.1}
        checks[f"zero {name}"] = lambda n=name, s=kwargs: zero(n, {"lr": 0.01, **s})
    done = {}
    for label, check in checks.items():
        try:
            check()
            done[label] = ""
        except Exception:
            done[label] = traceback.format_exc()
    report.write_text(json.dumps(done), encoding="utf-8")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
