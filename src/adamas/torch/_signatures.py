"""Constructor signatures as tools read them (jsonargparse, hydra): torch's arguments with their types, then ours."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import torch

from ..engine.step import NONFINITE

Parameter = inspect.Parameter

EXTRAS: dict[str, tuple[Any, Any]] = {
    "clip_norm": (float | None, None),
    "nonfinite": (Literal[NONFINITE], "propagate"),
}
"""Type and default of each argument that every class of ours adds to torch's."""

PARAMS = Iterable[torch.Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, torch.Tensor]]
FLAG_TYPES: dict[str, Any] = {"foreach": bool | None, "fused": bool | None}


def of_host(base: type) -> inspect.Signature:
    """The signature of one of torch's constructors, `self` included, followed by `EXTRAS`.

    Args:
        base: torch's class.
    """
    init: Any = base.__init__  # type: ignore[misc]
    theirs = inspect.signature(init)
    try:
        types = typing.get_type_hints(init)
    except (NameError, TypeError):  # an annotation that this Python cannot evaluate stays text
        types = {}
    known = [p.replace(annotation=types.get(n, p.annotation)) for n, p in theirs.parameters.items()]
    return inspect.Signature([*known, *_extras()], return_annotation=None)


def of_rule(defaults: Mapping[str, Any], options: Mapping[str, tuple[Any, ...]]) -> inspect.Signature:
    """The signature of a rule's constructor, `self` included: settings up to `weight_decay` by place, the rest by name.

    Args:
        defaults: of every setting, in order.
        options: what each setting with listed values allows.
    """
    last = list(defaults).index("weight_decay")
    parameters = [
        Parameter("self", Parameter.POSITIONAL_OR_KEYWORD),
        Parameter("params", Parameter.POSITIONAL_OR_KEYWORD, annotation=PARAMS),
    ]
    for k, (name, value) in enumerate(defaults.items()):
        kind = Parameter.POSITIONAL_OR_KEYWORD if k <= last else Parameter.KEYWORD_ONLY
        annotation = Literal[options[name]] if name in options else _type(name, value)
        parameters.append(Parameter(name, kind, default=value, annotation=annotation))
    return inspect.Signature([*parameters, *_extras()], return_annotation=None)


def bound(signature: inspect.Signature, owner: str, *args: Any, **kwargs: Any) -> inspect.BoundArguments:
    """Arguments by name.

    Raises:
        TypeError: they do not fit; as Python says it, with the name of the class.
    """
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{owner}.__init__() {error}") from None


def give(function: Any, signature: inspect.Signature, owner: str) -> None:
    """Let a constructor that takes `*args, **kwargs` show a signature, types included."""
    function.__signature__ = signature
    function.__annotations__ = {
        p.name: p.annotation for p in signature.parameters.values() if p.annotation is not Parameter.empty
    } | {"return": None}
    function.__qualname__ = f"{owner}.__init__"


def _extras() -> list[Parameter]:
    return [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in EXTRAS.items()
    ]


def _type(name: str, value: Any) -> Any:
    if name in FLAG_TYPES:
        return FLAG_TYPES[name]
    if isinstance(value, bool):
        return bool
    if isinstance(value, tuple):
        return tuple.__class_getitem__((float | torch.Tensor,) * len(value))
    return float | torch.Tensor
