"""What our torch classes offer beyond torch's contract, and what walks with an optimizer."""

from __future__ import annotations

import copy
import io
import math
import os
import pickle
import threading
import warnings
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import rules_for_torch  # noqa: E402

import adamas  # noqa: E402
import adamas.torch as at  # noqa: E402
from adamas.torch import _look  # noqa: E402


def parameters(*shapes: tuple[int, ...], seed: int = 0, dtype: Any = torch.float32) -> list[Any]:
    torch.manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(s, dtype=dtype)) for s in shapes]


def give_gradients(params: list[Any], seed: int, size: float = 1.0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for p in params:
        p.grad = (size * torch.randn(p.shape, generator=generator)).to(p.dtype)


def bits(x: Any) -> bytes:
    return x.detach().contiguous().numpy().tobytes()


# -- the same bits as the NumPy front end ------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in at.CLASSES if n in adamas.members() and n not in ("SGD", "RAdam")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bits_of_the_numpy_front_end(name: str, dtype: Any) -> None:
    shapes = [(), (0,), (17,), (5, 13), (300, 40)]
    params = parameters(*shapes, dtype=dtype)
    arrays = [p.detach().numpy().copy() for p in params]
    ours = at.CLASSES[name](params, lr=0.037, weight_decay=0.011)
    twin = adamas.get(name)(**_numpy_arguments(ours, name))
    wide = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # mu_product in float64, as the NumPy front end has it
    try:
        for step in range(6):
            give_gradients(params, step)
            ours.step()
            twin.step(arrays, [p.grad.numpy() for p in params])
    finally:
        torch.set_default_dtype(wide)
    for p, a in zip(params, arrays, strict=True):
        assert bits(p) == a.tobytes(), name


def _numpy_arguments(ours: Any, name: str) -> dict[str, Any]:
    """The host's defaults in the formula's names."""
    group = ours.param_groups[0]
    known = adamas.get(name).__signature__.parameters
    arguments = {n: group[n] for n in ("lr", "betas", "eps", "weight_decay", "rho", "alpha", "momentum") if n in group}
    arguments["decay"] = group.get("decay") or ("decoupled" if name.endswith("W") else "coupled")
    return {n: v for n, v in arguments.items() if n in known}


def test_bits_do_not_depend_on_threads_or_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    before = torch.get_num_threads()
    for threads, known in ((1, True), (2, True), (2, False)):
        torch.set_num_threads(threads)
        monkeypatch.setattr(_look, "layout_known", lambda known=known: known)
        params = parameters((700, 900), (33,), (4, 5, 6))
        opt = at.NAdam(params, lr=0.01, clip_norm=3.0)
        for step in range(4):
            give_gradients(params, step)
            opt.step()
        kind = _look.NativeLook if known else _look.PlainLook
        assert type(opt._driver.look) is kind
        results.append(([bits(p) for p in params], [bits(s["exp_avg_sq"]) for s in opt.state.values()]))
    torch.set_num_threads(before)
    assert results[0] == results[1] == results[2]


# -- clipping and gradients that are not finite ------------------------------------------------------------------


def test_clip_norm_is_exact_and_leaves_gradients_alone() -> None:
    params, twins = parameters((40, 30), (7,)), parameters((40, 30), (7,))
    ours, plain = at.AdamW(params, lr=0.1, clip_norm=1.5), at.AdamW(twins, lr=0.1)
    give_gradients(params, 1, 3.0)
    norm = math.sqrt(math.fsum(float(x) ** 2 for p in params for x in p.grad.double().flatten()))
    before = [p.grad.clone() for p in params]
    ours.step()
    assert ours.last_grad_norm == norm
    assert all(torch.equal(p.grad, b) and p.grad._version == 0 for p, b in zip(params, before, strict=True))
    factor = np.float32(1.5 / norm)  # the coefficient is rounded once, then multiplies each gradient
    for q, b in zip(twins, before, strict=True):
        q.grad = b * float(factor)
    plain.step()
    assert all(torch.equal(p, q) for p, q in zip(params, twins, strict=True))
    assert plain.last_grad_norm is None


def test_clip_norm_counts_sparse_and_foreign_tensors() -> None:
    (p,) = parameters((6, 2))
    opt = at.SparseAdam([p], clip_norm=0.5)
    p.grad = torch.sparse_coo_tensor([[1, 4, 1]], torch.tensor([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]]), (6, 2))
    opt.step()
    assert opt.last_grad_norm == 5.0


@pytest.mark.parametrize("known", [True, False])
def test_nonfinite_policies(known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_look, "layout_known", lambda: known)
    params = parameters((30,), (4,))
    opt = at.Adam(params, nonfinite="skip")
    for step in range(2):
        give_gradients(params, step)
        opt.step()
    before = [p.detach().clone() for p in params]
    params[1].grad[2] = math.inf
    opt.step()
    assert opt.last_step_skipped
    assert opt.counters == {"nonfinite": 1, "overflow": 0, "skipped": 1, "staged": 0}
    assert all(torch.equal(p, b) for p, b in zip(params, before, strict=True))
    assert opt.state[params[0]]["step"] == 2
    give_gradients(params, 9)
    opt.step()
    assert not opt.last_step_skipped
    assert opt.state[params[0]]["step"] == 3
    strict = at.Adam(params, nonfinite="raise")
    params[0].grad[0] = math.nan
    with pytest.raises(FloatingPointError, match="nothing was changed"):
        strict.step()
    assert len(strict.state[params[0]]) == 0


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"clip_norm": 0.0}, ValueError, "clip_norm=0.0 must lie in"),
        ({"clip_norm": -1}, ValueError, "clip_norm"),
        ({"clip_norm": "1"}, TypeError, "clip_norm='1' must be a number"),
        ({"clip_norm": lambda step: 1.0}, TypeError, "takes no schedule"),
        ({"nonfinite": "ignore"}, ValueError, "nonfinite='ignore' must be one of 'propagate', 'skip', 'raise'"),
        ({"learning_rate": 1.0}, TypeError, "learning_rate"),
    ],
)
def test_wrong_extras(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        at.Adam(parameters((2,)), **arguments)


@pytest.mark.parametrize(
    ("key", "value", "error"), [("lr", math.nan, ValueError), ("eps", "x", TypeError), ("lr", torch.ones(2), TypeError)]
)
def test_a_group_with_a_bad_number_changes_nothing(key: str, value: Any, error: type[Exception]) -> None:
    params = parameters((5,), (3,))
    opt = at.Adam([{"params": params[:1]}, {"params": params[1:]}])
    give_gradients(params, 0)
    opt.step()
    saved = [p.detach().clone() for p in params], copy.deepcopy(opt.state_dict())
    opt.param_groups[1][key] = value
    with pytest.raises(error, match=rf"param_groups\[1\]\['{key}'\]"):
        opt.step()
    assert all(torch.equal(p, s) for p, s in zip(params, saved[0], strict=True))
    assert opt.state[params[0]]["step"] == saved[1]["state"][0]["step"]


def test_shared_memory_with_a_norm_is_refused() -> None:
    whole = torch.zeros(10)
    params = [torch.nn.Parameter(whole[:6]), torch.nn.Parameter(whole[4:])]
    opt = at.SGD(params, lr=1.0, clip_norm=1.0)
    give_gradients(params, 0)
    with pytest.raises(ValueError, match="share memory"):
        opt.step()
    assert whole.eq(0).all()


def test_views_are_stepped_in_turn() -> None:
    whole = torch.zeros(10)
    params = [torch.nn.Parameter(whole[:6]), torch.nn.Parameter(whole[4:])]
    opt = at.SGD(params, lr=1.0)
    for p in params:
        p.grad = torch.ones_like(p)
    opt.step()
    assert whole.tolist() == [-1.0] * 4 + [-2.0] * 2 + [-1.0] * 4
    single = torch.nn.Parameter(torch.zeros(1).expand(4))
    single.grad = torch.ones(4)
    with pytest.raises(RuntimeError, match=r"share memory \(an expanded tensor\)"):
        at.SGD([single], lr=1.0).step()


# -- rules of one's own ------------------------------------------------------------------------------------------


def test_a_rule_of_ones_own() -> None:
    params = parameters((9,), (3, 4))
    cls = at.optimizer(rules_for_torch.signed_average)
    assert cls is at.optimizer(rules_for_torch.signed_average)
    opt = cls(params, lr=0.25, beta1=0.5)
    expected = [p.detach().double().numpy().copy() for p in params]
    m = [np.zeros_like(e) for e in expected]
    for step in range(3):
        give_gradients(params, step)
        for k, p in enumerate(params):
            m[k] = 0.5 * m[k] + 0.5 * p.grad.double().numpy()
            expected[k] -= 0.25 * np.sign(m[k])
        opt.step()
    # three subtractions of 1/4: |p| < 8, so each rounds by at most 2**-22
    assert all(
        np.abs(p.detach().double().numpy() - e).max() <= 3 * 2**-22 for p, e in zip(params, expected, strict=True)
    )
    assert list(opt.state[params[0]]) == ["step", "m"]
    assert list(opt.param_groups[0])[1:6] == ["lr", "beta1", "weight_decay", "soft", "decay"]
    again = pickle.loads(pickle.dumps(opt))
    assert type(again) is cls
    assert repr(again) == repr(opt)
    soft = cls(params, soft=True)
    before = params[0].detach().clone()
    soft.step()
    torch.testing.assert_close(before - 0.1 * (0.3 * params[0].grad), params[0].detach(), rtol=0, atol=2**-22)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"lr": -1.0}, ValueError, "lr=-1.0 must lie in"),
        ({"lr": lambda step: 1.0}, TypeError, "takes no schedule"),
        ({"beta1": 1.0}, ValueError, "beta1=1.0 must lie in"),
        ({"soft": 2}, ValueError, "soft=2 must be one of"),
        ({"decay": "no"}, ValueError, "decay='no' must be one of"),
        ({"fuse": True}, TypeError, "fuse"),
    ],
)
def test_wrong_arguments_of_a_rule(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        at.optimizer(rules_for_torch.signed_average)(parameters((2,)), **arguments)


def test_optimizer_takes_rules_only() -> None:
    with pytest.raises(TypeError, match=r"decorate the function with @adamas\.rule"):
        at.optimizer(print)


# -- helpers -----------------------------------------------------------------------------------------------------


def test_decay_groups() -> None:
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Flatten(), torch.nn.Linear(8, 2)
    )
    model[3].weight.requires_grad_(False)
    groups = at.decay_groups(model, 0.1)
    assert [[n for n, _ in g["params"]] for g in groups] == [["0.weight"], ["0.bias", "1.weight", "1.bias", "3.bias"]]
    assert [g["weight_decay"] for g in groups] == [0.1, 0.0]
    opt = at.AdamW(groups, lr=0.1)
    assert opt.param_groups[1]["param_names"][0] == "0.bias"
    with pytest.raises(ValueError, match=r"weight_decay=-1\.0 must lie in"):
        at.decay_groups(model, -1.0)
    with pytest.raises(ValueError, match=r"no trainable parameter"):
        at.decay_groups(torch.nn.ReLU())


def test_patch_swaps_and_puts_back() -> None:
    theirs = torch.optim.AdamW
    with at.patch():
        assert torch.optim.AdamW is at.AdamW
        assert torch.optim.SGD is at.SGD
        with pytest.raises(RuntimeError, match="patched already"):
            at.patch()
        optimizer = torch.optim.AdamW(parameters((3,)))
        assert isinstance(optimizer, theirs)
    assert torch.optim.AdamW is theirs
    held = at.patch()
    held.undo()
    held.undo()
    assert torch.optim.AdamW is theirs
    assert torch.optim.LBFGS.__module__.startswith("torch.")


# -- saving and loading ------------------------------------------------------------------------------------------


def test_loading_by_name_in_another_order() -> None:
    names = ["a", "b", "c"]
    params = dict(zip(names, parameters((3,), (4,), (5,)), strict=True))
    first = at.Adam([(n, params[n]) for n in names], lr=0.3)
    give_gradients(list(params.values()), 0)
    first.step()
    second = at.Adam([{"params": [("c", params["c"])]}, {"params": [("a", params["a"]), ("b", params["b"])]}], lr=0.1)
    second.load_state_dict(first.state_dict(), by_name=True)
    for n in names:
        assert torch.equal(second.state[params[n]]["exp_avg"], first.state[params[n]]["exp_avg"])
    assert [g["lr"] for g in second.param_groups] == [0.3, 0.3]
    assert second.param_groups[1]["param_names"] == ["a", "b"]
    third = at.Adam([("a", params["a"]), ("new", torch.nn.Parameter(torch.zeros(2)))])
    with pytest.raises(ValueError, match=r"missing in the saved state \['new'\], not in this optimizer \['b', 'c'\]"):
        third.load_state_dict(first.state_dict(), by_name=True)
    assert len(third.state) == 0
    third.load_state_dict(first.state_dict(), by_name=True, strict=False)
    assert list(third.state) == [params["a"]]
    with pytest.raises(ValueError, match="this optimizer has no param_names"):
        at.Adam(list(params.values())).load_state_dict(first.state_dict(), by_name=True)


def test_loading_does_not_share_unless_asked() -> None:
    params = parameters((300, 40))
    first = at.Adam(params)
    give_gradients(params, 0)
    first.step()
    saved = first.state_dict()
    for copied in (True, False):
        second = at.Adam(params)
        second.load_state_dict(saved, copy=copied)
        same = second.state[params[0]]["exp_avg"].data_ptr() == first.state[params[0]]["exp_avg"].data_ptr()
        assert same == (not copied)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_state_that_is_there_keeps_its_dtype(dtype: Any) -> None:
    (p,) = parameters((50,))
    opt = at.Adam([p], lr=0.1)
    opt.state[p].update(
        step=torch.tensor(3.0),
        exp_avg=torch.full((50,), 0.25, dtype=dtype),
        exp_avg_sq=torch.full((50,), 0.5, dtype=dtype),
    )
    before = p.detach().double()
    p.grad = torch.full((50,), 0.5)
    opt.step()
    m, v = 0.9 * 0.25 + 0.1 * 0.5, 0.999 * 0.5 + 0.001 * 0.25
    expected = before - 0.1 / (1 - 0.9**4) * m / (math.sqrt(v / (1 - 0.999**4)) + 1e-8)
    assert (p.detach().double() - expected).abs().max() < 1e-6  # a step of about 0.01 in float32 beside |p| < 8
    state = opt.state[p]
    assert state["exp_avg"].dtype is dtype
    # beta m + (1 - beta) g in float32: three roundings, each of at most 2**-24 of 0.275; then one to nearest in dtype
    bound = 3 * 2**-24 + (torch.finfo(dtype).eps / 2 if dtype is not torch.float64 else 0)
    assert (state["exp_avg"].double() - m).abs().max() <= bound * 0.275
    file = io.BytesIO()
    torch.save(opt.state_dict(), file)
    file.seek(0)
    other = at.Adam([p])
    other.load_state_dict(torch.load(file, weights_only=True))
    assert other.state[p]["exp_avg_sq"].dtype is dtype


def test_extras_are_copied_and_pickled() -> None:
    params = parameters((5,))
    opt = at.AdamW(params, fused=True, clip_norm=0.5, nonfinite="skip")
    for twin in (copy.deepcopy(opt), pickle.loads(pickle.dumps(opt))):
        (p,) = twin.param_groups[0]["params"]
        p.grad = torch.full((5,), math.inf)
        twin.step()
        assert twin.last_step_skipped
        p.grad = torch.ones(5)
        twin.step()
        assert twin.last_grad_norm == math.sqrt(5)
        assert twin._step_supports_amp_scaling


# -- company -----------------------------------------------------------------------------------------------------


def test_hooks_after_accumulation_step_in_backward() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2))
    twin = copy.deepcopy(model)
    optimizers = {p: at.Adam([p], lr=0.05) for p in model.parameters()}

    def step(p: Any) -> None:
        optimizers[p].step()
        optimizers[p].zero_grad()

    for p in model.parameters():
        p.register_post_accumulate_grad_hook(step)
    together = at.Adam(twin.parameters(), lr=0.05)
    for k in range(4):
        x = torch.randn(3, 6, generator=torch.Generator().manual_seed(k))
        model(x).square().sum().backward()
        twin(x).square().sum().backward()
        together.step()
        together.zero_grad()
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), twin.parameters(), strict=True))


def test_steps_in_threads() -> None:
    finals = {}
    sets = [parameters((120, 130), (11,), seed=3) for _ in range(3)]  # here: torch's seed is one for all threads

    def run(name: int) -> None:
        params = sets[name]
        opt = at.AdamW(params, lr=0.01, clip_norm=2.0)
        for step in range(20):
            give_gradients(params, step)
            opt.step()
        finals[name] = [bits(p) for p in params]

    threads = [threading.Thread(target=run, args=(k,)) for k in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(finals) == 3
    assert finals[0] == finals[1] == finals[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_steps_as_its_parent() -> None:
    params = parameters((900, 1000))
    opt = at.Adam(params, lr=0.01)
    give_gradients(params, 0)
    opt.step()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of forks beside threads: the point here
        child = os.fork()
    if child == 0:
        try:
            torch.set_num_threads(1)
            give_gradients(params, 1)
            opt.step()
            import hashlib

            os.write(writing, hashlib.sha256(bits(params[0])).hexdigest().encode())
        finally:
            os._exit(0)
    give_gradients(params, 1)
    opt.step()
    import hashlib

    assert os.read(reading, 64).decode() == hashlib.sha256(bits(params[0])).hexdigest()
    os.waitpid(child, 0)


def test_info_tells_how_tensors_are_looked_at() -> None:
    assert adamas.info()["torch_fast_look"] is True


def test_strided_parameters_are_counted_and_their_neighbours_kept() -> None:
    whole = torch.arange(24.0).reshape(4, 6)
    p = torch.nn.Parameter(whole[:, ::2])
    p.grad = torch.ones(4, 3)
    opt = at.SGD([p], lr=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", adamas.PerformanceWarning)
        opt.step()
    assert opt.counters["staged"] == 1
    expected = torch.arange(24.0).reshape(4, 6)
    expected[:, ::2] -= 1
    assert torch.equal(whole, expected)


def test_storages_stay_resizable() -> None:
    (p,) = parameters((3,))
    p.grad = torch.ones(3)
    at.Adam([p]).step()
    for tensor in (p, p.grad):
        tensor.untyped_storage().resize_(0)  # as FSDP frees memory


def test_a_gradient_of_another_dtype_with_gaps() -> None:
    p = torch.nn.Parameter(torch.zeros(4))
    p.grad_dtype = torch.bfloat16
    opt = at.SGD([p], lr=1.0)
    p.grad = torch.arange(8.0).bfloat16()[::2]
    opt.step()
    assert p.tolist() == [0.0, -2.0, -4.0, -6.0]


def test_an_entry_given_as_a_dict_may_be_filled_later() -> None:
    p = torch.nn.Parameter(torch.zeros(1))
    opt = at.Adam([p])
    entry = opt.state[p] = {}
    entry.update(step=torch.tensor(5.0), exp_avg=torch.ones(1), exp_avg_sq=torch.ones(1))
    p.grad = torch.ones(1)
    opt.step()
    assert opt.state[p]["step"] == 6


def test_state_shared_by_two_optimizers() -> None:
    p = torch.nn.Parameter(torch.zeros(1))
    first, second = (at.SGD([p], lr=1.0, momentum=0.5) for _ in range(2))
    second.state = first.state
    p.grad = torch.ones(1)
    first.step()
    second.step()
    first.state[p]["momentum_buffer"] = torch.zeros(1)
    first.step()
    before = p.item()
    second.step()
    assert p.item() - before == -1.5
