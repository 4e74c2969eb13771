"""The compiled kernel equals the oracle in every bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adamas
from family import cases, hard_numbers, same_bits

SIZES = (0, 1, 2, 3, 15, 16, 17, 63, 64, 65, 1000, 65_535, 65_537, 1_000_003)
STEPS = 3
CASES = cases()
IDS = [f"{name}-{'-'.join(str(v) for v in kw.values() if isinstance(v, (str, bool)))}" for name, kw in CASES]


def data(dtype: Any, sizes: tuple[int, ...], seed: int = 0) -> tuple[list[Any], list[list[Any]]]:
    rng = np.random.default_rng(seed)
    p = [hard_numbers(rng, n, dtype) for n in sizes]
    return p, [[hard_numbers(rng, n, dtype) for n in sizes] for _ in range(STEPS)]


def run(name: str, kw: dict[str, Any], backend: str, p: Any, gs: list[Any]) -> tuple[Any, Any]:
    opt = adamas.get(name)(**kw, backend=backend)
    p = [a.copy() for a in p]
    for g in gs:
        opt.step(p, g)
    return p, opt.state_dict()["state"]


def assert_same(a: tuple[Any, Any], b: tuple[Any, Any]) -> None:
    for x, y in zip(a[0], b[0], strict=True):
        assert same_bits(x, y)
    assert a[1].keys() == b[1].keys()
    for path in a[1]:
        for slot in a[1][path]:
            assert same_bits(a[1][path][slot], b[1][path][slot]), (path, slot)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
@pytest.mark.parametrize(("name", "kw"), CASES, ids=IDS)
def test_kernel_equals_oracle(name: str, kw: dict[str, Any], dtype: Any) -> None:
    """All sizes in one step, on one thread and on two; hyper-parameters away from neutral."""
    p, gs = data(dtype, SIZES)
    expected = run(name, kw, "reference", p, gs)
    before = adamas.get_num_threads()
    try:
        for number in (1, 2):
            adamas.set_num_threads(number)
            assert_same(run(name, kw, "cpu", p, gs), expected)
    finally:
        adamas.set_num_threads(before)


AROUND: list[dict[str, Any]] = [
    {"maximize": True, "grad_scale": 0.37},
    {"clip_value": 0.5},
    {"clip_norm": 0.7},
    {"clip_tensor_norm": 0.3},
    {"clip_value": 0.9, "clip_tensor_norm": 0.3, "clip_norm": 0.4, "grad_scale": 1.7},
    {"cautious": True},
    {"cautious": True, "clip_norm": 0.7, "decay": "decoupled"},
    {"weight_decay": 0.0, "decay": "coupled"},
    {"lr": 0.0, "decay": "independent"},
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("extra", AROUND, ids=lambda e: "-".join(e))
@pytest.mark.parametrize("name", ["Adam", "Momentum", "Lion"])
def test_step_around_equals_oracle(name: str, extra: dict[str, Any], dtype: Any, threads: int) -> None:
    """Every option of the step around a rule; finite gradients, so that norms are numbers."""
    rng = np.random.default_rng(5)
    sizes = (1, 0, 17, 1000, 300_001)
    p = [rng.standard_normal(n).astype(dtype) for n in sizes]
    gs = [[(rng.standard_normal(n) * 10.0 ** rng.uniform(-9, 1, n)).astype(dtype) for n in sizes] for _ in range(STEPS)]
    kw = {"lr": 0.013, "weight_decay": 0.03} | extra
    assert_same(run(name, kw, "cpu", p, gs), run(name, kw, "reference", p, gs))


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("name", ["AdamW", "Adan", "RMSprop"])
def test_split_merged_and_reordered(name: str, dtype: Any, threads: int) -> None:
    """Cutting a tensor anywhere, or listing tensors in another order, changes no bit; global norm included."""
    rng = np.random.default_rng(1)
    n, cuts = 200_003, [1, 17, 4096, 65_537, 150_000]
    p = rng.standard_normal(n).astype(dtype)
    gs = [(rng.standard_normal(n) * 10.0 ** rng.uniform(-12, 4, n)).astype(dtype) for _ in range(STEPS)]
    kw = {"clip_norm": 0.5}
    whole, _ = run(name, kw, "cpu", [p], [[g] for g in gs])
    parts, _ = run(name, kw, "cpu", np.split(p, cuts), [np.split(g, cuts) for g in gs])
    back, _ = run(name, kw, "cpu", np.split(p, cuts)[::-1], [np.split(g, cuts)[::-1] for g in gs])
    assert same_bits(whole[0], np.concatenate(parts))
    assert same_bits(whole[0], np.concatenate(back[::-1]))


def test_cautious_mask_counts_per_tensor() -> None:
    """The mask's enlargement is a tensor's own: reordering tensors changes no bit."""
    rng = np.random.default_rng(2)
    p = [rng.standard_normal(n) for n in (5, 100, 7)]
    gs = [[rng.standard_normal(n) for n in (5, 100, 7)] for _ in range(STEPS)]
    a, _ = run("Adam", {"cautious": True}, "cpu", p, gs)
    b, _ = run("Adam", {"cautious": True}, "cpu", p[::-1], [g[::-1] for g in gs])
    assert all(same_bits(x, y) for x, y in zip(a, b[::-1], strict=True))


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
@pytest.mark.parametrize("member", ["Adam", "Lion", "SGD"])
def test_half_precision_equals_oracle(name: str, member: str) -> None:
    """16-bit storage computes in float32 and rounds once, to nearest even; ml_dtypes rounds the oracle."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    dtype = np.dtype(getattr(ml_dtypes, name, name))
    every = np.arange(65_536, dtype=np.uint16).view(dtype)
    rng = np.random.default_rng(3)
    gs = [[rng.permutation(every)] for _ in range(STEPS)]
    with np.errstate(all="ignore"):
        a, state = run(member, {"lr": 0.3}, "cpu", [every], gs)
        b, expected = run(member, {"lr": 0.3}, "reference", [every], gs)
    assert same_bits(a[0], b[0])
    for slot in state["0"]:
        assert state["0"][slot].dtype == np.float32
        assert same_bits(state["0"][slot], expected["0"][slot])


def test_comparison_can_fail() -> None:
    """One unit in the last place is seen."""
    a = np.ones(4, np.float32)
    b = a.copy()
    b[2] = np.nextafter(b[2], np.float32(2))
    assert not same_bits(a, b)
    assert not same_bits(np.array([0.0]), np.array([-0.0]))
    assert not same_bits(np.array([np.nan]), np.array([1.0]))


def test_late_workers_find_nothing_to_do() -> None:
    """A worker that wakes after its kernel has ended must not take tasks of the next one.

    Each step runs three kernels over one set of tensors (norm, count of the mask, step), so that late workers abound.
    """
    rng = np.random.default_rng(4)
    p = rng.standard_normal(150_000)
    gs = [rng.standard_normal(150_000) for _ in range(4)]
    before = adamas.get_num_threads()
    out = []
    try:
        for number in (1, 2, 5):
            adamas.set_num_threads(number)
            opt, x = adamas.Adam(cautious=True, clip_norm=1.0), p.copy()
            for k in range(200):
                opt.step(x, gs[k % 4])
            out.append(x)
    finally:
        adamas.set_num_threads(before)
    assert same_bits(out[0], out[1])
    assert same_bits(out[0], out[2])
