"""Checks of ZeroRedundancyOptimizer and FullyShardedDataParallel for `norms_worker.py`."""

from __future__ import annotations

import copy
import importlib
import pickle
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
from norms_pairs import MODULE, STEPS, Pair, calls, gradients, outcome, raised, said, same, values
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.distributed.optim import ZeroRedundancyOptimizer


class ZeroPair(Pair):
    """ZeroRedundancyOptimizer over ours: whole parameters, of which each process steps some."""

    def __init__(self, name: str, settings: dict[str, Any], shapes: Sequence[tuple[int, ...]] = ((7, 5), (3,), (4, 4))):
        self.dtype = torch.float32
        self.sizes = [torch.Size(shape) for shape in shapes]
        self.parts, self.whole = ([torch.nn.Parameter(w) for w in values(self.sizes, 0, self.dtype)] for _ in range(2))
        make = getattr(MODULE, name)
        self.zero = ZeroRedundancyOptimizer(self.parts, optimizer_class=make, **settings)
        self.opt, self.twin, self.make, self.settings = self.zero.optim, make(self.whole, **settings), make, settings

    def give(self, gradients: Sequence[torch.Tensor | None]) -> None:
        """The same to both."""
        for p, w, g in zip(self.parts, self.whole, gradients, strict=True):
            p.grad, w.grad = (None if g is None else g.clone() for _ in range(2))

    def step(self) -> None:
        """Both step, or both raise."""
        one, other = outcome(self.zero.step), outcome(self.twin.step)
        assert one.partition(" at step")[0] == other.partition(" at step")[0] or "at step" not in one, (one, other)
        assert bool(one) == bool(other)

    def compare(self) -> None:
        """Parameters, and what the optimizers say."""
        for k, (p, w) in enumerate(zip(self.parts, self.whole, strict=True)):
            same(p, w, f"parameter {k}")
            for key, value in self.opt.state.get(p, {}).items():
                same(value, self.twin.state[w][key], key)
        assert said(self.opt) == said(self.twin), f"{said(self.opt)} != {said(self.twin)}"


def zero_planted(pair: ZeroPair, expected: int) -> None:
    """Steps; then a group more; then state put together, saved and loaded."""
    for k in range(1, STEPS + 1):
        pair.give(gradients(pair.sizes, k, pair.dtype))
        calls[0] = 0
        pair.step()
        assert calls[0] <= expected, f"{calls[0]} reductions"
        pair.compare()
    new = [torch.Size((6, 2)), torch.Size((1,))]
    for which, held in ((pair.zero, pair.parts), (pair.twin, pair.whole)):
        more = [torch.nn.Parameter(w) for w in values(new, 9, pair.dtype)]
        which.add_param_group({"params": more})
        held.extend(more)
    pair.sizes += new
    pair.give(gradients(pair.sizes, 5, pair.dtype))
    pair.step()
    pair.compare()
    for k in (2, 5):  # a NaN in the middle
        pair.give([None, *gradients(pair.sizes, k, pair.dtype)[1:]])
        pair.step()
        pair.compare()
    pair.zero.consolidate_state_dict(to=0)
    files = [pair.zero.state_dict() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(files, src=0)
    groups = [{"params": pair.parts[:-2]}, {"params": pair.parts[-2:]}]
    pair.zero = ZeroRedundancyOptimizer(groups, optimizer_class=pair.make, **pair.settings)
    pair.zero.load_state_dict(files[0])
    pair.opt = pair.zero.optim
    before = said(pair.twin)[2]
    pair.give(gradients(pair.sizes, 6, pair.dtype))
    pair.step()
    for p, w in zip(pair.parts, pair.whole, strict=True):
        same(p, w, "parameter")
    assert repr(pair.opt.last_grad_norm) == repr(pair.twin.last_grad_norm)
    assert before == said(pair.twin)[2]


def zero_copied() -> None:
    """The local optimizer can be copied and pickled; both know where they belong."""
    pair = ZeroPair("AdamW", {"lr": 0.01, "clip_norm": 0.5})
    pair.give(gradients(pair.sizes, 1, pair.dtype))
    pair.step()
    twin_norm = pair.twin.last_grad_norm
    for twice in (copy.deepcopy(pair.opt), pickle.loads(pickle.dumps(pair.opt))):
        held = [p for group in pair.opt.param_groups for p in group["params"]]
        for p, q in zip(held, (p for group in twice.param_groups for p in group["params"]), strict=True):
            q.grad = p.grad
        twice.step()
        assert twice.last_grad_norm == twin_norm
    for settings in ({"clip_norm": 0.5}, {}):  # in a process without the group, which plain steps do not need
        lost = pickle.loads(pickle.dumps(ZeroPair("AdamW", {"lr": 0.01, **settings}).opt))
        lost._zero = replace(lost._zero, name="nowhere")
        for p in (p for group in lost.param_groups for p in group["params"]):
            p.grad = torch.ones_like(p)
        if settings:
            assert "'nowhere' does not exist here" in raised(lost.step, RuntimeError)
        else:
            lost.step()


def zero_overlapping() -> None:
    """overlap_with_ddp is refused: by torch, which knows no functional form of ours, and by us."""
    parts = [torch.nn.Parameter(torch.zeros(3))]
    words = raised(
        lambda: ZeroRedundancyOptimizer(parts, optimizer_class=MODULE.AdamW, overlap_with_ddp=True), ValueError
    )
    assert "AdamW" in words
    module = importlib.import_module("torch.distributed.optim.zero_redundancy_optimizer")
    module.functional_optim_map[MODULE.AdamW] = MODULE.AdamW
    try:
        opt = ZeroRedundancyOptimizer(parts, optimizer_class=MODULE.AdamW, overlap_with_ddp=True)
        opt._overlap_info.params_per_rank = [parts, *[[] for _ in range(dist.get_world_size() - 1)]]
        opt._overlap_info.params_per_bucket = [parts]
        assert "overlap_with_ddp=True must be False" in raised(opt._init_local_optimizer, ValueError)
    finally:
        del module.functional_optim_map[MODULE.AdamW]


def flat(originals: bool) -> None:
    """Shards of FullyShardedDataParallel are stepped, but numbers over whole tensors are refused by name."""
    torch.manual_seed(0)
    inner = torch.nn.Linear(5, 7)
    whole = [torch.nn.Parameter(p.detach().clone()) for p in inner.parameters()]
    model = FullyShardedDataParallel(inner, use_orig_params=originals, device_id=torch.device("cpu"))
    for settings in ({"clip_norm": 1.0}, {"nonfinite": "skip"}, {"nonfinite": "raise"}):
        words = raised(lambda s=settings: MODULE.AdamW(model.parameters(), **s), ValueError)
        name, value = next(iter(settings.items()))
        assert f"{name}={value!r} must be left out" in words, words
        assert "FSDP1" in words
    words = raised(lambda: MODULE.Lion(model.parameters(), cautious=True), ValueError)
    assert "cautious=True must be left out" in words
    late = MODULE.Lion(model.parameters())
    late.param_groups[0]["cautious"] = True
    opt, twin = MODULE.AdamW(model.parameters(), lr=0.01), MODULE.AdamW(whole, lr=0.01)
    x = torch.ones(4, 5)
    model(x).square().sum().backward()
    held = [p.detach().clone() for p in model.parameters()]
    raised(late.step, ValueError)
    assert all(torch.equal(p, h) for p, h in zip(model.parameters(), held, strict=True))
    torch.nn.functional.linear(x, *whole).square().sum().backward()
    opt.step(), twin.step()
    with FullyShardedDataParallel.summon_full_params(model):
        now = torch.cat([p.detach().flatten() for p in model.parameters()])
    same(now[: sum(w.numel() for w in whole)], torch.cat([w.detach().flatten() for w in whole]), "parameters")
