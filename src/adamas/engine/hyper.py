"""Hyper-parameters of one group: numbers or schedules, checked when set and when evaluated."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..rules import WEIGHT_DECAY, Hyper, Rule
from .errors import shown

Schedule = Callable[[int], float]
Setting = float | Schedule


def declared(rule: Rule) -> dict[str, Hyper]:
    """The hyper-parameters of a rule and of the step around it that may differ between groups, by name."""
    return {h.name: h for h in (*rule.hyper, WEIGHT_DECAY)}


def checked(hyper: Hyper, value: object) -> Setting:
    """A setting as it is kept: a float, or a schedule.

    Raises:
        TypeError: neither a number nor callable.
        ValueError: outside the range.
    """
    if callable(value) and not isinstance(value, type):
        return value
    return plain_number(hyper, value, f"a number in {hyper.range}, or a schedule step -> number (see adamas.schedules)")


def plain_number(hyper: Hyper, value: object, allowed: str) -> float:
    """A setting as a float.

    Args:
        hyper: its declaration.
        value: as it was given.
        allowed: what may be given, for the message.

    Raises:
        TypeError: no number.
        ValueError: outside the range.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        array = getattr(value, "ndim", None) == 0 and hasattr(value, "item")
        number = getattr(value, "item", lambda: None)() if array else None
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise TypeError(f"{hyper.name}={shown(value)} must be {allowed}.")
        value = number
    try:
        number = float(value)
    except OverflowError:  # a huge whole number
        number = math.inf
    return in_range(hyper, number)


def in_range(hyper: Hyper, value: float, where: str = "") -> float:
    """The value, if the range admits it.

    Raises:
        ValueError: it does not.
    """
    if not hyper.admits(value):
        raise ValueError(
            f"{hyper.name}={value!r}{where} must lie in {hyper.range} ({hyper.meaning or 'see the rule'})."
        )
    return value


class Settings:
    """Present settings of one group.

    Args:
        rule: whose hyper-parameters these are.
        values: by name; names that are missing take the rule's defaults.
    """

    def __init__(self, rule: Rule, values: Mapping[str, object]):
        self.declared = declared(rule)
        defaults = {n: h.default for n, h in self.declared.items()} | {"weight_decay": rule.weight_decay}
        self.values = {n: checked(h, values.get(n, defaults[n])) for n, h in self.declared.items()}
        self._fixed: tuple[float, ...] | None = None

    def set(self, name: str, value: object) -> None:
        """Change one setting; it holds from the next step on."""
        self.values[name] = checked(self.declared[name], value)
        self._fixed = None

    def at(self, step: int) -> tuple[float, ...]:
        """All values at a step (0 is the first), in the order of declaration.

        Raises:
            TypeError, ValueError: a schedule returned no number or one outside the range.
        """
        if self._fixed is not None:
            return self._fixed
        numbers_only = True
        out = []
        for name, value in self.values.items():
            if callable(value):
                numbers_only = False
                value = self._evaluate(name, value, step)
            out.append(value)
        if numbers_only:
            self._fixed = tuple(out)
        return tuple(out)

    def _evaluate(self, name: str, schedule: Schedule, step: int) -> float:
        result: Any = schedule(step)
        try:
            number = float(result)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        where = f" from the schedule at step {step}"
        if isinstance(result, (str, bytes)) or not math.isfinite(number):
            raise ValueError(f"{name}={shown(result)}{where} must be a finite number in {self.declared[name].range}.")
        return in_range(self.declared[name], number, where)


OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "lr": ("learning_rate", "learningrate", "eta", "alpha", "step_size", "stepsize"),
    "eps": ("epsilon",),
    "beta1": ("beta_1", "b1"),
    "beta2": ("beta_2", "b2"),
    "beta3": ("beta_3", "b3"),
    "weight_decay": ("wd", "l2", "weight_decay_rate"),
    "clip_norm": ("global_clipnorm", "clipnorm", "max_grad_norm", "max_norm"),
    "clip_value": ("clipvalue",),
    "steps": ("maxiter", "max_iter", "maxfev", "maxfun", "niter", "n_iter", "num_steps", "iterations", "epochs"),
    "optimizer": ("method",),
    "ftol": ("fatol", "tolerance_change"),
    "xtol": ("xatol",),
    "gtol": ("tolerance_grad",),
    "jac": ("grad", "gradient", "fprime"),
}
"""Our names of arguments, each with what SciPy, Keras, torch and optax call it."""
ADVICE = {
    "amsgrad": "AMSGrad is a member of its own: adamas.AMSGrad, or optimizer='amsgrad'.",
    "nesterov": "Nesterov is a member of its own: adamas.Nesterov, or optimizer='nesterov'.",
    "hess": "The members use gradients only.",
    "hessp": "The members use gradients only.",
    "constraints": "There are bounds only.",
    "disp": "To print, give a callback.",
    "verbose": "To print, give a callback.",
}
"""Arguments of other libraries that have no counterpart, and what to do instead."""


def reject_unknown(names: Iterable[str], allowed: Iterable[str], what: str) -> None:
    """Raise a TypeError that gives the right name of the argument, or the nearest one allowed."""
    import difflib

    allowed = list(allowed)
    ours = {other: name for name, others in OTHER_NAMES.items() for other in others if name in allowed}
    for name in names:
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            if name in ours or name in ADVICE:
                hint = f" Its name here is {ours[name]!r}." if name in ours else f" {ADVICE[name]}"
            raise TypeError(f"{what} has no argument {name!r}; allowed: {', '.join(allowed)}.{hint}")
