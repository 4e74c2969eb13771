"""What torch's tests ask of constructors, of their errors, of groups and of printing."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import pytest
import torch

from frontends.pytorch.contract import (
    DENSE,
    FUSED,
    INFOS,
    assert_same,
    each,
    flagged,
    over,
    parameters,
    refused,
    train,
)


@over(INFOS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_wrong_arguments_raise(info: Any, dtype: torch.dtype) -> None:
    """Each wrong call of torch's database is refused with torch's exception and words."""
    wrong = info.optim_error_inputs_func("cpu", dtype)
    assert wrong
    for case in wrong:
        entry = case.optimizer_error_input
        params = parameters((2, 3), dtype=dtype) if entry.params is None else entry.params
        late = case.error_on is not None and case.error_on.name == "STEP_ERROR"
        try:
            if issubclass(case.error_type, Warning):
                with pytest.warns(case.error_type, match=case.error_regex):
                    info.optim_cls(params, **entry.kwargs)
            elif late:
                opt = info.optim_cls(params, **entry.kwargs)
                with pytest.raises(case.error_type, match=case.error_regex):
                    opt.step()
            else:
                with pytest.raises(case.error_type, match=case.error_regex):
                    info.optim_cls(params, **entry.kwargs)
        except BaseException as error:
            error.add_note(entry.desc)
            raise


@over(FUSED)
def test_fused_excludes_the_other_flags(info: Any) -> None:
    """Torch's database has these two for accelerators only; they hold on any device."""
    for flag, said in [("foreach", "cannot be `True` together"), ("differentiable", "does not support")]:
        with pytest.raises(RuntimeError, match=said):
            info.optim_cls(parameters((2,)), fused=True, **{flag: True})


@over(FUSED)
def test_fused_refuses_parameters_without_storage(info: Any) -> None:
    """A parameter on the meta device has nothing to step on; without its gradient there is nothing to do."""
    with torch.device("meta"):
        model = torch.nn.Linear(3, 5)
    opt = info.optim_cls(model.parameters(), fused=True)
    for p in model.parameters():
        p.grad = torch.empty_like(p)
    with pytest.raises(RuntimeError, match="`fused=True` requires all the params to be floating point Tensors"):
        opt.step()
    opt.zero_grad(set_to_none=True)
    model.to_empty(device="cpu")  # gives the model other parameters
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    before = [p.detach().clone() for p in model.parameters()]
    opt.step()
    assert_same([p.detach() for p in model.parameters()], before)


@over(DENSE)
def test_a_group_has_its_own_weight_decay(info: Any) -> None:
    """Zero gradients: the group with decay shrinks its weight, the group without leaves its weight alone."""

    def body(kwargs: dict[str, Any]) -> None:
        weight, bias = parameters((10, 5), (10,))
        before = weight.clone(), bias.clone()
        decayed, kept = {"params": [weight], "weight_decay": 0.1}, {"params": [bias], "weight_decay": 0.0}
        opt = info.optim_cls([decayed, kept], **{**kwargs, "lr": 0.01, "maximize": False})
        for _ in range(3):
            weight.grad, bias.grad = torch.zeros_like(weight), torch.zeros_like(bias)
            opt.step()
        assert_same(bias, before[1])
        assert bool((weight.abs() < before[0].abs()).all())

    each(flagged(info), body)


@over(INFOS)
def test_a_group_has_its_own_lr(info: Any) -> None:
    """A group without an lr takes the optimizer's; each group moves as an optimizer of its own would."""

    def body(kwargs: dict[str, Any]) -> None:
        kwargs.pop("lr", None)
        one, two = parameters((10, 5), (10,)), parameters((10, 5), (10,))
        opt = info.optim_cls([{"params": [one[0]]}, {"params": [one[1]], "lr": 0.0625}], lr=0.03125, **kwargs)
        assert [group["lr"] for group in opt.param_groups] == [0.03125, 0.0625]
        apart = [info.optim_cls([p], lr=lr, **kwargs) for p, lr in zip(two, (0.03125, 0.0625), strict=True)]
        for seed in range(3):
            train(info, opt, one, 1, seed)
            for p, q in zip(one, two, strict=True):
                q.grad = p.grad.clone()
            for o in apart:
                o.step()
        assert_same(one, two)

    each(flagged(info), body)


@over(INFOS)
def test_a_tensor_lr_is_a_number(info: Any) -> None:
    """A tensor of one element, whatever its dimensions, does what the number does, scheduler or not."""

    def body(kwargs: dict[str, Any]) -> None:
        kwargs["lr"] = torch.tensor(1.0)
        if refused(info, kwargs, "foreach") and kwargs.get("foreach"):
            return
        del kwargs["lr"]
        for dims in range(3):
            for scheduled in (False, True):
                one, two = parameters((10, 5), (10,)), parameters((10, 5), (10,))
                lr = 2.0**-7  # a float32 tensor holds it exactly, and its halves
                opts = [
                    info.optim_cls(one, lr=torch.full((1,) * dims, lr), **kwargs),
                    info.optim_cls(two, lr=lr, **kwargs),
                ]
                schedulers = [torch.optim.lr_scheduler.ExponentialLR(o, 0.5) for o in opts if scheduled]
                for seed in range(4):
                    for o, params in zip(opts, (one, two), strict=True):
                        train(info, o, params, 1, seed)
                    for s in schedulers:
                        s.step()
                tensor = opts[0].param_groups[0]["lr"]
                assert isinstance(tensor, torch.Tensor)
                assert float(tensor) == opts[1].param_groups[0]["lr"]
                assert_same(one, two)

    each(flagged(info, ("foreach", "fused")), body)


@over(INFOS)
def test_can_be_printed(info: Any) -> None:
    """The class, every group and every option of a group stand in the text."""
    first, second = parameters((3,), (4,))
    opt = info.optim_cls([first])
    opt.add_param_group({"params": [second], "lr": 0.25})
    text = repr(opt)
    assert text.startswith(info.optim_cls.__name__ + " (")
    for k, group in enumerate(opt.param_groups):
        assert f"Parameter Group {k}" in text
        assert all(f"{key}: {value}" in text for key, value in group.items() if key != "params")


@over(INFOS)
def test_copies_have_all_public_attributes(info: Any) -> None:
    """deepcopy keeps every public attribute, before and after a step, and the copy goes on alike."""

    def body(kwargs: dict[str, Any]) -> None:
        params = parameters((10, 5), (10,))
        opt = info.optim_cls(params, **kwargs)

        def public(o: Any) -> set[str]:
            return {name for name in vars(o) if not name.startswith("_")}

        assert public(copy.deepcopy(opt)) == public(opt)
        train(info, opt, params, 2)
        twin, twins = copy.deepcopy((opt, params))
        assert public(twin) == public(opt)
        train(info, opt, params, 2)
        train(info, twin, twins, 2)
        assert_same(params, twins)
        assert_same(twin.state_dict(), opt.state_dict())

    each(flagged(info), body)


@over(INFOS)
def test_the_given_settings_raise_no_warning(info: Any) -> None:
    """Nothing in torch's database of right calls is worth a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _, kwargs in flagged(info):
            params = parameters((3,))
            train(info, info.optim_cls(params, **kwargs), params, 2)
