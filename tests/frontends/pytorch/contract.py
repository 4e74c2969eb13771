"""What torch's own tests ask of an optimizer: torch's test database, turned to the classes under test.

`OPT=torch.optim` in the environment runs the same tests over torch itself, which shows where ours ask for more.
The database is a private module of torch; where it cannot be imported, a small one of our own stands in.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import os
import sys
import types
import unittest
import warnings
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest
import torch
from torch.optim import lr_scheduler as schedulers
from torch.optim.swa_utils import SWALR

MODULE = importlib.import_module(os.environ.get("OPT", "adamas.torch"))
NAMES = ("Adam", "AdamW", "SGD", "Adagrad", "RMSprop", "Adadelta", "NAdam", "RAdam", "Adamax", "SparseAdam")
Maker = Callable[[torch.optim.Optimizer], Any]
FLAGS = ("foreach", "fused", "differentiable")
"""Choices of implementation; at most one of them is true."""


def _torch_database() -> dict[str, Any]:
    """Torch's entries by class name; importing them changes global settings, which are put back."""
    with contextlib.suppress(ImportError):
        import expecttest  # noqa: F401
    if "expecttest" not in sys.modules:  # only its TestCase is looked up, as a base class
        stub = types.ModuleType("expecttest")
        stub.TestCase = type("TestCase", (unittest.TestCase,), {})
        sys.modules["expecttest"] = stub
    profile = hypothesis.settings.get_current_profile_name()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torch.testing._internal.common_optimizers import optim_db
    finally:
        hypothesis.settings.load_profile(profile)
        vars(torch.backends)["__allow_nonbracketed_mutation_flag"] = True
    return {info.optim_cls.__name__: info for info in optim_db}


def _own_entry(name: str) -> SimpleNamespace:
    """A stand-in with the attributes the tests read."""
    sparse = name == "SparseAdam"
    settings: list[dict[str, Any]] = [{}, {"lr": 0.01}, {"maximize": True}]
    settings += [] if sparse else [{"weight_decay": 0.1}, {"weight_decay": 0.1, "maximize": True}]
    settings += {
        "Adam": [{"amsgrad": True}],
        "SGD": [{"momentum": 0.9, "nesterov": True}],
        "RMSprop": [{"centered": True, "momentum": 0.1}],
    }.get(name, [])
    wrong = {"Adadelta": {"rho": 1.1}, "SGD": {"momentum": -0.5}, "RMSprop": {"momentum": -1.0}}
    bad = wrong.get(name, {"lr": -1.0})
    ((key, value),) = bad.items()
    said = "learning rate" if key == "lr" else f"{key} value"
    error = SimpleNamespace(
        optimizer_error_input=SimpleNamespace(params=None, kwargs=bad, desc="a wrong number"),
        error_on=None, error_type=ValueError, error_regex=f"Invalid {said}: {value}",
    )  # fmt: skip
    fused = ("fused",) if name in ("Adam", "AdamW", "SGD", "Adagrad") else ()
    scheduler = torch.optim.lr_scheduler.ExponentialLR
    return SimpleNamespace(
        optim_inputs_func=lambda device, dtype=None: [
            SimpleNamespace(params=None, kwargs=copy.deepcopy(s), desc=str(s)) for s in settings
        ],
        optim_error_inputs_func=lambda device, dtype: [error],
        scheduler_inputs=([lambda opt: scheduler(opt, gamma=0.9)],),
        supported_impls=() if sparse else ("foreach", "differentiable", *fused),
        supports_fused_on=("cpu",) if fused else (),
        not_og_supported_flags=("foreach", "differentiable", "maximize", "capturable"),
        supports_sparse=name in ("SGD", "Adagrad"),
        only_supports_sparse_grads=sparse,
        supports_complex=not sparse,
        metadata_for_sparse=({}, []),
    )


def _entries() -> list[Any]:
    try:
        database = _torch_database()
    except ImportError:
        database = {}
    out = []
    for name in NAMES:
        entry = copy.copy(database.get(name) or _own_entry(name))
        entry.optim_cls = getattr(MODULE, name)
        out.append(entry)
    return out


INFOS = _entries()
DENSE = [info for info in INFOS if not info.only_supports_sparse_grads]
FUSED = [info for info in INFOS if "cpu" in info.supports_fused_on]


def over(infos: list[Any]) -> pytest.MarkDecorator:
    """Run a test once for each class."""
    return pytest.mark.parametrize("info", infos, ids=lambda info: info.optim_cls.__name__)


def each_upstream(names: Iterable[str]) -> pytest.MarkDecorator:
    """Run a test once for each of these tests of torch's, whose names are the parameters."""
    return pytest.mark.parametrize("upstream", list(names))


def settings(info: Any, dtype: torch.dtype = torch.float32) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, constructor arguments) of a class, those of torch's database for this dtype; fresh tensors each time."""
    for entry in info.optim_inputs_func("cpu", dtype):
        yield entry.desc, copy.deepcopy(entry.kwargs)


def refused(info: Any, kwargs: dict[str, Any], flag: str) -> bool:
    """Whether torch refuses the flag: Adam and AdamW with `foreach` take no tensor for lr, the other classes do."""
    names = ("Adam", "AdamW")
    return flag == "foreach" and isinstance(kwargs.get("lr"), torch.Tensor) and info.optim_cls.__name__ in names


def flagged(info: Any, flags: tuple[str, ...] = FLAGS) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same, once without a flag and once with each that the class has."""
    for name, kwargs in settings(info):
        yield name, kwargs
        for flag in flags:
            if flag in info.supported_impls and not refused(info, kwargs, flag):
                yield f"{name}, {flag}", copy.deepcopy(kwargs) | {flag: True}


def each(cases: Iterator[tuple[str, dict[str, Any]]], body: Callable[[dict[str, Any]], None]) -> None:
    """Run a body for every case; a failure names its case."""
    for name, kwargs in cases:
        try:
            body(kwargs)
        except BaseException as error:
            error.add_note(f"settings: {name} {kwargs}")
            raise


def gradient(info: Any, p: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """Random numbers for a parameter, in the layout the class takes."""
    g = torch.randn(p.shape, dtype=p.dtype, generator=generator)
    return g.to_sparse() if info.only_supports_sparse_grads else g


def parameters(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float32, seed: int = 5) -> list[torch.Tensor]:
    """Plain leaf tensors; the same each time."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, dtype=dtype, generator=generator) for shape in shapes]


def train(info: Any, opt: torch.optim.Optimizer, params: list[torch.Tensor], steps: int, seed: int = 6) -> None:
    """Steps with random gradients, the same each time."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        for p in params:
            p.grad = gradient(info, p, generator)
        opt.step()


def two_groups(module: Any, name: str = "SGD") -> Any:
    """An optimizer of two groups, the lr of the first a number and that of the second a tensor."""
    one, two = parameters((3, 4), (17,))
    return getattr(module, name)([{"params": [one]}, {"params": [two], "lr": torch.tensor(0.5)}], lr=0.0625)


def step(opt: Any, k: int = 0) -> None:
    """A step with random gradients, the same for the same k."""
    for group in opt.param_groups:
        for p in group["params"]:
            p.grad = parameters(tuple(p.shape), seed=k)[0]
    opt.step()


def numbers(opt: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """Everything in the groups but the parameters."""
    return [{k: v for k, v in group.items() if k != "params"} for group in opt.param_groups]


def cycles(opt: torch.optim.Optimizer) -> bool:
    """Whether it has a momentum that a scheduler can turn."""
    return "betas" in opt.defaults or "momentum" in opt.defaults


SCHEDULERS: dict[str, Maker] = {
    "LambdaLR": lambda o: schedulers.LambdaLR(o, lambda k: 0.9**k),
    "MultiplicativeLR": lambda o: schedulers.MultiplicativeLR(o, lambda k: 0.9),
    "StepLR": lambda o: schedulers.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda o: schedulers.MultiStepLR(o, [2, 5], 0.5),
    "ConstantLR": lambda o: schedulers.ConstantLR(o, 0.25, 4),
    "LinearLR": lambda o: schedulers.LinearLR(o, 0.4, total_iters=4),
    "ExponentialLR": lambda o: schedulers.ExponentialLR(o, 0.9),
    "SequentialLR": lambda o: schedulers.SequentialLR(
        o, [schedulers.ConstantLR(o, 0.5, 9), schedulers.ExponentialLR(o, 0.9)], [4]
    ),
    "PolynomialLR": lambda o: schedulers.PolynomialLR(o, 5, 0.9),
    "CosineAnnealingLR": lambda o: schedulers.CosineAnnealingLR(o, 5),
    "ChainedScheduler": lambda o: schedulers.ChainedScheduler(
        [schedulers.ConstantLR(o, 0.5, 3), schedulers.ExponentialLR(o, 0.9)]
    ),
    "ReduceLROnPlateau": lambda o: schedulers.ReduceLROnPlateau(o, patience=1),
    "CyclicLR": lambda o: schedulers.CyclicLR(o, 0.001, 0.01, 3, cycle_momentum=cycles(o)),
    "CosineAnnealingWarmRestarts": lambda o: schedulers.CosineAnnealingWarmRestarts(o, 3),
    "OneCycleLR": lambda o: schedulers.OneCycleLR(o, 0.01, total_steps=12, cycle_momentum=cycles(o)),
    "SWALR": lambda o: SWALR(o, 0.05, anneal_epochs=4),
}
"""One of each kind, by name."""


def advance(made: list[Any], loss: torch.Tensor) -> None:
    """One epoch of every scheduler."""
    for s in made:
        s.step(loss) if isinstance(s, schedulers.ReduceLROnPlateau) else s.step()


def assert_same(a: Any, b: Any, path: str = "") -> None:
    """The same structure, dtypes and values, bit for bit; within torch's tolerances when torch itself is tried."""
    assert type(a) is type(b), f"{path}: {type(a)} and {type(b)}"
    if isinstance(a, dict):
        assert list(a) == list(b), path
        for key in a:
            assert_same(a[key], b[key], f"{path}[{key!r}]")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), path
        for k, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{path}[{k}]")
    elif isinstance(a, torch.Tensor):
        bounds = {} if MODULE is torch.optim else {"rtol": 0, "atol": 0}
        torch.testing.assert_close(a, b, equal_nan=True, msg=lambda said: f"{path}: {said}", **bounds)
    else:
        assert a == b, path
