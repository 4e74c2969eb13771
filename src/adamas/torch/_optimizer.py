"""What every optimizer class for torch has in common: the step, saving and loading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import chain
from operator import attrgetter
from typing import Any, ClassVar

import torch
from torch._compile import _disable_dynamo

from .._arguments import choice, limit
from ..engine.engine import Around
from ..engine.step import NONFINITE
from ..rules import Rule
from ._checks import check_group
from ._driver import Driver
from ._hosts import Host
from ._lanes import KERNEL_DEVICES, take_note, within_reach
from ._loading import loading, match_names, unscale
from ._own_step import run_own
from ._records import ordinary_tensors
from ._slots import Slots, State
from ._tensors import is_traced
from ._wrappers import Zero, check_fsdp1, zero_around

CPU = "cpu"
is_cpu = attrgetter("is_cpu")


class FusedOptimizer(torch.optim.Optimizer):
    """Base of all classes of this module.

    Where parameters are DTensors, or divided by ZeroRedundancyOptimizer, every process must call `step`: norms, checks
    and masks are over all of them, and the attributes are the same on each (but for `staged`).

    Attributes:
        last_grad_norm: global norm of the gradients of the last step, before clipping; None without `clip_norm`.
        last_step_skipped: whether the last step was left out, for an overflow (GradScaler) or `nonfinite="skip"`.
        counters: steps that met a non-finite gradient (`nonfinite`), steps in which state was not finite although the
            gradients were (`overflow`), steps left out (`skipped`), strided parameters copied at every step (`staged`).
            Gradients and state on devices that our kernels do not reach are not counted: to look would wait for them.
        paths: how many parameters take which path; see `adamas.info`.
    """

    host: ClassVar[Host]
    settings: ClassVar[frozenset[str]]
    rule: ClassVar[Rule | None] = None
    theirs: ClassVar[type[torch.optim.Optimizer] | None] = None
    _zero: Zero | None = None

    def __init__(
        self, params: Any, *args: Any, clip_norm: float | None = None, nonfinite: str = "propagate", **kwargs: Any
    ):
        self._set_extras({"clip_norm": clip_norm, "nonfinite": nonfinite})
        self._zero = zero_around()
        with ordinary_tensors():  # torch makes step counts, and Adagrad's state
            super().__init__(params, *args, **kwargs)
        self.__dict__.pop("_unscales", None)
        check_fsdp1(self.param_groups, self._driver.engine.around)
        for parameter, entry in self.state.items():  # Adagrad begins before the first step
            for key, value in entry.items():
                halves = value.dtype in (torch.bfloat16, torch.float16) and value.dtype == parameter.dtype
                if key != "step" and halves and within_reach(parameter):
                    entry[key] = value.float()
        self.tracked_state()

    def _set_extras(self, extras: dict[str, Any]) -> None:
        choice("nonfinite", extras["nonfinite"], NONFINITE)
        around = Around(clip_norm=limit("clip_norm", extras["clip_norm"]), nonfinite=extras["nonfinite"])
        self._extras = extras
        self._last_skipped: Any = False
        self.delegates = self.theirs is not None and not around.surveys
        self._driver = Driver(around)

    @property
    def state(self) -> Any:
        """State tensors by parameter, as torch has them."""
        if "state" not in self.__dict__:
            raise AttributeError("state")
        return self.__dict__["state"]

    @state.setter
    def state(self, value: Any) -> None:
        self.__dict__["state"] = value
        if "_driver" in self.__dict__:
            self._driver.forget()  # what was in the old one is to be freed at once

    def tracked_state(self) -> State:
        """`state`, as a dict that tells of changes; it is made one if it was replaced."""
        if type(self.state) is not State:
            self.state = State(self.state.items())
        return self.state

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As torch's.

        Raises:
            ValueError: it has another `clip_norm` or `nonfinite` than the constructor was given.
        """
        check_group(param_group, self._extras, type(self).__name__)
        super().add_param_group(param_group)

    # -- the step -----------------------------------------------------------------------------------------
    @_disable_dynamo
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient, in place.

        Args:
            closure: computes the loss and gradients anew, and returns the loss.

        Returns:
            What the closure returned, or None.

        Raises:
            RuntimeError, TypeError, ValueError: a gradient, setting or state that cannot be used. Nothing has
                changed then.
            FloatingPointError: a gradient is not finite and `nonfinite="raise"`.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        own, driver = self.__dict__, self._driver
        scaled = own.get("grad_scale") is not None
        if driver.plan is None and self.delegates and self._whole_step_is_torchs():
            return loss
        if (scaled or own.get("found_inf") is not None) and self._overflowed():
            return loss
        self._last_skipped = not driver.step(self, 1 / float(own["grad_scale"]) if scaled else 1.0)
        if scaled:
            unscale(self.param_groups, own["grad_scale"], driver.unscaled)
            driver.unscaled = []
        return loss

    def _overflowed(self) -> bool:
        """Leave a step out if GradScaler found an infinity on any device: then `found_inf` is not 0."""
        found = self.__dict__.get("found_inf")
        skipped = found is not None and bool(found != 0)
        self._last_skipped = skipped
        if skipped:
            self._driver.engine.counters["skipped"] += 1
        return skipped

    def _whole_step_is_torchs(self) -> bool:
        """Take torch's own step if no kernel of ours reaches any parameter's device; whether it was taken."""
        if self._zero is not None and self._zero.device == CPU:  # others wait for this process, even if it has none
            return False
        if CPU in KERNEL_DEVICES and any(map(is_cpu, chain.from_iterable(g["params"] for g in self.param_groups))):
            return False
        own, groups = self.__dict__, self.param_groups
        scale, found_inf = own.get("grad_scale"), own.get("found_inf")
        fused = bool(groups) and all(group.get("fused") for group in groups)
        if any(g.get("differentiable") for g in groups) or is_traced() or not (fused or scale is found_inf is None):
            return False
        assert self.theirs is not None
        run_own(self.theirs, self, groups, scale, found_inf, fused)
        self._last_skipped = found_inf  # looked at when asked for: to look waits for the device
        for device in {p.device.type for group in groups for p in group["params"]}:
            take_note("torch", device)
        self._driver.lanes = ["torch" for group in groups for p in group["params"] if p.grad is not None]
        return True

    @property
    def _step_supports_amp_scaling(self) -> bool:
        """Whether GradScaler hands over its scale and its verdict, instead of unscaling and leaving out steps itself.

        As in torch it does where `fused=True` is asked for: gradients are then unscaled in the pass of the step. Assign
        True for a class whose arguments lack `fused`.
        """
        chosen = self.__dict__.get("_unscales")
        return any(group.get("fused") for group in self.param_groups) if chosen is None else bool(chosen)

    @_step_supports_amp_scaling.setter
    def _step_supports_amp_scaling(self, value: bool) -> None:
        self.__dict__["_unscales"] = value

    @property
    def last_grad_norm(self) -> float | None:
        return self._driver.engine.last_norm

    @property
    def last_step_skipped(self) -> bool:
        return self._last_skipped is not None and bool(self._last_skipped)

    @property
    def paths(self) -> dict[str, int]:
        """How many parameters took which path when the last step was planned; see `adamas.info`."""
        return dict(Counter(self._driver.lanes))

    @property
    def counters(self) -> dict[str, int]:
        return dict(self._driver.engine.counters)

    # -- saving and loading -------------------------------------------------------------------------------
    @_disable_dynamo
    def state_dict(self) -> dict[str, Any]:
        """As torch's: loads into torch.optim's class of the same name, and back, bit for bit."""
        saved = super().state_dict()
        entries = saved.get("state", {})
        for key, entry in entries.items():
            if type(entry) is Slots:
                entries[key] = dict(entry)
        return saved

    @_disable_dynamo
    def load_state_dict(
        self, state_dict: Mapping[str, Any], *, copy: bool = True, by_name: bool = False, strict: bool = True
    ) -> None:
        """Continue from a state dict of this class or of torch.optim's.

        State tensors keep their dtype; torch casts them to the parameter's.

        Args:
            state_dict: of an optimizer with as many groups and parameters.
            copy: False keeps the tensors of `state_dict` themselves, where device and layout allow; torch always does.
            by_name: match parameters by `param_names`, in any order, instead of by place.
            strict: with `by_name`, whether every name must be found on both sides.

        Raises:
            ValueError: groups or names do not match. Nothing has changed then.
        """
        if by_name:
            state_dict = match_names(super().state_dict(), state_dict, strict)
        with loading(self, copy), ordinary_tensors():
            super().load_state_dict(dict(state_dict))

    def __getstate__(self) -> dict[str, Any]:
        plain = {p: dict(entry) if isinstance(entry, dict) else entry for p, entry in self.state.items()}
        state = State(plain.items()).copy()
        return {**super().__getstate__(), "state": state, "_extras": dict(self._extras), "_zero": self._zero}

    def __setstate__(self, state: dict[str, Any]) -> None:
        box = self.__dict__.get("_unboxing")
        if box is not None:
            state = {**state, "state": box(state["state"])}
        with ordinary_tensors():
            super().__setstate__(state)
        if "_driver" not in self.__dict__:
            self._set_extras(self.__dict__.get("_extras") or {"clip_norm": None, "nonfinite": "propagate"})
        self._driver.forget()
        self.state = State(self.state.items())
