"""Sums of squares are exact: what the kernel counted is compared as a whole number, not as a rounded norm."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import adamas
from adamas.engine import survey
from adamas.engine.cpu.templates import BLOCK
from adamas.engine.reference import sum_of_squares
from family import hard_numbers

Array = Any
Count = Callable[..., survey.Sum]
DTYPES: list[Any] = [np.float32, np.float64, np.float16]
SPANS = {"float32": (28, 54), "float64": (25, 51)}  # binades of a pass, of one over a wide block; see `codegen.py`
quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Count:
    """The sum that the CPU kernel leaves of all gradients of a step, before any rounding."""
    found: list[survey.Sum] = []
    collect = survey.collect

    def recorded(*arguments: Any) -> survey.Sum:
        found.append(collect(*arguments))
        return found[-1]

    monkeypatch.setattr(survey, "collect", recorded)

    def count(*gs: Array, **kw: Any) -> survey.Sum:
        found.clear()
        opt = adamas.SGD(**({"clip_norm": 1.0} | kw), backend="cpu")
        with np.errstate(all="ignore"):
            opt.step([np.zeros_like(g) for g in gs], list(gs))
        return sum(found, survey.Sum())

    return count


def exact(*gs: Array) -> int:
    """The sum of squares by fractions, in multiples of 2**UNIT: float64's squares are rounded to 53 bits."""
    total = Fraction(0)
    for x in itertools.chain(*(g.astype(np.float64).ravel().tolist() for g in gs)):
        mantissa, exponent = math.frexp(x)
        total += Fraction(float(Fraction(mantissa) ** 2)) * Fraction(4) ** exponent
    assert (total / Fraction(2) ** survey.UNIT).denominator == 1
    return int(total / Fraction(2) ** survey.UNIT)


def powers(dtype: Any, exponents: Sequence[int], rng: np.random.Generator) -> Array:
    """Numbers of these binary exponents with random mantissas whose last bit is set, of random sign."""
    x = np.ldexp(rng.uniform(1, 2, len(exponents)), exponents).astype(dtype)
    word = np.dtype(f"u{x.dtype.itemsize}")
    return (x.view(word) | 1).view(dtype) * rng.choice([-1, 1], len(x)).astype(dtype)


def compute_type(dtype: Any) -> Any:
    return np.float64 if dtype == np.float64 else np.float32


def bounds(dtype: Any) -> tuple[int, int]:
    """Exponents of the smallest denormal and of the largest number."""
    info = np.finfo(dtype)
    return math.frexp(float(info.smallest_subnormal))[1] - 1, info.maxexp - 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 2, 15, 16, 17, 31, 33, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_sizes(count: Count, n: int, dtype: Any) -> None:
    rng = np.random.default_rng(n)
    g = rng.standard_normal(n).astype(dtype)
    assert count(g) == survey.Sum(exact(g)) == sum_of_squares(g)
    assert count(g[::-1].copy(), g, g) == survey.Sum(3 * exact(g))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("change", [-1, 0, 1])
def test_edge_of_a_window(count: Count, dtype: Any, change: int) -> None:
    """Elements about the last binade that a pass holds, and as far below again; every last bit is set."""
    rng = np.random.default_rng(3)
    low, high = bounds(dtype)
    for span in SPANS.get(np.dtype(dtype).name, (28,)):
        for top, place in itertools.product(sorted({low + 2, -20, 0, 9, high}), (0, 7, BLOCK - 1)):
            if not low <= top <= high:
                continue
            exponents = np.full(BLOCK, top - span + change)
            for further in (0, span):  # in one pass, if the guess is right, or in several
                exponents[1::2] -= further and further + rng.integers(-1, 2, BLOCK // 2)
                exponents[place] = top
                g = powers(dtype, np.maximum(low, exponents), rng)
                assert count(g).whole == exact(g)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_among_others(count: Count, dtype: Any) -> None:
    """The largest number among denormals, one denormal among the largest, in every place of the vector loop."""
    info = np.finfo(dtype)
    for many, one in ((info.smallest_subnormal, info.max), (info.max, info.smallest_subnormal), (0.0, info.max)):
        for place in (0, 1, 31, 32, BLOCK - 1, BLOCK, 2 * BLOCK - 2):
            g = np.full(2 * BLOCK - 1, many, dtype)
            g[place] = one
            squares = [exact(np.array([x], dtype)) for x in (many, one)]
            assert count(g).whole == squares[0] * (len(g) - 1) + squares[1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_extremes(count: Count, dtype: Any) -> None:
    """Full blocks of the largest number (counts at their limit), of all denormals, of zeros, of ties in rounding."""
    info = np.finfo(dtype)
    largest = np.full(2 * BLOCK, info.max, dtype)
    denormals = np.arange(1, 1001) * float(info.smallest_subnormal)
    ties = np.ldexp(1.0, np.repeat(np.arange(-13, 3), 200))  # halves and wholes of what the first cut rounds to
    for g in (largest, denormals.astype(dtype), np.zeros(5000, dtype), ties.astype(dtype)):
        assert count(g).whole == exact(g)
    assert count(largest).root() == math.sqrt(2 * BLOCK) * float(info.max)  # a power of two; infinity in float64


@pytest.mark.parametrize("dtype", DTYPES)
def test_guesses_that_fail(count: Count, dtype: Any) -> None:
    """Blocks that grow, shrink, vanish, leap and spread: the window is guessed from the block before."""
    rng = np.random.default_rng(5)
    low, high = bounds(dtype)
    tops = [0, 1, 3, 9, low + 11, low, high, low, high - 1, high, 0, 0, low + 5, 2, -3]
    spreads = [0.3] * len(tops) + [0.03] * len(tops)
    blocks = [powers(dtype, np.maximum(low, t - rng.geometric(s, BLOCK)), rng) for t, s in zip(tops * 2, spreads)]
    blocks[3:3] = [np.zeros(BLOCK, dtype)] * 2
    g = np.concatenate(blocks)
    assert count(g).whole == sum(exact(b) for b in blocks)


@pytest.mark.parametrize("dtype", DTYPES)
def test_oracle_is_exact(dtype: Any) -> None:
    g = hard_numbers(np.random.default_rng(6), 500, dtype)
    g = g[np.isfinite(g)]
    assert sum_of_squares(g).whole == exact(g)


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_spread_order_and_splitting(count: Count, dtype: Any, threads: int) -> None:
    """A tensor large enough for both threads, over all exponents; whole, cut, and backwards."""
    rng = np.random.default_rng(7)
    g = hard_numbers(rng, 400_003, dtype)
    g[~np.isfinite(g)] = 1
    expected = sum_of_squares(g)
    parts = np.split(g, [1, 17, BLOCK, 5000, 5001, 250_000])
    assert count(g) == expected
    assert count(*parts) == expected
    assert count(*[a[::-1].copy() for a in parts[::-1]]) == expected
    assert count(np.sort(g)) == expected


@pytest.mark.parametrize("dtype", DTYPES)
def test_per_tensor(count: Count, dtype: Any) -> None:
    """With a limit for each tensor the sums are the tensors' own, empty ones and long ones included."""
    rng = np.random.default_rng(8)
    gs = [hard_numbers(rng, n, dtype) for n in (0, 3, 40_000, 0, 1, 5000)]
    for g in gs:
        g[~np.isfinite(g)] = 1
    assert count(*gs, clip_norm=None, clip_tensor_norm=1.0).whole == sum(sum_of_squares(g).whole for g in gs)
    opt = adamas.SGD(lr=1.0, clip_tensor_norm=1e-3)
    same = [np.full(n, 0.5, dtype) for n in (4, 16, 64)]
    p = [np.zeros_like(g) for g in same]
    opt.step(p, same)
    for k, g in enumerate(same):  # norms 1, 2 and 4 are exact
        assert np.all(p[k] == (-g * compute_type(dtype)(1e-3 / 2**k)).astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("values", [(math.nan,), (math.inf,), (-math.inf, math.inf), (math.inf, math.nan)])
def test_nonfinite(count: Count, dtype: Any, values: tuple[float, ...], threads: int) -> None:
    """NaN anywhere makes NaN, also after an infinity; infinities alone make infinity; the sum after is clean again."""
    rng = np.random.default_rng(9)
    clean = rng.standard_normal(300_000).astype(dtype)
    for place in (0, BLOCK + 1, 299_990):
        g = clean.copy()
        g[place : place + 5 * len(values) : 5] = values
        found = count(g)
        assert not found.finite
        assert math.isnan(found.other) == any(math.isnan(v) for v in values)
        opt = adamas.SGD(clip_norm=1.0, nonfinite="skip")
        p = np.zeros_like(clean)
        norms = []
        for _ in range(2):
            opt.step(p, g)
            opt.step(p, clean)
            norms.append(opt.last_norm)
        assert norms == [sum_of_squares(clean).root()] * 2
        assert opt.counters["skipped"] == 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_prepared_gradient(count: Count, dtype: Any) -> None:
    """The norm is that of the scaled and clipped gradient, computed in the compute type."""
    g = (np.random.default_rng(10).standard_normal(5000)).astype(dtype)
    compute = compute_type(dtype)
    scaled = np.clip(g.astype(compute) * compute(1.7), compute(-0.9), compute(0.9))
    assert count(g, grad_scale=1.7, clip_value=0.9).whole == exact(scaled)


def test_bfloat16(count: Count) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    every = np.arange(65_536, dtype=np.uint16).view(ml_dtypes.bfloat16)
    every = every[np.isfinite(every.astype(np.float32))]
    assert count(every) == sum_of_squares(every)


@st.composite
def tensors(draw: st.DrawFn, dtype: Any) -> list[Array]:
    """Up to four tensors: each of a few values, repeated to some length, so that blocks differ from each other."""
    values = st.floats(width=np.dtype(dtype).itemsize * 8, allow_nan=False, allow_infinity=False)
    sizes = st.sampled_from([0, 1, 5, 16, 33, BLOCK, BLOCK + 1, 2 * BLOCK + 9])
    parts = st.lists(st.tuples(st.lists(values, min_size=1, max_size=6), sizes), min_size=1, max_size=4)
    return [np.resize(np.array(v, dtype), n) for v, n in draw(parts)]


@pytest.mark.parametrize("dtype", DTYPES)
@quick
@given(data=st.data())
def test_any_tensors(count: Count, dtype: Any, data: st.DataObject) -> None:
    gs = data.draw(tensors(dtype))
    expected = sum(sum_of_squares(g).whole for g in gs)
    assert count(*gs).whole == expected
    assert count(np.concatenate(gs)).whole == expected


def test_comparison_can_fail(count: Count) -> None:
    """One unit of the smallest square beside the largest is seen."""
    g = np.array([np.finfo(np.float32).max, np.finfo(np.float32).smallest_subnormal], np.float32)
    assert count(g).whole - count(g[:1]).whole == 1 << (-298 - survey.UNIT)
