"""Second moments that overflow: counted, seen by `nonfinite`, on every path; nothing changes where a step is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adamas

BACKENDS = ["cpu", "reference"]
SQUARES = ["Adam", "AMSGrad", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta", "Yogi", "ADOPT", "AdEMAMix"]


def case(dtype: Any, large: float) -> tuple[Any, Any]:
    x = np.linspace(-1, 1, 70).astype(dtype)
    g = np.full(70, 0.25, dtype)
    g[66] = large
    return x, g


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("dtype", "large"), [(np.float32, 1e21), (np.float64, 1e170)])
@pytest.mark.parametrize("name", SQUARES)
def test_an_overflow_is_counted(name: str, dtype: Any, large: float, backend: str) -> None:
    """The square of a finite gradient is infinite in the compute type; so is then the slot, for ever."""
    x, g = case(dtype, large)
    opt = getattr(adamas, name)(backend=backend)
    opt.step(x, g)
    assert opt.counters == {"nonfinite": 0, "overflow": 1, "skipped": 0, "staged": 0}
    assert any(not np.isfinite(a).all() for a in opt.state_dict()["state"][""].values())
    opt.step(x, np.full_like(g, 0.25))
    assert opt.counters["overflow"] == 2  # the slot is still infinite, and the parameter frozen
    clean = getattr(adamas, name)(backend=backend)
    clean.step(x, np.full_like(g, 0.25))
    assert clean.counters["overflow"] == 0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["SGD", "Momentum", "Lion", "Adamax"])
def test_without_squares_nothing_overflows(name: str, backend: str) -> None:
    x, g = case(np.float32, 1e21)
    opt = getattr(adamas, name)(backend=backend, nonfinite="skip")
    opt.step(x, g)
    assert opt.counters == {"nonfinite": 0, "overflow": 0, "skipped": 0, "staged": 0}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_gradient_that_is_not_finite_is_no_overflow(backend: str) -> None:
    x, g = case(np.float32, np.inf)
    opt = adamas.Adam(backend=backend)
    opt.step(x, g)
    assert opt.counters == {"nonfinite": 1, "overflow": 0, "skipped": 0, "staged": 0}


@pytest.mark.parametrize("first", [True, False], ids=["first step", "later step"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("dtype", "large"), [(np.float32, 1e21), (np.float64, 1e170)])
@pytest.mark.parametrize("extra", [{}, {"clip_value": 1e300}], ids=["plain", "clip_value"])
def test_such_a_step_is_left_out_or_raises(
    dtype: Any, large: float, extra: dict[str, float], backend: str, first: bool
) -> None:
    x, g = case(dtype, large)
    quiet = np.full_like(g, 0.25)
    for policy in ("skip", "raise"):
        opt = adamas.Adam(backend=backend, nonfinite=policy, **extra)
        if not first:
            opt.step(x, quiet)
        before, state = x.copy(), opt.state_dict()
        if policy == "raise":
            with pytest.raises(
                FloatingPointError, match=r"a state slot would overflow at step [12]; nothing was changed"
            ):
                opt.step(x, g)
        else:
            opt.step(x, g)
            assert opt.counters == {"nonfinite": 0, "overflow": 1, "skipped": 1, "staged": 0}
        assert np.array_equal(x, before)
        after = opt.state_dict()
        assert after["t"] == state["t"]
        assert str(after["state"]) == str(state["state"])
        opt.step(x, quiet)
        assert np.isfinite(x).all()
        assert not np.array_equal(x, before)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_clipped_norm_prevents_the_overflow(backend: str) -> None:
    """What is judged is the step that would be taken: after clipping by the norm the square is harmless."""
    x, g = case(np.float32, 1e21)
    opt = adamas.Adam(backend=backend, nonfinite="raise", clip_norm=1.0)
    opt.step(x, g)
    assert opt.counters["overflow"] == 0


@pytest.mark.parametrize("large", [2.0**50, 2.0**51, 1e16, 1e18])
def test_large_gradients_that_do_not_overflow_are_stepped(large: float) -> None:
    """Around the size from which a step is tried out before it is taken."""
    results = []
    for policy in ("propagate", "skip"):
        x, g = case(np.float32, large)
        opt = adamas.Adam(nonfinite=policy)
        opt.step(x, g)
        assert opt.counters["skipped"] == 0
        results.append(x)
    assert np.array_equal(*results)


def test_torch_optimizers_count_and_skip() -> None:
    torch = pytest.importorskip("torch")
    import adamas.torch

    for name in ("AdamW", "RMSprop", "AdEMAMix"):
        p = torch.nn.Parameter(torch.ones(70))
        p.grad = torch.full((70,), 0.25)
        opt = getattr(adamas.torch, name)([p], nonfinite="skip")
        opt.step()
        before = p.detach().clone()
        p.grad[66] = 1e21
        opt.step()
        assert opt.last_step_skipped
        assert opt.counters == {"nonfinite": 0, "overflow": 1, "skipped": 1, "staged": 0}
        assert torch.equal(p, before)
        assert int(opt.state[p].get("step", 1)) == 1
        plain = getattr(adamas.torch, name)([p])
        plain.step()
        assert plain.counters["overflow"] == 1


def test_torch_operations_count_and_skip() -> None:
    """The rule on torch's operations, of a conjugated view, which no kernel takes."""
    torch = pytest.importorskip("torch")
    import adamas.torch

    p = torch.nn.Parameter(torch.ones(3, dtype=torch.complex64).conj())
    p.grad = torch.full((3,), 0.5 + 0.5j)
    opt = adamas.torch.Adam([p], nonfinite="skip")
    opt.step()
    assert opt.paths == {"operations": 1}
    before = p.detach().clone()
    p.grad = torch.full((3,), 1e21 + 0.0j)
    opt.step()
    assert opt.counters == {"nonfinite": 0, "overflow": 1, "skipped": 1, "staged": 0}
    assert torch.equal(p, before)


def test_gradients_that_the_step_unscales_are_judged_as_they_enter_it() -> None:
    """GradScaler's scale is taken out in the pass of the step; a scaled gradient may be finite where its square is not."""
    torch = pytest.importorskip("torch")
    import adamas.torch

    for scale in (1.0, 2.0**16):
        for size, leaves in ((2.0**60, False), (2.0**64, True), (2.0**100, True)):
            p = torch.nn.Parameter(torch.ones(70))
            p.grad = torch.full((70,), size * scale)
            opt = adamas.torch.AdamW([p], nonfinite="skip", fused=True)
            opt.grad_scale, opt.found_inf = torch.tensor(scale), torch.tensor(0.0)
            opt.step()
            assert opt.last_step_skipped is leaves
            assert opt.counters["overflow"] == leaves
            assert bool(torch.isfinite(opt.state[p]["exp_avg_sq"]).all() if p in opt.state else leaves)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("size", [1, 17, 5000, 300_000])
def test_one_bad_element_in_any_place_is_seen(size: int, dtype: Any) -> None:
    """The fast pass that looks for large elements, where no norm is asked for, sees infinities and NaN everywhere."""
    for place in sorted({0, size // 2, size - 1}):
        for bad in (np.inf, -np.inf, np.nan):
            x, g = np.ones(size, dtype), np.full(size, 0.25, dtype)
            opt = adamas.Adam(nonfinite="skip")
            opt.step(x, g)
            before = x.copy()
            g[place] = bad
            opt.step(x, g)
            assert opt.counters == {"nonfinite": 1, "overflow": 0, "skipped": 1, "staged": 0}
            assert np.array_equal(x, before)
