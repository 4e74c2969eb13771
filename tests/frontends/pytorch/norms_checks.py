"""Checks of DTensor parameters for `norms_worker.py`."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
import torch.distributed as dist
from norms_pairs import BAD_STEP, MODULE, STEPS, Pair, calls, gradients, local, raised, said, same, values
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor


def planted(make: Callable[[], Pair], groups: int, expected: int) -> None:
    """Steps with gradients given by hand.

    Args:
        make: the pair.
        groups: process groups that it is spread over.
        expected: reductions of a step for each group.
    """
    pair = make()
    shapes = [w.shape for w in pair.whole]
    for k in range(1, STEPS + 1):
        pair.give(gradients(shapes, k, pair.dtype))
        calls[0] = 0
        pair.step()
        assert calls[0] <= groups * expected, f"{calls[0]} reductions"
        pair.compare()
    overflowing(pair)
    rounding(pair)
    missing = gradients(shapes, 7, pair.dtype)
    pair.give([None, *missing[1:]])
    pair.step()
    pair.compare()
    pair.give(missing)
    for p in pair.parts:
        if isinstance(p, DTensor) and not local(p).numel():
            p.grad = None  # a process whose shard is empty may have none
    pair.opt.step(), pair.twin.step()
    for p, w, index in zip(pair.parts, pair.whole, pair.indices, strict=True):
        same(local(p), w.detach().flatten()[index], "parameter")
    assert said(pair.opt) == said(pair.twin)


def overflowing(pair: Pair) -> None:
    """A step with one element whose square overflows, which one process has: all leave it out, or raise, or count it."""
    huge = gradients([w.shape for w in pair.whole], 8, pair.dtype)
    huge[0].view(-1)[-1] = 1e170 if pair.dtype is torch.float64 else 1e21
    pair.give(huge)
    pair.step()
    pair.compare()
    assert pair.opt.counters["overflow"] == pair.twin.counters["overflow"]
    strict = pair.twin._extras["nonfinite"] != "propagate" and pair.twin._extras["clip_norm"] is None
    assert not strict or pair.twin.last_step_skipped or pair.twin._extras["nonfinite"] == "raise"


def rounding(pair: Pair) -> None:
    """A step that makes float16 state of one parameter overflow, of which some processes may have nothing at all."""
    k = min(range(len(pair.whole)), key=lambda j: pair.whole[j].numel())
    for opt, p in ((pair.opt, pair.parts[k]), (pair.twin, pair.whole[k])):
        for key, held in list(opt.state[p].items()):
            if held.dim():
                opt.state[p][key] = held.half()
    found = [torch.full_like(w, 0.5) for w in pair.whole]
    found[k].fill_(7e4)
    pair.give(found)
    if not local(pair.parts[k]).numel():
        pair.parts[k].grad = None
    pair.step()
    for p, w, index in zip(pair.parts, pair.whole, pair.indices, strict=True):
        same(local(p), w.detach().flatten()[index], "parameter")
    assert said(pair.opt) == said(pair.twin)
    assert pair.opt.counters["overflow"] == pair.twin.counters["overflow"]
    extras = pair.twin._extras
    assert extras["nonfinite"] != "skip" or extras["clip_norm"] is not None or pair.twin.last_step_skipped
    pair.opt.state.pop(pair.parts[k], None)
    pair.twin.state.pop(pair.whole[k])


def trained(pair: Pair, features: int) -> None:
    """Steps with gradients of a loss; those of the whole parameters are the divided ones put together."""
    for k in range(3):
        x = values([torch.Size((2, 4, features))], 20 + k, pair.dtype)[0] / 16
        pair.opt.zero_grad()
        loss = pair.model(x).square().mean()
        loss.backward()
        for p, w in zip(pair.parts, pair.whole, strict=True):
            assert p.grad is not None
            w.grad = (p.grad.full_tensor() if isinstance(p.grad, DTensor) else p.grad).detach().clone()
        pair.step()
        pair.compare()


def failing(make: Callable[[], Pair], plain: bool) -> None:
    """A step that fails on one process for reasons of its own: nobody waits for it.

    Args:
        make: the pair.
        plain: whether the others need nothing from that process. Else the step fails on all.
    """
    for later in (False, True):
        pair = make()
        pair.give(gradients([w.shape for w in pair.whole], 1, pair.dtype))
        if later:
            pair.step()
            pair.compare()
            spoilt, key = pair.opt.state[pair.parts[0]], "step"
        else:
            spoilt, key = pair.opt.param_groups[0], "lr"  # nothing is known yet of the other processes
        mine, held = dist.get_rank() == 1, spoilt[key]
        if mine:
            spoilt[key] = "nonsense"
        if mine or not plain:
            words = raised(pair.opt.step, (RuntimeError, TypeError, ValueError))
            assert ("other process" in words) == (not mine), words
        else:
            pair.opt.step()
        if not plain:
            spoilt[key] = held
            pair.compare()
            pair.step()
            pair.compare()


def cut_off(pair: Pair) -> None:
    """A reduction that fails, as when a connection is lost: no further one is begun, and nothing is changed."""
    shapes = [w.shape for w in pair.whole]
    pair.give(gradients(shapes, 1, pair.dtype))
    pair.step()
    pair.give(gradients(shapes, 2, pair.dtype))
    held, tried, plain = [local(p).detach().clone() for p in pair.parts], [0], dist.all_reduce

    def lost(*args: object, **kwargs: object) -> None:
        tried[0] += 1
        raise RuntimeError("the connection is lost")

    dist.all_reduce = lost
    try:
        assert "the connection is lost" in raised(pair.opt.step, (RuntimeError,))
    finally:
        dist.all_reduce = plain
    assert tried == [1]
    for p, before in zip(pair.parts, held, strict=True):
        same(local(p), before, "parameter")
    pair.step()
    pair.compare()


def alone(make: Callable[[], Pair]) -> None:
    """A NaN in what should be the same on all processes, but is not: all leave the step out."""
    pair = make()
    shapes = [w.shape for w in pair.whole]
    whole = [k for k, p in enumerate(pair.parts) if not isinstance(p, DTensor) or p.placements == (Replicate(),)]
    for place in {isinstance(pair.parts[k], DTensor): k for k in whole}.values():
        pair.give(gradients(shapes, 1, pair.dtype))
        if dist.get_rank() == 1:
            local(pair.parts[place].grad).view(-1)[0] = torch.nan
        held = [local(p).detach().clone() for p in pair.parts]
        pair.opt.step()
        assert pair.opt.last_step_skipped
        for p, before in zip(pair.parts, held, strict=True):
            same(local(p), before, "parameter")
    assert len(whole) == 5
    assert pair.opt.counters["skipped"] == 2


def scaled(make: Callable[[], Pair]) -> None:
    """GradScaler finds an infinity that one process has; the norm is that of the unscaled gradients."""
    pair = make()
    shapes = [w.shape for w in pair.whole]
    scalers = [torch.amp.GradScaler("cpu", init_scale=1024.0) for _ in range(2)]
    for k in range(1, STEPS + 1):
        found = gradients(shapes, k, pair.dtype)
        pair.give(found)
        for scaler, opt in zip(scalers, (pair.opt, pair.twin), strict=True):
            scaler.scale(torch.ones(()))
            scaler.step(opt)
            scaler.update()
        pair.compare()
        assert pair.opt.last_step_skipped == (k == BAD_STEP)
    assert scalers[0].get_scale() == scalers[1].get_scale() == 512.0


def differentiable(mesh: DeviceMesh) -> None:
    """Steps that autograd records have the same norm and mask; sums of a shard are float64 sums, exactly added.

    The norm has at most 35 roundings of float64 in each sum, which float32 does not see but where it rounds: one unit.
    """
    w, g = (values([torch.Size((7, 5))], seed, torch.float32)[0] for seed in (1, 2))
    placement = [Shard(0)]
    parts = DTensor.from_local(g / dist.get_world_size(), mesh, [Partial()]), distribute_tensor(g, mesh, placement)
    cases = [(name, part) for name in ("Adam", "Lion") for part in parts]
    for name, part in cases:
        settings = {"clip_norm": 0.5} if name == "Adam" else {"cautious": True}
        p, v = distribute_tensor(w.clone(), mesh, placement).requires_grad_(), w.clone().requires_grad_()
        p_new, v_new = p.clone(), v.clone()
        p_new.retain_grad(), v_new.retain_grad()
        p_new.grad, v_new.grad = part, g.clone()
        opt, twin = (getattr(MODULE, name)([x], lr=0.01, differentiable=True, **settings) for x in (p_new, v_new))
        opt.step(), twin.step()
        torch.testing.assert_close(p_new.full_tensor(), v_new, rtol=2.0**-22, atol=0.0)
        if opt.last_grad_norm is not None:
            assert abs(opt.last_grad_norm - twin.last_grad_norm) <= 70 * 2.0**-53 * twin.last_grad_norm


def refused(mesh: DeviceMesh) -> None:
    """Gradients and state that cannot be a DTensor's; nothing is changed."""
    w = values([torch.Size((7, 5))], 1, torch.float32)[0]
    p = distribute_tensor(w.clone(), mesh, [Shard(0)])
    opt = MODULE.AdamW([p], lr=0.01)
    p.grad = distribute_tensor(w, mesh, [Shard(0)])
    opt.state[p]["exp_avg"] = torch.zeros(7, 5)
    assert "must be DTensors" in raised(opt.step, RuntimeError)
    opt.state.clear()
    same(p.full_tensor(), w, "parameter")
    before = p._version
    opt.step()
    opt.step()
    assert p._version > before
    part = DTensor.from_local(w, mesh, [Partial()])
    part.grad = p.grad
    assert "must be Shard or Replicate" in raised(MODULE.AdamW([part]).step, RuntimeError)


def checkpointed(make: Callable[[], Pair]) -> None:
    """State goes through torch's distributed checkpoints into a fresh optimizer."""
    one, two = make(), make()
    shapes = [w.shape for w in one.whole]
    for k in range(1, 4):
        one.give(gradients(shapes, k, one.dtype))
        one.step()
    saved = copy.deepcopy(get_optimizer_state_dict(one.model, one.opt))
    with torch.no_grad():
        for p, q, w, v in zip(one.parts, two.parts, one.whole, two.whole, strict=True):
            local(q).copy_(local(p))
            v.copy_(w)
    set_optimizer_state_dict(two.model, two.opt, saved)
    two.twin.load_state_dict(copy.deepcopy(one.twin.state_dict()))
    for pair in (one, two):
        pair.give(gradients(shapes, 5, one.dtype))
        pair.step()
    for p, q, w in zip(one.parts, two.parts, two.whole, strict=True):
        same(local(p), local(q), "parameter")
        for key, value in one.opt.state[p].items():
            same(local(value), local(two.opt.state[q][key]), key)
            assert type(two.opt.state[q][key]) is type(value)
        del w.grad
    assert one.opt.last_grad_norm == two.opt.last_grad_norm == one.twin.last_grad_norm


def summed(mesh: DeviceMesh) -> None:
    """Gradients that are still to be added up over the processes."""
    count = dist.get_world_size()
    shape = torch.Size((7, 5))
    for placement in (Replicate(), Shard(0), Shard(1)):
        w = values([shape], 3, torch.float32)[0]
        p, v = distribute_tensor(w.clone(), mesh, [placement]), w.clone()
        opt, twin = (MODULE.AdamW([x], lr=0.01, clip_norm=0.5) for x in (p, v))
        for k in range(3):
            g = (8 * values([shape], k, torch.float32)[0]).round()  # sums of whole numbers are exact
            p.grad = DTensor.from_local(g * (dist.get_rank() + 1), mesh, [Partial()])
            held = p.grad._local_tensor.clone()
            v.grad = g * (count * (count + 1) // 2)
            opt.step(), twin.step()
            same(p.full_tensor(), v, "parameter")
            assert opt.last_grad_norm == twin.last_grad_norm
            same(p.grad._local_tensor, held, "gradient")
