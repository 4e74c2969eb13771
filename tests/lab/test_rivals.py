"""Optimizers of other libraries: where the formula is the same, the numbers are."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_race import invoke

import adamas
from adamas.lab.errors import InputError
from adamas.lab.problems import get_problem
from adamas.lab.rivals import LIBRARIES, Rival, get_rival
from adamas.lab.roster import describe, get_entrant, get_entrants
from adamas.lab.sweep_contest import sweep
from adamas.lab.trial import run_trial

HERE = [name for name, library in LIBRARIES.items() if importlib.util.find_spec(library.package)]
STEPS = 50
pytestmark = pytest.mark.rivals  # JAX starts threads: a process that has it cannot be forked as other tests do
RATE = 0.05


def needs(*libraries: str) -> pytest.MarkDecorator:
    missing = [name for name in libraries if name not in HERE]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


def walk(optimizer: Any, dtype: str) -> np.ndarray[Any, Any]:
    """Gradients that do not depend on the parameters, so that a difference is not amplified by a problem."""
    rng = np.random.default_rng(0)
    params = {"a": rng.standard_normal((3, 2)).astype(dtype), "b": rng.standard_normal(4).astype(dtype)}
    path = []
    for _ in range(STEPS):
        optimizer.step(params, {name: rng.standard_normal(p.shape).astype(dtype) for name, p in params.items()})
        path.append(np.concatenate([p.ravel() for p in params.values()]))
    return np.array(path)


# Every step rounds the update (a few operations, at most 8 units of the last place of a step of about RATE) and the
# sum p - update (one unit at |p| < 8); the rounding errors of STEPS steps add up.
def bound(dtype: str) -> float:
    return STEPS * float(np.finfo(dtype).eps) * (8 * RATE + 8)


PAIRS = [
    ("torch:Adam", adamas.Adam, {}, {}),
    ("torch:AdamW", adamas.AdamW, {"weight_decay": 0.1}, {"weight_decay": 0.1}),
    ("torch:SGD", adamas.SGD, {}, {}),
    ("optax:adam", adamas.Adam, {"beta2": 0.99}, {"beta2": 0.99}),
    ("optax:lion", adamas.Lion, {"weight_decay": 0.0}, {}),
    ("keras:Adam", adamas.Adam, {"eps": 1e-4}, {"eps": 1e-4, "compat": "folded"}),
    ("pytorch_optimizer:Lion", adamas.Lion, {"weight_decay": 0.0}, {}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("spec", "member", "theirs", "ours"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_same_formula_same_numbers(spec: str, member: Any, theirs: Any, ours: Any, dtype: str) -> None:
    if spec.partition(":")[0] not in HERE:
        pytest.skip(f"needs {spec.partition(':')[0]}")
    rate = float(np.float32(RATE))  # Keras keeps it in float32
    rival = walk(get_entrant(spec).make(lr=rate, **theirs), dtype)
    mine = walk(member(lr=rate, **ours), dtype)
    tolerance = bound(dtype)
    if spec == "keras:Adam" and dtype == "float64":
        # Keras casts beta and eps through float32 on some back ends: relative 2^-24 in each step of about RATE
        tolerance = STEPS * RATE * 4 * 2.0**-24
    assert np.abs(rival - mine).max() <= tolerance


@needs("torch")
def test_the_pairs_can_differ() -> None:
    rate = float(np.float32(RATE))
    other = walk(get_entrant("torch:Adam").make(lr=rate, beta2=0.998), "float32")
    assert np.abs(other - walk(adamas.Adam(lr=rate), "float32")).max() > 10 * bound("float32")


@pytest.mark.parametrize("spec", ["torch:Adam", "optax:adam", "keras:Adam", "pytorch_optimizer:Lion"])
def test_facts_defaults_and_state(spec: str) -> None:
    if spec.partition(":")[0] not in HERE:
        pytest.skip(f"needs {spec.partition(':')[0]}")
    entrant = get_entrant(spec.lower())
    assert (entrant.label, entrant.spec, entrant.file) == (spec, spec, None)
    member = adamas.get(spec.partition(":")[2])()
    assert entrant.default_rate == member.hyper["lr"]
    facts = describe(spec, entrant.make).to_dict()
    assert facts["f32_state_bytes_per_param"] == {"Lion": 4}.get(type(member).__name__, 8)
    assert {"lr", "beta1", "beta2"} <= set(facts["defaults"])
    assert facts["source"].split()[0] == spec.partition(":")[0]


@needs("torch", "optax")
def test_parameters_stay_where_they_are_and_an_array_alone_is_enough() -> None:
    for spec in ("torch:Adam", "optax:adam"):
        x = np.array([3.0, -2.0])
        alias = x
        optimizer = get_entrant(spec).make(lr=0.1)
        for _ in range(3):
            optimizer.step(x, x.copy())
        assert alias is x
        np.testing.assert_allclose(x, [2.7, -1.7], atol=2e-3)
        with pytest.raises(TypeError, match="give an array or a flat dict of arrays"):
            optimizer.step([x], [x])


@needs("torch")
def test_a_rival_runs_a_problem_like_the_member() -> None:
    problem = get_problem("digits-softmax")
    theirs = run_trial(problem, get_entrant("torch:Adam").make(lr=0.01), 0, 20)
    ours = run_trial(problem, adamas.Adam(lr=0.01), 0, 20)
    np.testing.assert_allclose(theirs.valid, ours.valid, rtol=1e-5)
    assert theirs.state_bytes == ours.state_bytes == 8


@needs("torch", "optax")
def test_rivals_race_and_are_searched_beside_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adamas.lab.contest.build", lambda folder, lang: {})
    result = invoke("compare", "t0-bowl", "--optimizers", "adam,torch:Adam,optax:adam", "--steps", "20", "--seeds", "5",
                    "--lr-grid", "0.1", "--jobs", "2", "-q", "--json", "--out", tmp_path / "race")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    facts = json.loads((tmp_path / "race" / "manifest.json").read_text())["settings"]["optimizer_facts"]
    assert list(facts) == ["Adam", "torch:Adam", "optax:adam"]
    found = sweep("t0-bowl", optimizers=["adam", "torch:Adam", "optax:adam"], trials=4, steps=20, seeds=5, quiet=True,
                  space="lr=0.01:1:log,beta2=0.9:0.999:logit", out=tmp_path / "sweep").summary  # fmt: skip
    adam, *rivals = (numbers["trials"] for numbers in found["optimizers"].values())
    for trials in rivals:
        assert [t["hyper"] for t in trials] == [t["hyper"] for t in adam]
        losses = [t["valid_loss"] for t in trials]
        np.testing.assert_allclose(losses, [t["valid_loss"] for t in adam], rtol=1e-9)


@needs("torch", "optax")
@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("torch:Adma", "torch has no optimizer 'Adma' with a learning rate"),
        ("torch:LBFGS", "'torch:LBFGS' cannot be stepped by gradients alone"),
        ("optax:lbfgs", "'optax:lbfgs' cannot be stepped by gradients alone"),
        ("optax:nosuch", "e.g. optax:adamw"),
    ],
)
def test_what_cannot_run_is_refused(spec: str, text: str) -> None:
    with pytest.raises(InputError, match=text):
        get_entrant(spec)


def test_a_library_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adamas.lab.rivals.find_spec", lambda name: None)
    with pytest.raises(InputError, match="keras is not installed; install it with: pip install keras"):
        get_rival("keras:Adam")


@needs("torch")
def test_wrong_hyper_parameters_and_repetition() -> None:
    rival = get_entrant("torch:Adam").make
    assert isinstance(rival, Rival)
    with pytest.raises(TypeError, match="torch:Adam has no hyper-parameter 'rho'; it has lr, beta1"):
        rival(rho=0.9)
    with pytest.raises(InputError, match="given twice"):
        get_entrants(["torch:Adam", "torch:adam"])
    assert [e.label for e in get_entrants(["adam", "torch:Adam"])] == ["Adam", "torch:Adam"]
