"""Optimizers of other libraries by name: torch:AdamW, optax:adamw, keras:Adam, pytorch_optimizer:Lion.

They stand wherever a member's name stands, with the hyper-parameters named as in the papers (lr, beta1, beta2, eps).
A library is imported when one of its optimizers is asked for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np

import adamas

from .errors import InputError
from .rivals_steppers import KerasStepper, OptaxStepper, RivalStepper, TorchStepper, import_keras

UNPUBLISHED_RATE = 1e-3


def _import_torch() -> Any:
    import torch

    return torch.optim


def _import_optax() -> Any:
    import optax

    return optax


def _import_pytorch_optimizer() -> Any:
    import pytorch_optimizer

    return pytorch_optimizer


class Library:
    """Another library.

    Args:
        package: What to install.
        load: Imports it and returns the module that holds its optimizers.
        stepper: Steps NumPy arrays with one of them.
        names: The library's name of a hyper-parameter, by ours, where they differ.
    """

    def __init__(
        self, package: str, load: Callable[[], Any], stepper: type[RivalStepper], names: Mapping[str, str]
    ) -> None:
        self.package, self.load, self.stepper, self.names = package, load, stepper, names


LIBRARIES = {
    "torch": Library("torch", _import_torch, TorchStepper, {}),
    "optax": Library(
        "optax", _import_optax, OptaxStepper, {"lr": "learning_rate", "beta1": "b1", "beta2": "b2", "beta3": "b3"}
    ),
    "keras": Library(
        "keras",
        lambda: import_keras().optimizers,
        KerasStepper,
        {"lr": "learning_rate", "beta1": "beta_1", "beta2": "beta_2", "eps": "epsilon"},
    ),
    "pytorch_optimizer": Library("pytorch_optimizer", _import_pytorch_optimizer, TorchStepper, {}),
}


def is_rival(spec: str) -> bool:
    """Whether a text names an optimizer of another library."""
    return spec.partition(":")[0].lower() in LIBRARIES and ":" in spec


class Rival:
    """An optimizer of another library; call it with hyper-parameters as a member's class is called.

    Attributes:
        defaults: Published numbers by our names. Where the library publishes no learning rate (optax), that of
            the member of the same name; 0.001 if there is none.
    """

    def __init__(self, key: str, name: str, factory: Callable[..., Any]) -> None:
        self.__name__ = f"{key}:{name}"
        self.library = LIBRARIES[key]
        self.factory = factory
        self.source = f"{key} {version(self.library.package)}"
        self.defaults = self._defaults(name)

    def _defaults(self, name: str) -> dict[str, float]:
        ours = {theirs: mine for mine, theirs in self.library.names.items()}
        found: dict[str, float] = {}
        for parameter in inspect.signature(self.factory).parameters.values():
            value = parameter.default
            if parameter.name == "betas" and isinstance(value, tuple):
                found |= {f"beta{i}": float(beta) for i, beta in enumerate(value, 1)}
            elif isinstance(value, int | float) and not isinstance(value, bool):
                found[ours.get(parameter.name, parameter.name)] = float(value)
        if "lr" not in found and self.library.names.get("lr", "lr") in inspect.signature(self.factory).parameters:
            members = {member.lower(): member for member in adamas.members()}
            member = members.get(name.lower())
            found = {"lr": float(adamas.get(member)().hyper["lr"]) if member else UNPUBLISHED_RATE, **found}
        return found

    def __call__(self, **hyper: float) -> RivalStepper:
        """A fresh optimizer.

        Raises:
            TypeError: It has no such hyper-parameter.
        """
        for name in hyper:
            if name not in self.defaults:
                raise TypeError(f"{self.__name__} has no hyper-parameter {name!r}; it has {', '.join(self.defaults)}")
        return self.library.stepper(self.factory, self._translate(hyper), {**self.defaults, **hyper})

    def _translate(self, hyper: Mapping[str, float]) -> dict[str, Any]:
        """Keyword arguments of the library, the learning rate always among them."""
        given = {"lr": self.defaults["lr"], **hyper} if "lr" in self.defaults else dict(hyper)
        parameters = inspect.signature(self.factory).parameters
        found: dict[str, Any] = {}
        if "betas" in parameters and any(name.startswith("beta") for name in given):
            betas = [name for name in self.defaults if name in ("beta1", "beta2", "beta3")]
            found["betas"] = tuple(given.pop(name, self.defaults[name]) for name in betas)
        return found | {self.library.names.get(name, name): value for name, value in given.items()}


def get_rival(spec: str) -> Rival:
    """An optimizer of another library, tried out on two numbers.

    Args:
        spec: LIBRARY:NAME, the name in the library's spelling or any case.

    Raises:
        InputError: The library is not installed, has no such optimizer, or it needs more than gradients.
    """
    key, _, name = spec.partition(":")
    key = key.lower()
    library = LIBRARIES[key]
    if find_spec(library.package) is None:
        raise InputError(f"optimizer {spec!r}: {key} is not installed; install it with: pip install {library.package}")
    module = library.load()
    public = [n for n in dir(module) if not n.startswith("_") and callable(getattr(module, n))]
    exact = [n for n in public if n == name] or [n for n in public if n.lower() == name.lower()]
    rival = _usable(key, exact[0], getattr(module, exact[0])) if exact else None
    if rival is None:
        raise InputError(
            f"optimizer {spec!r}: {key} has no optimizer {name!r} with a learning rate; "
            f"give one as {key} spells it, e.g. {_example(key)}"
        )
    try:
        params = {"x": np.ones(2)}
        rival().step(params, {"x": np.ones(2)})
    except Exception as error:
        raise InputError(f"optimizer {spec!r} cannot be stepped by gradients alone: {error}") from error
    if not np.isfinite(params["x"]).all():
        raise InputError(f"optimizer {spec!r} cannot be stepped by gradients alone: its first step is not finite")
    return rival


def _usable(key: str, name: str, factory: Callable[..., Any]) -> Rival | None:
    try:
        rival = Rival(key, name, factory)
    except (TypeError, ValueError):  # no signature
        return None
    return rival if "lr" in rival.defaults else None


def _example(key: str) -> str:
    return {"torch": "torch:AdamW", "optax": "optax:adamw", "keras": "keras:Adam"}.get(key, f"{key}:Lion")
