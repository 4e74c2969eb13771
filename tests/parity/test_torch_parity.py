"""Side by side with torch.optim in float64 over 20 steps, hyper-parameters away from neutral.

Tolerance: an element may differ by 2 sides * 20 steps * 8 roundings * 2**-53 = 3.6e-14 of its size. The 8
are one for the subtraction, at most two for decoupled decay, and five for the update: its own roundings,
fewer than 50 with the bias corrections, are relative to the update, and the test asserts that this is
below a tenth of the parameter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest

import adamas

torch = pytest.importorskip("torch")

STEPS = 20
TOLERANCE = 2 * STEPS * 8 * 2.0**-53
SHAPES = ((3, 4), (5,), ())
BASE = {"lr": 0.0173, "weight_decay": 0.0137}
BETAS = {**BASE, "betas": (0.87, 0.963)}
ADAM = {**BETAS, "eps": 1.3e-3}
RMS = {**BASE, "alpha": 0.963, "eps": 1.3e-3}
PSI = {"momentum_decay": 0.0319}


class Pair(NamedTuple):
    """One of ours and the torch optimizer which has to agree; ``ours`` and ``theirs`` hold what differs."""

    name: str
    twin: str
    both: dict[str, Any]
    ours: Mapping[str, Any] = MappingProxyType({})
    theirs: Mapping[str, Any] = MappingProxyType({})

    def __str__(self) -> str:
        """The test's id."""
        return "-".join([self.name, *(f"{k}={v}" for k, v in {**self.ours, **self.theirs}.items())])


PAIRS = [
    Pair("SGD", "SGD", BASE),
    Pair("Momentum", "SGD", {**BASE, "momentum": 0.87}),
    Pair("Nesterov", "SGD", {**BASE, "momentum": 0.87}, theirs={"nesterov": True}),
    Pair(
        "Adagrad",
        "Adagrad",
        {**BASE, "eps": 1.3e-3, "lr_decay": 0.11},
        {"initial_accumulator": 0.23},
        {"initial_accumulator_value": 0.23},
    ),
    Pair("RMSprop", "RMSprop", RMS),
    Pair("RMSprop", "RMSprop", {**RMS, "centered": True}),
    Pair("RMSprop", "RMSprop", {**RMS, "momentum": 0.87}),
    Pair("RMSprop", "RMSprop", {**RMS, "centered": True, "momentum": 0.87}),
    Pair("Adadelta", "Adadelta", {**BASE, "lr": 0.73, "rho": 0.87, "eps": 1.3e-3}),
    Pair("Adam", "Adam", ADAM),
    Pair("Adam", "Adam", ADAM, {"decay": "decoupled"}, {"decoupled_weight_decay": True}),
    Pair("AdamW", "AdamW", ADAM),
    Pair("AMSGrad", "Adam", ADAM, {"maximum": "before"}, {"amsgrad": True}),
    Pair("AMSGradW", "AdamW", ADAM, {"maximum": "before"}, {"amsgrad": True}),
    Pair("Adamax", "Adamax", ADAM),
    Pair("NAdam", "NAdam", {**ADAM, **PSI}),
    Pair("NAdamW", "NAdam", {**ADAM, **PSI}, theirs={"decoupled_weight_decay": True}),
    Pair("RAdam", "RAdam", ADAM),
    Pair("RAdamW", "RAdam", ADAM, theirs={"decoupled_weight_decay": True}),
]


@pytest.fixture(autouse=True)
def _float64_scalars() -> Iterator[None]:
    """torch keeps NAdam's product of momenta in the default dtype; rounded to float32 it would be seen."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def _away_from_zero(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(rng.uniform(5.0, 8.0, shape) * rng.choice([-1.0, 1.0], shape))


def _apart(pair: Pair, backend: str, maximize: bool, **changed: Any) -> float:
    """The largest relative difference between the two over all steps."""
    rng = np.random.default_rng(20)
    params = [_away_from_zero(rng, shape) for shape in SHAPES]
    twins = [torch.tensor(p, dtype=torch.float64) for p in params]
    opt = adamas.get(pair.name)(**{**pair.both, **pair.ours, **changed}, maximize=maximize, backend=backend)
    twin = getattr(torch.optim, pair.twin)(twins, **pair.both, **pair.theirs, maximize=maximize)
    worst = 0.0
    for _ in range(STEPS):
        before = [p.copy() for p in params]
        grads = [np.asarray(rng.normal(size=shape)) for shape in SHAPES]
        opt.step(params, grads)
        for q, g in zip(twins, grads, strict=True):
            q.grad = torch.tensor(g, dtype=torch.float64)
        twin.step()
        for old, p, q in zip(before, params, twins, strict=True):
            assert np.all(np.abs(p - old) <= 0.1 * np.abs(p)), "the tolerance is not derived for such inputs"
            worst = max(worst, float(np.max(np.abs(p - q.numpy()) / np.abs(p))))
    return worst


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("maximize", [False, True], ids=["minimize", "maximize"])
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_same_as_torch(pair: Pair, maximize: bool, backend: str) -> None:
    """Twenty steps of ours are twenty steps of torch's."""
    assert _apart(pair, backend, maximize) <= TOLERANCE


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("Adam", {"eps": 1.3e-3 * (1 + 1e-6)}),
        ("AdamW", {"decay": "independent", "weight_decay": 0.0173 * 0.0137 * (1 + 1e-6)}),
        ("AMSGrad", {"maximum": "after"}),
        ("NAdam", {"form": "dozat"}),
        ("RAdam", {"compat": "paper"}),
        ("RMSprop", {"alpha": 0.963 * (1 + 1e-8)}),
    ],
)
def test_a_small_difference_is_seen(name: str, changed: dict[str, Any]) -> None:
    """The sister form, or a hyper-parameter slightly off, is not within the tolerance."""
    pair = next(pair for pair in PAIRS if pair.name == name)
    assert _apart(pair, "reference", False, **changed) > TOLERANCE
