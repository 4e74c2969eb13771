"""Optimizers by name and the facts of the comparison table, generated from the roll."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import adamas

from .errors import InputError
from .rivals import Rival, get_rival, is_rival
from .trial import Stepper, array_bytes

DEFAULT_OPTIMIZERS = ("SGD", "Momentum", "Adagrad", "RMSprop", "Adadelta", "Adam", "NAdam", "AdamW")


@dataclass(frozen=True)
class Facts:
    """One row of the family's table.

    Attributes:
        name: Class name.
        adaptive: Rate per coordinate?
        momentum: Does it remember a direction?
        bias_correction: Are moments that start at zero corrected?
        hyper: Default of every number the user may set, pairs such as betas counted one by one.
        state_bytes: Bytes of state per float32 parameter, with default options.
        source: Where the rule was published.
    """

    name: str
    adaptive: str
    momentum: str
    bias_correction: str
    hyper: dict[str, Any]
    state_bytes: int
    source: str

    @property
    def hyper_count(self) -> int:
        """Number of hyper-parameters."""
        return sum(len(v) if isinstance(v, tuple | list) else 1 for v in self.hyper.values())

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "adaptive": self.adaptive,
            "momentum": self.momentum,
            "bias_correction": self.bias_correction,
            "hyper_parameters": self.hyper_count,
            "f32_state_bytes_per_param": self.state_bytes,
            "defaults": {k: list(v) if isinstance(v, tuple) else v for k, v in self.hyper.items()},
            "source": self.source,
        }


@dataclass(frozen=True)
class Entrant:
    """An optimizer in a race.

    Attributes:
        label: Name in tables and figures.
        spec: What the user wrote and what the reproducing command writes.
        make: The optimizer class, or a `Rival`.
    """

    label: str
    spec: str
    make: Any

    @property
    def default_rate(self) -> float:
        """Published learning rate, read from a fresh optimizer."""
        return float(self.make().hyper["lr"])

    @property
    def file(self) -> Path | None:
        """The user's file that holds the rule; None for a member of the family."""
        file, _, _ = self.spec.rpartition(":")
        return Path(file) if file.endswith(".py") else None

    def file_hash(self) -> str | None:
        """SHA-256 of that file: says later whether the rule is still the one that ran."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest() if self.file is not None else None


def get_entrant(spec: str) -> Entrant:
    """Look an optimizer up by name, as FILE.py:RULE or as LIBRARY:NAME (see `rivals`).

    Raises:
        InputError: Unknown name, or a file, rule or library that cannot be used.
    """
    if is_rival(spec):
        rival = get_rival(spec)
        return Entrant(rival.__name__, rival.__name__, rival)
    file, colon, _ = spec.rpartition(":")
    if colon and file.endswith(".py") and not Path(file).is_file():
        raise InputError(f"optimizer {spec!r}: there is no file {file!r}; give FILE.py:RULE with a path that exists")
    try:
        made = adamas.get(spec)
        made()
    except Exception as error:
        raise InputError(f"optimizer {spec!r}: {error}") from error
    return Entrant(made.__name__, spec if colon else made.__name__, made)


def get_entrants(specs: tuple[str, ...] | list[str]) -> list[Entrant]:
    """Look several up; the same one twice is an error, two rules of the same name are told apart.

    Raises:
        InputError: As `get_entrant`, or a repeated optimizer.
    """
    entrants: list[Entrant] = []
    for spec in specs:
        entrant = get_entrant(spec)
        if any(entrant.spec == other.spec for other in entrants):
            raise InputError(f"optimizer {spec!r} is given twice; name every optimizer once")
        if any(entrant.label == other.label for other in entrants):
            entrant = Entrant(entrant.spec, entrant.spec, entrant.make)
        entrants.append(entrant)
    return entrants


def describe(name: str, made: Any) -> Facts:
    """The facts of one optimizer, read from its rule and a fresh instance; of a rival, what can be measured."""
    if isinstance(made, Rival):
        return Facts(name, "-", "-", "-", dict(made.defaults), _measure_state(made()), made.source)
    rule = made.rule
    return Facts(
        name=name,
        adaptive=_word(rule.adaptive),
        momentum=_word(rule.momentum),
        bias_correction=_word(rule.bias_correction),
        hyper=_user_hyper(made),
        state_bytes=_measure_state(made(backend="reference")),  # compiles nothing
        source=rule.source,
    )


def family() -> list[Facts]:
    """The whole family in the order of the roll."""
    return [describe(name, adamas.get(name)) for name in adamas.members()]


def _user_hyper(made: Any) -> dict[str, Any]:
    """Defaults of a fresh optimizer; weight_decay counts only where it is on by default."""
    return {k: v for k, v in made().hyper.items() if k != "weight_decay" or v}


def _measure_state(optimizer: Stepper, elements: int = 1024) -> int:
    """Bytes of state per float32 parameter after one step; options that need none allocate none."""
    params = np.ones(elements, np.float32)
    optimizer.step(params, params * np.float32(0.5))
    return array_bytes(optimizer.state_dict()) // elements


def _word(fact: Any) -> str:
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    return "-" if fact is None else str(fact)
