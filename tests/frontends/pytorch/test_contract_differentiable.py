"""What torch's tests ask of `differentiable=True`: derivatives through a step agree with finite differences."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.autograd import gradcheck

from frontends.pytorch.contract import DENSE, MODULE, over, settings

SIZE = 5
SLOTS: dict[str, tuple[dict[str, Any], ...]] = {
    "Adam": ({}, {"amsgrad": True}),
    "AdamW": ({}, {"amsgrad": True}),
    "SGD": ({}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "RMSprop": ({}, {"centered": True, "momentum": 0.1, "weight_decay": 0.1}),
}


def numbers(k: int) -> torch.Tensor:
    """Away from zero, where roots and quotients have no derivative."""
    return 0.25 + torch.rand(SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(k))


def existing_state(name: str, kwargs: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The state of torch's class after steps, with other numbers in its tensors."""
    p = numbers(0)
    opt = getattr(torch.optim, name)([p], **kwargs)
    p.grad = numbers(1)
    opt.step()
    state = {}
    for k, (key, value) in enumerate(opt.state[p].items()):
        if key == "step":
            state[key] = torch.tensor(10.0)
        elif not isinstance(value, torch.Tensor):
            state[key] = value
        elif value.dim() == 0:
            state[key] = torch.tensor(0.5, dtype=torch.float64)
        else:
            state[key] = numbers(10 + k)
    if "grad_avg" in state:  # a variance: the mean of the squares exceeds the square of the mean
        state["square_avg"] = state["grad_avg"].square() + 0.25
    return state


def check(
    name: str, kwargs: dict[str, Any], learned: dict[str, torch.Tensor] | None = None, fresh: bool = False
) -> None:
    """Finite differences of one step in the parameter, its gradient, its state and the learned numbers.

    Three steps when numbers are learned, so that their effect through the state is seen.
    """
    state = {} if fresh else existing_state(name, kwargs)
    slots = [key for key, value in state.items() if key != "step" and isinstance(value, torch.Tensor)]
    learned = learned or {}
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # NAdam's product of momenta has this dtype

    def step(p: torch.Tensor, grad: torch.Tensor, *rest: torch.Tensor) -> Any:
        given = dict(zip(learned, rest[len(slots) :], strict=True))
        if "beta1" in given:
            given["betas"] = given.pop("beta1"), given.pop("beta2")
        now = {**state, **dict(zip(slots, rest, strict=False))}
        for _ in range(3 if learned else 1):
            p = p.clone()  # what a step changes in place may be needed for the derivative of the step before
            opt = getattr(MODULE, name)([p], differentiable=True, **kwargs, **given)
            opt.state[p].update({k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in now.items()})
            p.grad = grad.clone()
            opt.step()
            now = opt.state[p]
        return p, *(v for v in now.values() if isinstance(v, torch.Tensor) and v.requires_grad)

    inputs = [numbers(20), numbers(21), *(state[slot] for slot in slots), *learned.values()]
    inputs = [x.detach().clone().requires_grad_() for x in inputs]
    try:
        outputs = step(*inputs)
        assert len(outputs) >= 1 + len(slots)
        assert gradcheck(step, inputs)
    finally:
        torch.set_default_dtype(before)


@over(DENSE)
def test_differentiable(info: Any) -> None:
    """Derivatives of a step in the parameter, its gradient and every slot of its state."""
    name = info.optim_cls.__name__
    for kwargs in SLOTS.get(name, ({},)):
        check(name, {"lr": 0.9, **kwargs})


@over(DENSE)
def test_every_setting_is_differentiable(info: Any) -> None:
    """The same from no state at all, for every setting of torch's database."""
    for _, kwargs in settings(info, torch.float64):
        check(info.optim_cls.__name__, kwargs, fresh=True)


LEARNED = {
    "lr": {"lr": 0.001},
    "weight_decay": {"weight_decay": 0.9},
    "betas": {"beta1": 0.9, "beta2": 0.999},
    "all": {"lr": 0.001, "weight_decay": 0.9, "beta1": 0.9, "beta2": 0.999},
}


@pytest.mark.parametrize("which", list(LEARNED))
@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_hyperparameters_are_differentiable(name: str, which: str) -> None:
    """Derivatives along three steps in numbers of the constructor given as tensors."""
    check(name, {"amsgrad": True}, {key: torch.tensor(v, dtype=torch.float64) for key, v in LEARNED[which].items()})


@pytest.mark.parametrize("which", ["lr", "weight_decay", "lr and weight_decay"])
def test_hyperparameters_of_sgd_are_differentiable(which: str) -> None:
    """The same for SGD, whose momentum is a plain number."""
    values = {"lr": 0.001, "weight_decay": 0.9}
    learned = {key: torch.tensor(values[key], dtype=torch.float64) for key in which.split(" and ")}
    check("SGD", {"momentum": 0.9}, learned)


@over(DENSE)
def test_a_leaf_that_requires_grad_is_refused(info: Any) -> None:
    """As autograd refuses it: the value before would be lost."""
    p = torch.ones(3, requires_grad=True)
    opt = info.optim_cls([p], differentiable=True)
    p.grad = torch.ones(3)
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        opt.step()
