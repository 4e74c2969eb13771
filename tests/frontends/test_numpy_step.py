"""The NumPy front end: every memory layout and structure, what is noticed between steps, and the laws of a step."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import adamas
from adamas.engine.cpu import cache
from family import hard_numbers, same_bits
from snapshots import bits

BACKENDS = ("cpu", "reference")
Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def no_performance_warning() -> Iterator[None]:
    """Strided parameters are wanted here; one test below looks at the warning itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", adamas.PerformanceWarning)
        yield


# -- layouts -----------------------------------------------------------------------------------------------
def unaligned(a: Array) -> Array:
    buffer = bytearray(a.nbytes + 1)
    out = np.frombuffer(buffer, a.dtype, a.size, 1).reshape(a.shape)
    out[...] = a
    assert not out.flags.aligned or a.dtype.itemsize == 1
    return out


def odd_strides(a: Array) -> Array:
    """Axes of length 1 with strides that mean nothing."""
    c = np.ascontiguousarray(a)
    shape, strides = (1, c.shape[0], 1, *c.shape[1:], 1), (7, c.strides[0], -16, *c.strides[1:], 3)
    return as_strided(c, shape, strides)[0, :, 0, ..., 0]


def mapped(a: Array, folder: Path) -> Array:
    out = np.memmap(folder / f"{len(list(folder.iterdir()))}.bin", a.dtype, "w+", shape=a.shape)
    out[...] = a
    return out


LAYOUTS: dict[str, Any] = {
    "C": lambda a, _: a.copy(order="C"),
    "Fortran": lambda a, _: a.copy(order="F"),
    "transposed": lambda a, _: a.transpose(1, 2, 0).copy().transpose(2, 0, 1),
    "strided": lambda a, _: np.repeat(np.repeat(a, 2, 0), 3, 2)[::2, :, ::3],
    "inner slice": lambda a, _: np.pad(a, 2)[2:-2, 2:-2, 2:-2],
    "negative": lambda a, _: a[::-1, :, ::-1].copy()[::-1, :, ::-1],
    "unaligned": lambda a, _: unaligned(a),
    "odd strides": lambda a, _: odd_strides(a),
    "memmap": mapped,
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("gradient", [*LAYOUTS, "broadcast"])
@pytest.mark.parametrize("parameter", LAYOUTS)
def test_layouts(parameter: str, gradient: str, backend: str, tmp_path: Path) -> None:
    """A parameter and its gradient in any two layouts give the bits that plain arrays give, at every step."""
    rng = np.random.default_rng(0)
    start = rng.standard_normal((4, 3, 5)).astype(np.float32)
    plain, p = start.copy(), LAYOUTS[parameter](start, tmp_path)
    one, other = adamas.Adam(lr=0.1), adamas.Adam(lr=0.1, backend=backend)
    for _ in range(3):
        g = rng.standard_normal((4, 3, 5)).astype(np.float32)
        if gradient == "broadcast":
            g[...] = g[:1, :, :1]
            h = np.broadcast_to(g[:1, :, :1], g.shape)
        else:
            h = LAYOUTS[gradient](g, tmp_path)
        kept = h.tobytes()
        one.step(plain, g)
        other.step(p, h)
        assert h.tobytes() == kept  # a gradient is never written
    assert same_bits(np.ascontiguousarray(p), plain)
    for slot in ("m", "v"):
        assert same_bits(other.state_dict()["state"][""][slot], one.state_dict()["state"][""][slot])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (1, 1, 1), (2, 1, 3)], ids=str)
def test_small_shapes(shape: tuple[int, ...], backend: str) -> None:
    rng = np.random.default_rng(1)
    start, gs = rng.standard_normal(shape), [rng.standard_normal(shape) for _ in range(3)]
    p, flat = np.array(start), np.array(start).reshape(-1)
    one, other = adamas.NAdam(backend=backend), adamas.NAdam()
    for g in gs:
        one.step(p, np.asarray(g))
        other.step(flat, np.asarray(g).reshape(-1))
    assert same_bits(p.reshape(-1), flat)
    assert p.shape == shape
    assert one.t == 3


def test_zero_dimensional_gradient_as_numpy_gives_it() -> None:
    """Arithmetic on 0-d arrays yields scalars of NumPy; they are taken as gradients of 0-d arrays."""
    p = np.array(2.0)
    adamas.SGD(lr=0.25).step(p, 2 * p)
    assert p == 1.0
    x = {"a": np.array(np.float32(2))}
    adamas.SGD(lr=0.25).step(x, {"a": 2 * x["a"]})
    assert x["a"] == np.float32(1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradient_aliases(backend: str) -> None:
    """A gradient may be the parameter itself, a part of it, or lie in another parameter: it is read before anything is
    written, and only the parameters change."""
    rng = np.random.default_rng(2)
    start = rng.standard_normal(64)
    opt, x = adamas.SGD(lr=0.25, backend=backend), start.copy()
    opt.step(x, x)
    assert same_bits(x, start - 0.25 * start)
    opt, x = adamas.SGD(lr=0.25, backend=backend), start.copy()
    opt.step(x[:32], x[16:48])
    assert same_bits(x[:32], start[:32] - 0.25 * start[16:48])
    opt, x = adamas.SGD(lr=0.25, backend=backend), start.copy()
    opt.step(x, x[::-1])
    assert same_bits(x, start - 0.25 * start[::-1])
    for _ in range(2):  # the second time over the ready plan, had it been kept
        a, b = start[:32].copy(), start[32:].copy()
        opt = adamas.SGD(lr=0.25, backend=backend)
        opt.step([a, b], [np.zeros(32), np.zeros(32)])
        opt.step([a, b], [b, a])
        assert same_bits(a, start[:32] - 0.25 * start[32:])
        assert same_bits(b, start[32:] - 0.25 * start[:32])


def test_canaries() -> None:
    """Nothing outside the parameters is written, at any offset and odd length, and gradients are not written at all."""
    rng = np.random.default_rng(3)
    for dtype in (np.float32, np.float64):
        for n in (1, 2, 7, 15, 16, 17, 33, 1001, 70_001):
            for shift in (0, 1, 3):
                buffers = [rng.standard_normal(n + 32).astype(dtype) for _ in range(2)]
                kept = [b.copy() for b in buffers]
                p, g = (b[8 + shift : 8 + shift + n] for b in buffers)
                opt = adamas.Adam(lr=0.1, cautious=True, clip_norm=1.0)
                for _ in range(2):
                    opt.step(p, g)
                assert same_bits(buffers[1], kept[1])
                assert same_bits(buffers[0][: 8 + shift], kept[0][: 8 + shift])
                assert same_bits(buffers[0][8 + shift + n :], kept[0][8 + shift + n :])
                assert not same_bits(p, kept[0][8 + shift : 8 + shift + n])


# -- structures --------------------------------------------------------------------------------------------
STRUCTURES: dict[str, Any] = {
    "array": lambda a, b, c: a,
    "list": lambda a, b, c: [a, b, c],
    "tuple": lambda a, b, c: (a, b, c),
    "dict": lambda a, b, c: {"a": a, "b": b, "c": c},
    "nested": lambda a, b, c: {"a": [a, (b,)], 7: {"c": c}},
    "empty branches": lambda a, b, c: [{}, [a], (), {"b": b}, [[], [c]]],
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_structures(structure: str, backend: str) -> None:
    """Any nesting gives each array the bits that it gets alone."""
    rng = np.random.default_rng(4)
    starts: list[Any] = [
        rng.standard_normal(3),
        rng.standard_normal((2, 2)).astype(np.float32),
        rng.standard_normal(()),
    ]
    gs = [[rng.standard_normal(a.shape).astype(a.dtype) for a in starts] for _ in range(3)]
    arrays = [np.array(a) for a in starts]
    opt = adamas.RMSprop(backend=backend)
    for g in gs:
        opt.step(STRUCTURES[structure](*arrays), STRUCTURES[structure](*map(np.asarray, g)))
    for k, start in enumerate(starts if structure != "array" else starts[:1]):
        alone, p = adamas.RMSprop(), np.array(start)
        for g in gs:
            alone.step(p, np.asarray(g[k]))
        assert same_bits(arrays[k], p)


@pytest.mark.parametrize("backend", BACKENDS)
def test_floats_are_replaced_in_their_containers(backend: str) -> None:
    """Python floats, NumPy's scalars of any width: same kind, new value, in dicts and lists at any depth."""
    p: Any = {"x": 1.0, "y": [np.float32(2.0), {"z": np.float64(3.0)}], "w": np.ones(2)}
    g: Any = {"x": 1, "y": [np.float32(0.5), {"z": np.array(0.25)}], "w": np.ones(2)}
    inner = p["y"]
    opt = adamas.SGD(lr=0.5, backend=backend)
    for _ in range(2):
        opt.step(p, g)
    assert (p["x"], p["y"][0], p["y"][1]["z"]) == (0.0, 1.5, 2.75)
    assert (type(p["x"]), type(p["y"][0])) == (float, np.float32)
    assert isinstance(p["y"][1]["z"], float)
    assert p["y"] is inner
    assert p["w"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", [dict, list])
def test_floats_equal_an_array_at_every_step(kind: Any, backend: str) -> None:
    """The tutorials' loop: plain floats take a short way from the second step on, with the same bits."""
    values = [0.5, -1.25, 3.0]
    p: Any = dict(zip("abc", values, strict=True)) if kind is dict else list(values)
    q = np.array(values)
    one, other = adamas.Adam(lr=0.1, backend=backend), adamas.Adam(lr=0.1)
    for _ in range(5):
        g = 2 * q
        one.step(p, dict(zip("abc", g.tolist(), strict=True)) if kind is dict else g.tolist())
        other.step(q, g)
        assert list(p.values() if kind is dict else p) == q.tolist()
    p["a" if kind is dict else 0] = 10.0  # changed by the user between steps
    q[0] = 10.0
    one.step(p, dict.fromkeys("abc", 1.0) if kind is dict else [1.0] * 3)
    other.step(q, np.ones(3))
    assert list(p.values() if kind is dict else p) == q.tolist()


@pytest.mark.parametrize("clip", [{}, {"clip_norm": 0.5}, {"clip_tensor_norm": 0.25}, {"cautious": True}], ids=str)
def test_mixed_dtypes_in_one_call(clip: dict[str, Any]) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    rng = np.random.default_rng(5)
    dtypes = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.float64, np.float32]
    starts = [rng.standard_normal(5 + k).astype(d) for k, d in enumerate(dtypes)]
    gs = [[rng.standard_normal(a.shape).astype(a.dtype) for a in starts] for _ in range(3)]
    results = []
    for backend in BACKENDS:
        p, opt = [a.copy() for a in starts], adamas.AdamW(lr=0.1, backend=backend, **clip)
        for g in gs:
            opt.step(p, g)
        results.append((p, opt.state_dict()["state"]))
    assert bits(results[0]) == bits(results[1])
    assert [a.dtype for a in results[0][0]] == [np.dtype(d) for d in dtypes]


# -- what is noticed between steps ---------------------------------------------------------------------------
def both(opt: Any, other: Any, p: Any, q: Any, g: Any) -> None:
    """A step by the live optimizer and by one that makes its plan anew."""
    opt.step(p, g)
    other._forget()
    other.step(q, {n: a.copy(order="C") for n, a in g.items()})
    assert bits({n: np.ascontiguousarray(p[n]) for n in p}) == bits({n: np.ascontiguousarray(q[n]) for n in p})


def test_changes_between_steps_are_noticed() -> None:
    """Arrays replaced, moved, reordered, of another layout or dtype of memory: never a stale address."""
    rng = np.random.default_rng(6)

    def grads() -> dict[str, Array]:
        return {"a": rng.standard_normal((3, 4)), "b": rng.standard_normal(5)}

    p = grads()
    q = {n: a.copy() for n, a in p.items()}
    opt, other = adamas.Adam(lr=0.1), adamas.Adam(lr=0.1)
    fixed = grads()
    for _ in range(3):
        both(opt, other, p, q, fixed)  # the same gradient arrays
    for _ in range(3):
        both(opt, other, p, q, grads())  # new ones
    for a in fixed.values():
        a *= -2
    both(opt, other, p, q, fixed)  # refilled
    both(opt, other, p, q, {n: np.asfortranarray(g) for n, g in grads().items()})  # of another layout than the arrays
    both(opt, other, p, q, {"a": grads()["a"][::-1], "b": np.repeat(grads()["b"], 2)[::2]})
    both(opt, other, p, q, grads())
    old = p["a"]
    p["a"] = p["a"].copy()  # replaced
    kept = old.copy()
    both(opt, other, p, q, grads())
    assert same_bits(old, kept)
    p["a"] = np.asfortranarray(p["a"])  # laid out anew
    both(opt, other, p, q, grads())
    both(opt, other, p, q, {n: np.asfortranarray(g) for n, g in grads().items()})
    p = {"b": p["b"], "a": p["a"]}  # keys in another order
    both(opt, other, p, q, grads())
    g = grads()
    both(opt, other, p, q, {"b": g["b"], "a": g["a"]})
    q_twice = p["b"]
    p["b"] = np.concatenate([p["b"], [0.0]])[:5]  # a view into a larger array
    both(opt, other, p, q, grads())
    assert q_twice is not p["b"]
    assert opt.t == other.t


def test_gradient_that_overlaps_a_parameter_is_noticed_on_the_fast_path() -> None:
    x = np.arange(8.0)
    opt = adamas.SGD(lr=0.5)
    p = x[2:6]
    for _ in range(2):
        opt.step(p, np.zeros(4))
    opt.step(p, x[1:5])
    assert x.tolist() == [0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 6.0, 7.0]


def test_gradient_that_overlaps_by_bytes_is_noticed_on_the_fast_path() -> None:
    """An unaligned parameter begins within the last element of the gradient."""
    buffer = bytearray(64)
    g, p = np.frombuffer(buffer, np.float64, 3, 0), np.frombuffer(buffer, np.float64, 3, 20)
    opt, plain = adamas.SGD(lr=0.5), adamas.SGD(lr=0.5)
    for _ in range(2):
        opt.step(p, np.zeros(3))
    assert opt._plan is not None
    p[...], g[:2] = [1.0, 2.0, 3.0], [0.25, 0.5]
    q, h = p.copy(), g.copy()
    opt.step(p, g)
    plain.step(q, h)
    assert opt._plan is None  # the step went over a copy of the gradient
    assert same_bits(p, q)


def test_shape_changed_in_place_is_noticed() -> None:
    opt, p = adamas.Adam(), np.ones((2, 3))
    for _ in range(2):
        opt.step(p, np.ones((2, 3)))
    p.shape = (3, 2)
    kept = p.copy()
    with pytest.raises(ValueError, match=r"shape \(3, 2\), its gradient \(2, 3\)"):
        opt.step(p, np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"shape \(3, 2\), its state \(2, 3\)"):
        opt.step(p, np.ones((3, 2)))
    assert same_bits(p, kept)
    sgd, x = adamas.SGD(lr=0.5), np.zeros(4)
    for _ in range(2):
        sgd.step(x, np.ones(4))
    x.resize(6, refcheck=False)  # no state, and memory that may have moved
    sgd.step(x, np.ones(6))
    assert x.tolist() == [-1.5] * 4 + [-0.5] * 2


def test_read_only_since_the_last_step_is_noticed() -> None:
    opt, p = adamas.Adam(), np.ones(3)
    for _ in range(2):
        opt.step(p, np.ones(3))
    p.flags.writeable = False
    kept = p.copy()
    with pytest.raises(ValueError, match="read-only"):
        opt.step(p, np.ones(3))
    assert same_bits(p, kept)
    p.flags.writeable = True
    opt.step(p, np.ones(3))
    assert opt.t == 3


@pytest.mark.parametrize(
    "wrong", [0.5, None, "g", [1.0, 1.0, 1.0], np.float64(1), np.ones(3, np.float32), np.ma.ones(3)], ids=repr
)
def test_what_is_no_gradient_is_noticed_on_the_fast_path(wrong: Any) -> None:
    opt, p = adamas.Adam(), [np.ones(3), np.ones(3)]
    for _ in range(3):
        opt.step(p, [np.ones(3), np.ones(3)])
    before = bits((p, opt.state_dict()))
    with pytest.raises(TypeError, match="parameter '1'"):
        opt.step(p, [np.ones(3), wrong])
    assert bits((p, opt.state_dict())) == before


def test_numbers_change_without_recompilation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """lr, betas, schedules, another optimizer of the same form: one kernel, one file."""
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    p, g = np.ones(50), np.ones(50)
    opt = adamas.Adam(lr=0.125, eps=0.03125, clip_norm=3.0, grad_scale=0.25)
    opt.step(p, g)
    files = sorted(f.name for f in tmp_path.rglob("*"))
    kernel = opt._plan.segments[0].kernels["run"]
    for change in (
        {"lr": 0.25},
        {"betas": (0.5, 0.6)},
        {"eps": 0.1},
        {"weight_decay": 0.5},
        {"lr": lambda step: 0.1 / (1 + step)},
    ):
        for name, value in change.items():
            setattr(opt, name, value)
        before = p.copy()
        opt.step(p, g)
        assert not same_bits(p, before)
        assert opt._plan.segments[0].kernels["run"] is kernel
    other = adamas.Adam(lr=3.0, clip_norm=0.01, grad_scale=0.5, maximize=True)
    other.step(p, g)
    assert other._plan.segments[0].kernels["run"] is kernel
    assert sorted(f.name for f in tmp_path.rglob("*")) == files


@pytest.mark.parametrize("backend", BACKENDS)
def test_lr_assigned_between_steps(backend: str) -> None:
    opt, p = adamas.SGD(lr=1.0, backend=backend), np.zeros(2)
    opt.step(p, np.ones(2))
    opt.lr = 0.25
    opt.step(p, np.ones(2))
    opt.lr = lambda step: float(step)  # the third step is step 2
    opt.step(p, np.ones(2))
    assert p.tolist() == [-3.25, -3.25]
    assert opt.hyper["lr"](7) == 7.0


# -- laws ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("backend", BACKENDS)
def test_overrides(backend: str) -> None:
    """A pattern's parameters step as an optimizer of their own would; later patterns win; assignment goes around them."""
    rng = np.random.default_rng(7)
    shapes = {"layer.weight": (3, 2), "layer.bias": (2,), "head.bias": (4,)}
    p: Any = {n: rng.standard_normal(s) for n, s in shapes.items()}
    q = {n: a.copy() for n, a in p.items()}
    overrides = {"*.bias": {"weight_decay": 0.0, "lr": 0.5}, "head.*": {"lr": 0.25, "betas": (0.5, 0.5)}}
    opt = adamas.AdamW(lr=0.125, weight_decay=0.5, overrides=overrides, backend=backend)
    alone = {
        "layer.weight": adamas.AdamW(lr=0.125, weight_decay=0.5),
        "layer.bias": adamas.AdamW(lr=0.5, weight_decay=0.0),
        "head.bias": adamas.AdamW(lr=0.25, weight_decay=0.0, betas=(0.5, 0.5)),
    }
    for k in range(4):
        if k == 2:
            opt.lr = alone["layer.weight"].lr = 0.0625
            opt.eps = 0.5
            for one in alone.values():
                one.eps = 0.5
        g = {n: rng.standard_normal(s) for n, s in shapes.items()}
        nested = {"layer": {"weight": p["layer.weight"], "bias": p["layer.bias"]}, "head": {"bias": p["head.bias"]}}
        opt.step(
            nested, {"layer": {"weight": g["layer.weight"], "bias": g["layer.bias"]}, "head": {"bias": g["head.bias"]}}
        )
        for n, one in alone.items():
            one.step(q[n], g[n])
    assert bits(p) == bits(q)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", adamas.members())
def test_maximize_is_the_negative_gradient(name: str, backend: str) -> None:
    rng = np.random.default_rng(8)
    p, gs = rng.standard_normal(20), [rng.standard_normal(20) for _ in range(3)]
    q = p.copy()
    up, down = adamas.get(name)(maximize=True, backend=backend), adamas.get(name)(backend=backend)
    for g in gs:
        up.step(p, g)
        down.step(q, -g)
    assert same_bits(p, q)


# the oracle under every kind of decay; the kernel, which has one form for all of them, under the member's own
LR_ZERO = [(n, d, "reference") for n in adamas.members() for d in ("coupled", "decoupled", "independent")]
LR_ZERO += [(n, adamas.get(n).rule.decay, "cpu") for n in adamas.members()]


@pytest.mark.parametrize(("name", "decay", "backend"), LR_ZERO)
def test_lr_zero_changes_no_bit(name: str, decay: str, backend: str) -> None:
    """Whatever the gradient: NaN, infinities, signed zeros, with decay."""
    rng = np.random.default_rng(9)
    p = hard_numbers(rng, 101, np.float32)
    kept, opt = p.copy(), adamas.get(name)(lr=0.0, weight_decay=0.5, decay=decay, backend=backend)
    for _ in range(3):
        opt.step(p, hard_numbers(rng, 101, np.float32))
    assert p.tobytes() == kept.tobytes()
    assert opt.t == 3


@pytest.mark.parametrize("name", adamas.members())
def test_zero_gradients_never_move_a_parameter(name: str) -> None:
    """1000 steps of nothing, from the start, without decay."""
    rng = np.random.default_rng(10)
    p = np.concatenate([rng.standard_normal(40), [0.0, -0.0, 1e-300, 1e300]])
    kept, g, opt = p.copy(), np.zeros(44), adamas.get(name)(weight_decay=0.0)
    for _ in range(1000):
        opt.step(p, g)
    assert p.tobytes() == kept.tobytes()


def seen(opt: Any, p: Any, gs: Any) -> Any:
    """The gradients as the rule sees them, by SGD with lr = 1 from zero."""
    opt.step(p, gs)
    return [-a for a in p]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clip_laws(dtype: Any, backend: str) -> None:
    """After clipping a norm is at most its limit (to rounding), the direction is kept, and what is under the limit keeps
    its bits."""
    rng = np.random.default_rng(11)
    eps = 4 * float(np.finfo(dtype).eps)
    for scale in (1e-30, 1e-3, 1.0, 1e3, 1e18):
        gs = [(rng.standard_normal(n) * scale).astype(dtype) for n in (1, 30, 500)]
        exact = [g.astype(np.float64) for g in gs]
        norms = [math.sqrt(math.fsum((g * g).tolist())) for g in exact]
        total = math.sqrt(math.fsum(n * n for n in norms))
        for factor in (0.5, 0.999, 2.0):
            limit = factor * total
            opt = adamas.SGD(lr=1.0, clip_norm=limit, backend=backend)
            found = seen(opt, [np.zeros_like(g) for g in gs], gs)
            norm = math.sqrt(math.fsum(x * x for a in found for x in a.astype(float).tolist()))
            assert opt.last_norm == pytest.approx(total, rel=1e-14)
            if factor > 1:
                assert bits(found) == bits(gs)
            else:
                assert norm <= limit * (1 + eps)
                assert norm >= limit * (1 - eps)
                for a, g in zip(found, exact, strict=True):
                    assert np.allclose(a, g * (limit / total), rtol=eps, atol=0)
            tensor = factor * norms[1]
            found = seen(
                adamas.SGD(lr=1.0, clip_tensor_norm=tensor, backend=backend), [np.zeros_like(g) for g in gs], gs
            )
            for a, g, own in zip(found, gs, norms, strict=True):
                if own <= tensor:
                    assert same_bits(a, g)
                else:
                    assert math.sqrt(math.fsum((a.astype(float) ** 2).tolist())) == pytest.approx(tensor, rel=eps)
        bound = float(dtype(scale / 2))
        found = seen(adamas.SGD(lr=1.0, clip_value=bound, backend=backend), [np.zeros_like(g) for g in gs], gs)
        assert bits(found) == bits([np.clip(g, dtype(-bound), dtype(bound)) + dtype(0) for g in gs])


@pytest.mark.parametrize("backend", BACKENDS)
def test_last_norm_is_exact(backend: str) -> None:
    """The norm is the correctly rounded root of the exact sum of squares (of float32, exactly; of float64, to one unit)."""
    rng = np.random.default_rng(12)
    g = [(rng.standard_normal(n) * 10.0 ** rng.uniform(-18, 18, n)).astype(np.float32) for n in (3, 1000, 4097)]
    opt = adamas.SGD(clip_norm=1.0, backend=backend)
    assert opt.last_norm is None
    opt.step([np.zeros_like(a) for a in g], g)
    whole = sum(Fraction(x) ** 2 for a in g for x in a.tolist())
    root = math.sqrt(float(whole))
    assert opt.last_norm == pytest.approx(root, rel=3e-16)
    assert root == pytest.approx(math.sqrt(math.fsum(x * x for a in g for x in a.astype(float).tolist())), rel=1e-15)
    for scale, dtype in ((1e-200, np.float64), (1e200, np.float64), (1e-40, np.float32)):
        h = (rng.standard_normal(1000) * scale).astype(dtype)
        opt = adamas.SGD(clip_norm=1.0, backend=backend)
        with np.errstate(all="ignore"):
            expected = float(np.sqrt(math.fsum(((h.astype(float) / scale) ** 2).tolist())) * scale)
        opt.step(np.zeros(1000, dtype), h)
        assert opt.last_norm == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nonfinite_policies(value: float, backend: str) -> None:
    good, bad = np.ones(5), np.array([1.0, 1.0, value, 1.0, 1.0])

    def run(policy: str) -> tuple[Any, Any]:
        opt, p = adamas.Adam(lr=0.1, nonfinite=policy, backend=backend), np.ones(5)
        for g in (good, bad, good, bad):
            if policy == "raise" and g is bad:
                with pytest.raises(FloatingPointError, match='nonfinite="skip"'):
                    opt.step(p, g)
            else:
                opt.step(p, g)
        return opt, p

    clean, expected = adamas.Adam(lr=0.1, backend=backend), np.ones(5)
    for _ in range(2):
        clean.step(expected, good)
    opt, p = run("skip")
    assert (opt.t, opt.counters["nonfinite"], opt.counters["skipped"]) == (2, 2, 2)
    assert same_bits(p, expected)
    assert bits(opt.state_dict()["state"]) == bits(clean.state_dict()["state"])
    opt, p = run("raise")
    assert (opt.t, opt.counters["skipped"]) == (2, 0)
    assert same_bits(p, expected)
    opt, p = run("propagate")
    assert (opt.t, opt.counters["nonfinite"], opt.counters["skipped"]) == (4, 2, 0)
    assert np.isfinite(p).tolist() == [True, True, False, True, True]
    assert clean.counters == {"nonfinite": 0, "overflow": 0, "skipped": 0, "staged": 0}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "clip", [{"clip_value": 1.0}, {"clip_norm": 1.0}, {"clip_tensor_norm": 1.0}, {"grad_scale": 0.5}], ids=str
)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_clipping_hides_nothing_that_is_not_finite(value: float, clip: dict[str, Any], backend: str) -> None:
    opt, p = adamas.SGD(lr=0.1, nonfinite="skip", backend=backend, **clip), np.ones(3)
    opt.step(p, np.array([1.0, value, 1.0]))
    assert (p.tolist(), opt.t, opt.counters["skipped"]) == ([1.0, 1.0, 1.0], 0, 1)


def test_strided_parameters_are_said_once_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adamas.engine.arrays._warned", set())
    x = np.ones((4, 6))
    opt = adamas.SGD()
    with pytest.warns(
        adamas.PerformanceWarning, match=r"parameter 'a' is strided: .*numpy\.ascontiguousarray.*said once"
    ):
        opt.step({"a": x[:, ::2], "b": x[:, 1]}, {"a": np.ones((4, 3)), "b": np.ones(4)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opt.step({"a": x[:, ::2], "b": x[:, 1]}, {"a": np.ones((4, 3)), "b": np.ones(4)})
        adamas.Adam().step(x[:, ::2], np.ones((4, 3)))
    assert opt.counters["staged"] == 2
    assert x[:, [3, 5]].tolist() == [[1.0, 1.0]] * 4


def test_a_schedule_may_also_be_a_sequence() -> None:
    """Whatever else it is, it can be called, and is no list of parameters."""

    class Table(list[float]):
        ndim = 1

        def __call__(self, step: int) -> float:
            return self[step]

    opt = adamas.SGD(Table([0.5, 0.25]))
    p = np.zeros(1)
    for expected in (-0.5, -0.75):
        opt.step([p], [np.ones(1)])
        assert p[0] == expected


@pytest.mark.parametrize("backend", BACKENDS)
def test_schedules_get_step_zero_first(backend: str) -> None:
    """Each schedule is asked once per step, in order, from 0 on, and what it says is what happens."""
    asked: dict[str, list[int]] = {"lr": [], "weight_decay": []}

    def schedule(name: str) -> Any:
        def at(step: int) -> float:
            assert type(step) is int
            asked[name].append(step)
            return {"lr": 2.0**-step, "weight_decay": 0.0}[name]

        return at

    opt = adamas.SGD(lr=schedule("lr"), weight_decay=schedule("weight_decay"), backend=backend)
    p = np.zeros(1)
    for _ in range(4):
        opt.step(p, np.ones(1))
    assert asked == {"lr": [0, 1, 2, 3], "weight_decay": [0, 1, 2, 3]}
    assert p[0] == -(1 + 0.5 + 0.25 + 0.125)


# -- how a class presents itself ----------------------------------------------------------------------------
@pytest.mark.parametrize("name", adamas.members())
def test_signature_docstring_and_repr(name: str) -> None:
    """The signature holds every argument, the docstring explains every one, and repr makes the same optimizer again."""
    made = adamas.get(name)
    signature = inspect.signature(made)
    opt = made()
    assert made.__name__ == name == made.rule.name
    names = list(signature.parameters)
    expected = [h.name for h in made.rule.hyper] + [
        "weight_decay",
        *made.rule.options,
        "decay",
        "maximize",
        "grad_scale",
    ]
    expected += ["clip_value", "clip_tensor_norm", "clip_norm", "cautious", "nonfinite", "overrides", "backend"]
    spread = [
        n
        for name in names
        for n in ([h.name for h in made.rule.hyper if h.name.startswith("beta")] if name == "betas" else [name])
    ]
    assert sorted(spread) == sorted(expected)
    doc = inspect.getdoc(made) or ""
    for parameter in signature.parameters.values():
        label = f"    {parameter.name}: " if parameter.name != "betas" else "    betas[0]: "
        assert label in doc, parameter.name
    assert f"Source: {made.rule.source}" in doc
    again = eval(repr(opt), {name: made})
    assert (repr(again), again.hyper) == (repr(opt), opt.hyper)
    assert signature.parameters["lr"].default == opt.lr
    changed = made(lr=0.5, weight_decay=0.25, maximize=True, clip_norm=2.0, backend="reference")
    assert all(
        text in repr(changed)
        for text in ("lr=0.5", "weight_decay=0.25", "maximize=True", "clip_norm=2.0", "'reference'")
    )


def test_attributes() -> None:
    opt = adamas.Adam(lr=0.5, betas=(0.5, 0.25), clip_norm=2.0)
    assert (opt.lr, opt.betas, opt.beta1, opt.eps, opt.clip_norm, opt.compat) == (
        0.5,
        (0.5, 0.25),
        0.5,
        1e-8,
        2.0,
        "paper",
    )
    opt.betas = [0.75, 0.5]
    assert opt.betas == (0.75, 0.5)
    assert opt.hyper == {"lr": 0.5, "beta1": 0.75, "beta2": 0.5, "eps": 1e-8, "weight_decay": 0.0}
    opt.hyper["lr"] = 9.0  # a copy
    assert opt.lr == 0.5
    with pytest.raises(AttributeError, match="Adam has no attribute 'learning_rate'"):
        _ = opt.learning_rate
    assert adamas.Adam(np.float32(0.5), (np.float64(0.5), 0)).lr == 0.5
