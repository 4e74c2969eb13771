"""torch's own step, for parameters that no kernel of ours can reach: same groups, same state, as fast as torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from ._loading import unscale
from ._members import Member


def unhooked_step(theirs: type[torch.optim.Optimizer]) -> Callable[[Any], Any]:
    """The step of one of torch's classes without the profiling and hooks that ours has around it already."""
    step: Any = theirs.step
    while getattr(step, "hooked", False):
        step = step.__wrapped__
    return step  # type: ignore[no-any-return]


def own_step(
    theirs: type[torch.optim.Optimizer], optimizer: Any, members: Iterable[Member], scale: Any, found_inf: Any
) -> None:
    """Step some parameters of an optimizer of ours as torch's class of the same name would.

    Args:
        theirs: torch's class.
        optimizer: of ours; its state and groups serve.
        members: the parameters.
        scale: loss scale that gradients carry, or None. They are divided by it, as GradScaler's protocol has it.
        found_inf: GradScaler's verdict, for `fused` groups, or None.
    """
    chosen: dict[int, list[torch.Tensor]] = {}
    groups: dict[int, dict[str, Any]] = {}
    for member in members:
        groups[id(member.reading)] = member.reading.group
        chosen.setdefault(id(member.reading), []).append(member.parameter)
    parts = [{**group, "params": chosen[key]} for key, group in groups.items()]
    for fused in (True, False):
        some = [part for part in parts if bool(part.get("fused")) is fused]
        if some:
            run_own(theirs, optimizer, some, scale, found_inf, fused)


def run_own(
    theirs: type[torch.optim.Optimizer], optimizer: Any, groups: Sequence[dict[str, Any]], scale: Any, found_inf: Any,
    fused: bool,
) -> None:  # fmt: skip
    """Torch's step over whole groups; see `own_step`. `fused` groups unscale in torch's kernel."""
    stand_in: Any = theirs.__new__(theirs)
    stand_in.__dict__.update(defaults=optimizer.defaults, state=optimizer.state, param_groups=list(groups))
    if fused:
        stand_in.grad_scale, stand_in.found_inf = scale, verdict(found_inf)
    elif scale is not None:
        unscale(groups, scale)
    unhooked_step(theirs)(stand_in)


def verdict(found_inf: Any) -> Any:
    """GradScaler's verdict as torch's kernels understand it: they test for 1, but the sum over devices may be more."""
    return (found_inf != 0).to(found_inf.dtype) if isinstance(found_inf, torch.Tensor) else found_inf
