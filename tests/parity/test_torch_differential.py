"""Step by step beside torch.optim: every setting of torch's database, every float dtype, sizes around a vector's length.

Before each step ours takes over torch's parameters and state, so a bound is one of a single step. With u = 2**-53 in
float64 (2**-24, 2**-8, 2**-11 in float32, bfloat16, float16) and eps = 2 u, which is an ulp at a power of two:

- a parameter p. Each side rounds at p's own size at most twice, in the product of decoupled decay and in the final
  subtraction: 4 u max(|p before|, |p after|). The update takes at most 10 roundings on a side, each relative to its size:
  20 u |update|. Where the moment nearly cancels, its roundings are relative to what cancelled, which the update of the
  step before was made of; so the larger of the two updates counts. Together eps (2 |p| + 10 |update|), which is no more
  than 4 ulp where the update is a fifth of the parameter or less, and stays fair where the parameter nearly vanishes;
- a moment. Two products, a sum and, before them, the gradient with coupled decay: at most 4 eps of the larger of old and new;
- Adadelta's second accumulator averages squares of updates, each of 2 roundings of roots, a quotient and a product: 8 eps.

Gradients are at least twice the coupled decay they are added to, so that this sum does not cancel. In 16 bits torch rounds
after every operation, ours once, which is fewer; its state is compared in the dtype of torch's.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from frontends.pytorch.contract import INFOS, assert_same, each, settings  # noqa: E402

SIZES = (0, 1, 15, 16, 17, 31, 33, 63, 64, 65, 255, 256, 257, 1000)
STEPS = 20
LOADED = (1, 11)
"""Before these steps ours loads torch's state dictionary; before others its tensors are overwritten."""
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


@pytest.fixture(autouse=True)
def _settings_of_torch(request: pytest.FixtureRequest) -> Iterator[None]:
    """torch keeps NAdam's product of momenta in the default dtype, and warns unless told about sparse invariants.

    One thread of torch's is enough for such sizes, and does not wait for others.
    """
    before, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(torch.float64 if request.getfixturevalue("dtype") == torch.float64 else torch.float32)
    torch.set_num_threads(1)
    with torch.sparse.check_sparse_tensor_invariants():
        yield
    torch.set_num_threads(threads)
    torch.set_default_dtype(before)


def uniform(low: float, high: float, n: int, generator: torch.Generator) -> torch.Tensor:
    """Numbers of either sign whose size lies between two bounds."""
    size = low + (high - low) * torch.rand(n, dtype=torch.float64, generator=generator)
    return size * (1 - 2 * torch.randint(0, 2, (n,), generator=generator))


def start(dtype: torch.dtype, generator: torch.Generator) -> list[torch.Tensor]:
    """Parameters large beside an update, of its size, and between, by turns."""
    out = []
    for n in SIZES:
        kinds = [uniform(low, 1.6 * low, n, generator) for low in (0.5, 0.05, 1e-3)]
        out.append(torch.stack(kinds)[torch.arange(n) % 3, torch.arange(n)].to(dtype) if n else kinds[0].to(dtype))
    return out


def gradient(info: Any, p: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Sizes from 2 to 8, more than twice any decay of a parameter below 1; if sparse, half the rows, each in two halves."""
    g = uniform(2.0, 8.0, p.numel(), generator).to(p.dtype)
    if not info.only_supports_sparse_grads:
        return g
    rows = torch.nonzero(torch.rand(p.numel(), generator=generator) < 0.5).flatten()
    return torch.sparse_coo_tensor(torch.cat([rows, rows])[None], torch.cat([g[rows], g[rows]]) / 2, p.shape)


class Side:
    """One optimizer, its parameters, and what is compared of them."""

    def __init__(self, info: Any, cls: Any, params: list[torch.Tensor], kwargs: dict[str, Any]) -> None:
        plain = {flag: False for flag in ("foreach", "fused") if flag in info.supported_impls}
        self.info, self.params = info, [p.clone() for p in params]
        self.opt = cls(self.params, **copy.deepcopy(kwargs), **plain)

    def step(self, grads: list[torch.Tensor]) -> None:
        for p, g in zip(self.params, grads, strict=True):
            p.grad = g.clone()
        self.opt.step()

    def read(self) -> dict[str, torch.Tensor]:
        """Parameters and state by key, all tensors of one key in a row, in float64."""
        state = self.opt.state
        keys = [k for k, v in state[self.params[-1]].items() if isinstance(v, torch.Tensor)] if state else []
        columns = {"": self.params} | {k: [state[p][k] for p in self.params] for k in keys}
        return {k: torch.cat([t.reshape(-1) for t in tensors]).double() for k, tensors in columns.items()}

    def take(self, other: Side, load: bool) -> None:
        """Go on from where another stands."""
        for p, q in zip(self.params, other.params, strict=True):
            p.copy_(q)
        if load:
            self.opt.load_state_dict(copy.deepcopy(other.opt.state_dict()))  # torch's own shares what it loads
            return
        for p, q in zip(self.params, other.params, strict=True):
            for key, value in other.opt.state[q].items():
                if isinstance(value, torch.Tensor):
                    assert self.opt.state[p][key].dtype == value.dtype, key
                    self.opt.state[p][key].copy_(value)
                else:
                    self.opt.state[p][key] = value


def sides(info: Any, dtype: torch.dtype, kwargs: dict[str, Any]) -> tuple[Side, Side, torch.Generator]:
    """Ours, torch's, and the source of their gradients."""
    generator = torch.Generator().manual_seed(1)
    params = start(dtype, generator)
    twin = getattr(torch.optim, info.optim_cls.__name__)
    return Side(info, info.optim_cls, params, kwargs), Side(info, twin, params, kwargs), generator


def larger(a: torch.Tensor, b: torch.Tensor | None) -> torch.Tensor:
    """The elementwise larger size of two, one of which may be missing."""
    return a.abs() if b is None else torch.maximum(a.abs(), b.abs())


class Bounds:
    """The bounds of the module's text, from what torch's side did in a step."""

    def __init__(self, side: Side, dtype: torch.dtype) -> None:
        self.eps, self.tiny = torch.finfo(dtype).eps, torch.finfo(dtype).tiny
        self.before, self.update = side.read(), torch.zeros(())

    def after(self, side: Side, scale: float = 1.0) -> dict[str, torch.Tensor]:
        """Bounds of the step just done; `scale` is how many roundings an earlier one left in its inputs."""
        now, out = side.read(), {}
        update = (now[""] - self.before[""]).abs()
        size = larger(now[""], self.before[""])
        out[""] = self.eps * (2 * size + 10 * scale * torch.maximum(update, self.update))
        for key in now:
            if key:
                kept = now[key].numel() == len(side.params)  # one number of a parameter has a dtype of its own
                eps = torch.finfo(side.opt.state[side.params[-1]][key].dtype).eps if kept else self.eps
                count = 8 if key == "acc_delta" else 4
                out[key] = count * scale * eps * larger(now[key], self.before.get(key)).clamp(min=self.tiny)
        self.before, self.update = now, torch.where(update == 0, self.update, update)  # a row without gradient rests
        return out


def assert_within(ours: Side, theirs: Side, bounds: dict[str, torch.Tensor], step: int) -> None:
    """Every element of every key; a NaN on one side only is outside."""
    a, b = ours.read(), theirs.read()
    assert list(a) == list(b)
    for key, bound in bounds.items():
        off = ~(((a[key] - b[key]).abs() <= bound) | (a[key] == b[key]))
        if bool(off.any()):
            k = int(off.nonzero()[0, 0])
            raise AssertionError(
                f"step {step}, {key or 'parameter'}: {int(off.sum())} of {off.numel()} differ; element {k} is "
                f"{float(a[key][k])!r}, torch's {float(b[key][k])!r}, allowed {float(bound[k]):.3g}"
            )


def cases(*dtypes: torch.dtype) -> pytest.MarkDecorator:
    """A test for each class and dtype."""
    ids = [(info, dtype) for info in INFOS for dtype in dtypes]
    named = [pytest.param(i, d, id=f"{i.optim_cls.__name__}-{str(d)[6:]}") for i, d in ids]
    return pytest.mark.parametrize(("info", "dtype"), named)


@cases(*DTYPES)
def test_each_step_is_torchs(info: Any, dtype: torch.dtype) -> None:
    """Twenty steps, each from torch's state, within the bounds of one step."""

    def body(kwargs: dict[str, Any]) -> None:
        ours, theirs, generator = sides(info, dtype, kwargs)
        bounds = Bounds(theirs, dtype)
        for k in range(STEPS):
            if k:
                ours.take(theirs, load=k in LOADED)
            grads = [gradient(info, p, generator) for p in theirs.params]
            ours.step(grads), theirs.step(grads)
            assert_within(ours, theirs, bounds.after(theirs), k)

    each(settings(info, dtype), body)


@cases(torch.float64)
def test_a_small_difference_is_seen(info: Any, dtype: torch.dtype) -> None:
    """A learning rate off by 1e-13 of itself is outside the bounds."""
    ours, theirs, generator = sides(info, dtype, {"lr": 0.5})
    ours.opt.param_groups[0]["lr"] *= 1 + 1e-13
    bounds = Bounds(theirs, dtype)
    grads = [gradient(info, p, generator) for p in theirs.params]
    ours.step(grads), theirs.step(grads)
    with pytest.raises(AssertionError, match="differ; element"):
        assert_within(ours, theirs, bounds.after(theirs), 0)


@cases(*DTYPES)
def test_state_dictionaries_are_torchs(info: Any, dtype: torch.dtype) -> None:
    """Either loads the other's and gives it back: same keys in the same order, same options, every tensor equal.

    In 16 bits ours keeps float32 state of its own, and torch would round what it loads; so there only torch's goes to ours.
    """

    def body(kwargs: dict[str, Any]) -> None:
        ours, theirs, generator = sides(info, dtype, kwargs)
        assert_same(ours.opt.state_dict()["param_groups"], theirs.opt.state_dict()["param_groups"])
        for _ in range(3):
            grads = [gradient(info, p, generator) for p in theirs.params]
            ours.step(grads), theirs.step(grads)
        here, there, _ = sides(info, dtype, {})
        here.opt.load_state_dict(copy.deepcopy(theirs.opt.state_dict()))
        assert_same(here.opt.state_dict(), theirs.opt.state_dict())
        if dtype in (torch.float64, torch.float32):
            there.opt.load_state_dict(copy.deepcopy(ours.opt.state_dict()))
            assert_same(there.opt.state_dict(), ours.opt.state_dict())

    each(settings(info, dtype), body)


@cases(torch.float64, torch.float32)
def test_training_goes_on_after_a_change(info: Any, dtype: torch.dtype) -> None:
    """Ten steps of either and ten of the other are torch's twenty, within the sum of the bounds of the steps.

    The k-th step starts from the roundings of the k - 1 before it, so its own bound counts k times.
    """

    def body(kwargs: dict[str, Any]) -> None:
        first, whole, generator = sides(info, dtype, kwargs)
        second, early, _ = sides(info, dtype, kwargs)
        _, late, _ = sides(info, dtype, kwargs)
        bounds, total = Bounds(whole, dtype), {}
        for k in range(STEPS):
            grads = [gradient(info, p, generator) for p in whole.params]
            if k == STEPS // 2:
                late.take(first, load=True), second.take(early, load=True)
            whole.step(grads)
            for side in (first, early) if k < STEPS // 2 else (late, second):
                side.step(grads)
            for key, bound in bounds.after(whole, k + 1).items():
                total[key] = bound + total.get(key, 0)
        assert_within(late, whole, total, STEPS)
        assert_within(second, whole, total, STEPS)

    each(settings(info, dtype), body)
