"""Parameters, gradients, state and groups that cannot be stepped are refused by name, before anything has changed."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

import adamas.torch

TORCHS = ["Adam", "AdamW", "SGD", "Adagrad", "RMSprop", "Adadelta", "NAdam", "RAdam", "Adamax"]


def pair() -> list[torch.nn.Parameter]:
    params = [torch.nn.Parameter(torch.linspace(-1, 1, 7)), torch.nn.Parameter(torch.ones(2, 3))]
    for p in params:
        p.grad = torch.full_like(p, 0.5)
    return params


def steps(opt: Any, count: int = 2) -> None:
    for _ in range(count):
        opt.step()


def refused(opt: Any, params: list[torch.Tensor], text: str) -> None:
    """A step raises; parameters and state are as they were."""
    before = [p.detach().clone() for p in params]
    state = copy.deepcopy({k: dict(v) for k, v in opt.state_dict()["state"].items()})
    with pytest.raises((RuntimeError, ValueError), match=text):
        opt.step()
    assert all(torch.equal(p, b) for p, b in zip(params, before, strict=True))
    after = opt.state_dict()["state"]
    assert after.keys() == state.keys()
    for k, entry in state.items():
        assert all(
            torch.equal(after[k][n], v) if isinstance(v, torch.Tensor) else after[k][n] == v for n, v in entry.items()
        )


@pytest.mark.parametrize("later", [False, True], ids=["first step", "later step"])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.uint8, torch.bool])
@pytest.mark.parametrize("name", TORCHS)
def test_whole_numbers_and_booleans_are_refused(name: str, dtype: torch.dtype, later: bool) -> None:
    good, number = pair()[0], torch.ones(3, dtype=dtype)
    number.grad = torch.ones(3, dtype=dtype) if not later else None
    opt = getattr(adamas.torch, name)([good, number], lr=0.1)
    if later:
        steps(opt)
        number.grad = torch.ones(3, dtype=dtype)
    refused(opt, [good, number], r"params'\]\[1\] has dtype torch\.\w+; a parameter must be of a floating point")


@pytest.mark.parametrize("later", [False, True], ids=["first step", "later step"])
@pytest.mark.parametrize("what", ["parameter", "gradient", "exp_avg", "step"])
def test_freed_memory_is_refused(what: str, later: bool) -> None:
    """FSDP and offloading free the storage of tensors that still exist."""
    params = pair()
    opt = adamas.torch.AdamW(params)
    if later or what in ("exp_avg", "step"):
        steps(opt)
    p = params[1]
    target = {"parameter": p, "gradient": p.grad}.get(what)
    target = opt.state[p][what] if target is None else target
    held = params[0].detach().clone()
    target.untyped_storage().resize_(0)
    with pytest.raises(RuntimeError, match=r"storage"):
        opt.step()
    assert torch.equal(params[0], held)


@pytest.mark.parametrize("plain", [False, True], ids=["native look", "plain look"])
@pytest.mark.parametrize("what", ["parameter", "gradient", "exp_avg"])
def test_a_storage_made_smaller_is_refused(what: str, plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address may stay the same; the memory behind its end is not the tensor's any more."""
    from adamas.torch import _look

    if plain:
        monkeypatch.setattr(_look, "layout_known", lambda: False)
    params = [torch.nn.Parameter(torch.ones(1000))]
    params[0].grad = torch.ones(1000)
    opt = adamas.torch.AdamW(params)
    steps(opt)
    p = params[0]
    target = {"parameter": p, "gradient": p.grad}.get(what)
    target = opt.state[p][what] if target is None else target
    target.untyped_storage().resize_(target.untyped_storage().nbytes() - 8)
    with pytest.raises(RuntimeError, match=r"storage"):
        opt.step()


def test_freed_memory_that_returns_serves_again() -> None:
    params, twins = pair(), pair()
    opt, twin = adamas.torch.AdamW(params), adamas.torch.AdamW(twins)
    steps(opt)
    steps(twin)
    for entry in opt.state.values():
        for key in ("exp_avg", "exp_avg_sq"):
            storage, kept = entry[key].untyped_storage(), entry[key].clone()
            size = storage.nbytes()
            storage.resize_(0)
            storage.resize_(size)
            entry[key].copy_(kept)
    steps(opt)
    steps(twin)
    assert all(torch.equal(a, b) for a, b in zip(params, twins, strict=True))


@pytest.mark.parametrize("size", [3, 5000, 20_000, 300_000, 1_200_000])
def test_torch_owns_the_memory_of_state(size: int) -> None:
    """State can be resized, freed and shared; where it begins in its page is as for NumPy."""
    from adamas.engine.storage import LARGE, shift

    p = torch.nn.Parameter(torch.ones(size))
    p.grad = torch.ones(size)
    opt = adamas.torch.AdamW([p])
    opt.step()
    for place, key in enumerate(("exp_avg", "exp_avg_sq")):
        held = opt.state[p][key]
        assert held.untyped_storage().resizable()
        assert not held._is_view()
        if 4 * size >= LARGE:
            assert shift(p.detach().numpy(), p.detach().numpy().dtype, place, held.data_ptr()) == 0
        else:
            assert held.untyped_storage().nbytes() == 4 * size
        held.resize_(size + 3)
        held.resize_(size)
        held.untyped_storage().resize_(0)


def sparse_csr(t: torch.Tensor) -> torch.Tensor:
    return t.to_sparse_csr()


def nested(t: torch.Tensor) -> torch.Tensor:
    return torch.nested.nested_tensor([t[0], t[1]], requires_grad=True)


@pytest.mark.filterwarnings("ignore:.*(Sparse CSR|nested tensors|mkldnn).*")
@pytest.mark.parametrize("name", ["AdamW", "SGD", "Lion"])
@pytest.mark.parametrize("convert", [sparse_csr, nested, torch.Tensor.to_mkldnn], ids=["csr", "nested", "mkldnn"])
def test_layouts_are_called_by_name(name: str, convert: Any) -> None:
    parameter = convert(torch.ones(2, 3))
    if parameter.is_nested:
        torch.nested.to_padded_tensor(parameter, 0.0).sum().backward()
    else:
        parameter.grad = convert(torch.ones(2, 3))
    kind = "a nested tensor" if parameter.is_nested else f"a tensor of layout {parameter.layout}"
    opt = getattr(adamas.torch, name)([pair()[0]], lr=0.1)
    opt.add_param_group({"params": [parameter]})
    with pytest.raises(RuntimeError) as caught:
        opt.step()
    assert kind in str(caught.value)
    assert "SparseAdam" not in str(caught.value)


def test_a_sparse_gradient_is_told_of_sparse_adam() -> None:
    p = torch.nn.Parameter(torch.ones(2, 3))
    opt = adamas.torch.AdamW([p])
    p.grad = torch.sparse_coo_tensor([[0]], [[1.0, 1.0, 1.0]], (2, 3))
    with pytest.raises(RuntimeError, match="please consider SparseAdam"):
        opt.step()


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("AdamW", "betas"),
        ("AdamW", "lr"),
        ("SGD", "momentum"),
        ("SGD", "dampening"),
        ("RMSprop", "alpha"),
        ("RMSprop", "centered"),
        ("Adagrad", "lr_decay"),
        ("Lion", "betas"),
        ("Lion", "decay"),
        ("AdEMAMix", "betas"),
    ],
)
@pytest.mark.parametrize("later", [False, True], ids=["first step", "later step"])
def test_a_missing_key_is_named(name: str, key: str, later: bool) -> None:
    params = pair()
    opt = getattr(adamas.torch, name)(params, lr=0.1, **({"momentum": 0.9} if name == "SGD" else {}))
    if later:
        steps(opt)
    del opt.param_groups[0][key]
    refused(opt, params, rf"param_groups\[0\] has no '{key}', which every group must have")


@pytest.mark.parametrize("betas", [(0.9,), 0.9, (0.9, 0.99, 0.999), "ab"])
def test_betas_of_another_number_are_refused(betas: Any) -> None:
    params = pair()
    opt = adamas.torch.AdamW(params)
    steps(opt)
    opt.param_groups[0]["betas"] = betas
    with pytest.raises((ValueError, TypeError), match="betas"):
        opt.step()


@pytest.mark.parametrize("key", ["lr", "weight_decay", "eps"])
@pytest.mark.parametrize("value", ["0.1", b"0.1", None, [0.1]])
def test_texts_in_a_group_are_no_numbers(key: str, value: Any) -> None:
    params = pair()
    opt = adamas.torch.AdamW(params)
    steps(opt)
    before = params[0].detach().clone()
    opt.param_groups[0][key] = value
    with pytest.raises(TypeError, match=rf"param_groups\[0\]\['{key}'\]=.* must be a number"):
        opt.step()
    assert torch.equal(params[0], before)


@pytest.mark.parametrize("late", [False, True], ids=["constructor", "add_param_group"])
@pytest.mark.parametrize(("key", "value"), [("clip_norm", 1.0), ("nonfinite", "skip")])
@pytest.mark.parametrize("name", ["AdamW", "Lion", "SparseAdam"])
def test_what_holds_for_all_groups_is_refused_in_one(name: str, key: str, value: Any, late: bool) -> None:
    """It would have been without effect."""
    first, second = pair()
    cls, group = getattr(adamas.torch, name), {"params": [second], key: value}
    with pytest.raises(ValueError, match=rf"{key}={value!r} in a parameter group must be .*{name}\(params, {key}="):
        cls([first]).add_param_group(group) if late else cls([{"params": [first]}, group])
    assert len(cls([{"params": [first]}, group], **{key: value}).param_groups) == 2


@pytest.mark.parametrize("name", ["AdamW", "SGD", "SparseAdamW", "Lion"])
def test_arguments_that_do_not_fit_name_the_class(name: str) -> None:
    cls = getattr(adamas.torch, name)
    with pytest.raises(TypeError, match=rf"^{name}\.__init__\(\) got an unexpected keyword argument 'learning_rate'"):
        cls(pair(), learning_rate=0.1)
    with pytest.raises(TypeError, match=rf"^{name}\.__init__\(\) missing a required argument: 'params'"):
        cls()


def test_a_class_without_schedules_offers_none() -> None:
    with pytest.raises(TypeError, match=r"^lr='0.1' must be a number in \[0, inf\)\.$"):
        adamas.torch.Lion(pair(), lr="0.1")


@pytest.mark.parametrize("name", ["Adagrad", "Adadelta", "RMSprop", "SGD", "Adamax"])
@pytest.mark.parametrize(
    "foreign", [{"decoupled_weight_decay": True}, {"cautious": True}, {"momentum_decay": 0.1}, {"note": object()}]
)
def test_foreign_keys_are_ignored_as_in_torch(name: str, foreign: dict[str, Any]) -> None:
    """Keys that torch's class does not read change no bit, whether there from the start or put in between steps."""
    plain, given, late = pair(), pair(), pair()
    optimizers = []
    for params, extra in ((plain, {}), (given, foreign), (late, {})):
        optimizers.append(getattr(adamas.torch, name)([{"params": params, **extra}], lr=0.1, weight_decay=0.3))
    for step in range(4):
        if step == 2:
            optimizers[2].param_groups[0].update(foreign)
        for opt in optimizers:
            opt.step()
    for a, b, c in zip(plain, given, late, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c)


@pytest.mark.parametrize("name", ["Adam", "NAdam", "RAdam"])
def test_a_known_key_that_comes_back_is_read(name: str) -> None:
    """A group without a key that has a default meaning, to which the key is added between steps."""
    params, twins = pair(), pair()
    opt, twin = (getattr(adamas.torch, name)(ps, lr=0.1, weight_decay=0.3) for ps in (params, twins))
    del opt.param_groups[0]["maximize"]
    steps(opt)
    steps(twin)
    assert all(torch.equal(a, b) for a, b in zip(params, twins, strict=True))
    opt.param_groups[0]["maximize"] = twin.param_groups[0]["maximize"] = True
    steps(opt)
    steps(twin)
    assert all(torch.equal(a, b) for a, b in zip(params, twins, strict=True))
    assert not torch.equal(params[0], pair()[0])


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "RMSprop", "Adadelta", "Adamax", "NAdam", "RAdam"])
def test_a_tensor_lr_goes_with_foreach(name: str) -> None:
    """torch takes both together in these classes, and so do we: the same bits as with a number."""
    params, twins = pair(), pair()
    opt = getattr(adamas.torch, name)(params, lr=torch.tensor(0.01, dtype=torch.float64), foreach=True)
    getattr(torch.optim, name)(pair(), lr=torch.tensor(0.01), foreach=True).step()
    twin = getattr(adamas.torch, name)(twins, lr=0.01)
    steps(opt, 3)
    steps(twin, 3)
    assert all(torch.equal(a, b) for a, b in zip(params, twins, strict=True))


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_adam_refuses_a_tensor_lr_with_foreach_as_torch_does(name: str) -> None:
    with pytest.raises(ValueError, match="lr as a Tensor is not supported for capturable=False and foreach=True"):
        getattr(adamas.torch, name)(pair(), lr=torch.tensor(0.01), foreach=True)
    opt = getattr(adamas.torch, name)(pair(), lr=0.01, foreach=True)
    opt.param_groups[0]["lr"] = torch.tensor(0.01)
    with pytest.raises(RuntimeError, match="lr as a Tensor is not supported"):
        opt.step()


@pytest.mark.parametrize("name", ["SGD", "AdamW", "Lion"])
def test_a_float16_lr_is_the_number_that_it_holds(name: str) -> None:
    """0.01 in float16 is 0.01000213623046875; that number serves, in float64, and no product is rounded to float16."""
    params, twins = pair(), pair()
    half = torch.tensor(0.01, dtype=torch.float16)
    assert half.item() == 0.01000213623046875
    opt = getattr(adamas.torch, name)(params, lr=half, weight_decay=0.1)
    twin = getattr(adamas.torch, name)(twins, lr=0.01000213623046875, weight_decay=0.1)
    steps(opt, 3)
    steps(twin, 3)
    assert all(torch.equal(a, b) for a, b in zip(params, twins, strict=True))


def test_a_zero_tensor_as_gradient_is_not_followed() -> None:
    """torch's symbolic zeros have no memory."""
    params, twins = pair(), pair()
    opt, twin = adamas.torch.AdamW(params), adamas.torch.AdamW(twins)
    steps(opt)
    steps(twin)
    params[0].grad, twins[0].grad = torch._efficientzerotensor(7), torch.zeros(7)
    opt.step()
    twin.step()
    for a, b in zip(params, twins, strict=True):  # torch's operations may round a square root otherwise than the kernel
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


def test_a_lazy_copy_keeps_its_values() -> None:
    """A copy that shares memory until one side is written: the step is a write."""
    params = pair()
    opt = adamas.torch.AdamW(params)
    steps(opt)
    before = params[0].detach().clone()
    lazy = torch._lazy_clone(params[0].detach())
    opt.step()
    assert torch.equal(lazy, before)
    assert not torch.equal(params[0], before)


def test_a_step_count_that_requires_grad_is_written() -> None:
    """As in torch, where a step runs without gradients."""
    for name in ("AdamW", "NAdam"):
        params, twins = pair(), pair()
        opt, twin = (getattr(adamas.torch, name)(ps) for ps in (params, twins))
        steps(opt)
        steps(twin)
        opt.state[params[0]]["step"] = torch.tensor(2.0, requires_grad=True)
        steps(opt, 3)
        steps(twin, 3)
        assert all(torch.equal(a, b) for a, b in zip(params, twins, strict=True))
        assert float(opt.state[params[0]]["step"].detach()) == 5.0


@pytest.mark.parametrize("value", [torch.tensor(float("nan")), torch.tensor(1.5), "two", torch.ones(2), -1.0])
def test_a_step_count_that_is_no_whole_number_is_refused(value: Any) -> None:
    params = pair()
    opt = adamas.torch.AdamW(params)
    steps(opt)
    before = params[0].detach().clone()
    opt.state[params[0]]["step"] = value
    with pytest.raises(RuntimeError, match=r"state\['step'\] of .* must be a whole number"):
        opt.step()
    assert torch.equal(params[0], before)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (torch.zeros(7, dtype=torch.int32), "dtype torch.int32; it must be strided"),
        (torch.zeros(7).to_sparse(), "layout torch.sparse_coo"),
        (torch.zeros(7, device="meta"), "on the meta device and has no values"),
        (torch.zeros(8), r"is \(8,\), the parameter has shape \(7,\)"),
        ([0.0] * 7, "the parameter has shape"),
    ],
)
def test_state_that_cannot_serve_is_named(value: Any, text: str) -> None:
    params = pair()
    opt = adamas.torch.AdamW(params)
    steps(opt)
    before = params[0].detach().clone()
    opt.state[params[0]]["exp_avg"] = value
    with pytest.raises(RuntimeError, match=rf"state\['exp_avg'\] of .*{text}"):
        opt.step()
    assert torch.equal(params[0], before)


def test_a_complex_gradient_of_a_real_parameter_is_named() -> None:
    p = torch.nn.Parameter(torch.ones(5))
    p.grad_dtype = None
    p.grad = torch.ones(5, dtype=torch.complex64)
    with pytest.raises(RuntimeError, match="the gradient must be real"):
        adamas.torch.AdamW([p]).step()


def test_data_assigned_in_inference_mode_is_stepped() -> None:
    """Such a parameter may be written; torch refuses only those that were made in inference mode."""
    params, twins = pair(), pair()
    opt, twin = adamas.torch.AdamW(params), adamas.torch.AdamW(twins)
    for ps, one in ((params, opt), (twins, twin)):
        steps(one)
        if ps is params:
            with torch.inference_mode():
                ps[0].data = ps[0].data * 0.5
        else:
            ps[0].data = ps[0].data * 0.5
        steps(one)
    assert all(torch.equal(a, b) for a, b in zip(params, twins, strict=True))


def test_the_plain_look_follows_no_zero_tensor() -> None:
    p = torch.nn.Parameter(torch.ones(1, 1, 1, 1, 1, 3))
    opt = adamas.torch.AdamW([p])
    for _ in range(2):
        p.grad = torch.ones(p.shape)
        opt.step()
    p.grad = torch._efficientzerotensor(p.shape)
    before = p.detach().clone()
    opt.step()
    assert not torch.equal(p, before)


@pytest.mark.parametrize("late", [False, True], ids=["at once", "between steps"])
def test_a_group_alone_cannot_ask_for_differentiable_steps(late: bool) -> None:
    """As in torch, whose gradient mode follows what the constructor was told."""
    params, twins = pair(), pair()
    opt, twin = adamas.torch.Adam(params, lr=0.1), torch.optim.Adam(twins, lr=0.1)
    for one in (opt, twin):
        if late:
            steps(one)
        one.param_groups[0]["differentiable"] = True
        steps(one)
    for a, b in zip(params, twins, strict=True):  # steps of 0.1, which torch computes otherwise with such a flag
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_a_known_key_exchanged_for_a_foreign_one_is_read() -> None:
    params, twins = pair(), pair()
    opt, twin = adamas.torch.SGD(params, lr=0.1), adamas.torch.SGD(twins, lr=0.1)
    del opt.param_groups[0]["maximize"]
    opt.param_groups[0]["foreign"] = 1
    steps(opt)
    steps(twin)
    del opt.param_groups[0]["foreign"]
    opt.param_groups[0]["maximize"] = twin.param_groups[0]["maximize"] = True
    steps(opt)
    steps(twin)
    assert all(torch.equal(a, b) for a, b in zip(params, twins, strict=True))
