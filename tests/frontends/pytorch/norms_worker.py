"""One process of `test_distributed_norms.py`: `python norms_worker.py RANK WORLD MEETING_FILE REPORT_FILE`.

Every case steps parameters that are divided among the processes, and beside them whole ones in this process alone; after
each step both must agree to the bit. The report names each case, and says nothing or how it failed.
"""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from norms_checks import (
    alone,
    checkpointed,
    cut_off,
    differentiable,
    failing,
    planted,
    refused,
    scaled,
    summed,
    trained,
)
from norms_pairs import COLLECTIVES, KINDS, MODULE, PATIENCE, SCALED, SETTINGS, Block, Model, Pair, counting
from norms_wrappers import ZeroPair, flat, zero_copied, zero_overlapping, zero_planted
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, SequenceParallel, parallelize_module


def cases(world: int) -> dict[str, Callable[[], None]]:
    """All checks by name."""
    line = init_device_mesh("cpu", (world,), mesh_dim_names=("all",))
    ways: dict[str, tuple[Callable[[torch.dtype], torch.nn.Module], Callable[[torch.nn.Module], Any], int, int]] = {}

    def layers(model: torch.nn.Module, mesh: DeviceMesh, norm: bool = True) -> torch.nn.Module:
        plan = {"wide": ColwiseParallel(), "back": RowwiseParallel()}
        return parallelize_module(model, mesh, plan | ({"norm": SequenceParallel()} if norm else {}))  # type: ignore[arg-type]

    def layered(model: torch.nn.Module, mesh: DeviceMesh) -> None:
        fully_shard(model.first, mesh=mesh)
        fully_shard(model, mesh=mesh)

    ways["fsdp"] = Model, lambda m: layered(m, line), 5, 1
    ways["tp"] = Block, lambda m: layers(m, line), 8, 1
    if world == 4:
        square = init_device_mesh("cpu", (2, 2), mesh_dim_names=("outer", "inner"))
        ways["hsdp"] = Model, lambda m: layered(m, square), 5, 2
        ways["fsdp and tp"] = (
            Block,
            lambda m: fully_shard(layers(m, square["inner"], False), mesh=square["outer"]),
            8,
            2,
        )
    found: dict[str, Callable[[], None]] = {}
    for way, (build, divide, features, groups) in ways.items():

        def make(setting: str, build: Any = build, divide: Any = divide) -> Pair:
            return Pair(build(KINDS.get(setting, torch.float32)), divide, *SETTINGS[setting])

        for setting in SETTINGS:
            found[f"{way}: {setting}"] = lambda m=make, s=setting, g=groups: planted(lambda: m(s), g, COLLECTIVES[s])
        even = partial(Block, width=12) if build is Block else build  # torch's layers do not train otherwise
        found[f"{way}: trained"] = lambda m=make, b=even, f=features: trained(m("clip", b), f)
        for setting in ("clip", "cautious"):
            found[f"{way}: one fails, {setting}"] = lambda m=make, s=setting: failing(lambda: m(s), plain=False)
            found[f"{way}: a reduction fails, {setting}"] = lambda m=make, s=setting: cut_off(m(s))
        found[f"{way}: one fails, plain"] = lambda m=make: failing(lambda: m("plain"), plain=True)
        found[f"{way}: checkpoint"] = lambda m=make: checkpointed(lambda: m("clip and skip"))
        if way == "tp":
            found[f"{way}: NaN in one copy"] = lambda m=make: alone(lambda: m("clip and skip"))
        if build is Model:  # torch's GradScaler takes no mixture of meshes
            found[f"{way}: scaled"] = lambda d=divide: scaled(lambda: Pair(Model(torch.float32), d, *SCALED))
    found["gradients: still to be added up"] = lambda: summed(line)
    found["gradients: differentiable"] = lambda: differentiable(line)
    found["gradients: refused"] = lambda: refused(line)
    for setting, (name, settings) in SETTINGS.items():
        found[f"zero: {setting}"] = lambda n=name, s=settings: zero_planted(ZeroPair(n, s), 2)
    found["zero: more processes than parameters"] = lambda: zero_planted(
        ZeroPair(*SETTINGS["clip and skip"], shapes=((7, 5),)), 2
    )
    found["zero: copies"] = zero_copied
    found["zero: overlapping"] = zero_overlapping
    found["fsdp1: flat"] = lambda: flat(False)
    found["fsdp1: originals"] = lambda: flat(True)
    return found


def compile_once() -> None:
    """Kernels that all processes need are compiled by one of them."""
    if dist.get_rank() == 0:
        for setting, (name, settings) in SETTINGS.items():
            for dtype in {torch.float32, KINDS.get(setting, torch.float32)}:
                p = torch.ones(3, dtype=dtype)
                p.grad = p.clone()
                getattr(MODULE, name)([p], **settings).step()
    dist.barrier()


def main() -> None:
    """Run every check, whatever the others do."""
    rank, world, meeting, report = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    warnings.simplefilter("ignore")  # of torch, about itself
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=world, timeout=timedelta(seconds=PATIENCE)
    )
    dist.all_reduce = counting(dist.all_reduce)
    compile_once()
    done = {}
    for label, check in cases(world).items():
        try:
            check()
            done[label] = ""
        except Exception:
            done[label] = traceback.format_exc()
        report.write_text(json.dumps(done), encoding="utf-8")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
