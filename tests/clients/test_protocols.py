"""What clients do to an optimizer, written with torch alone: each test is an idiom of one or several of them."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.utils import _pytree  # noqa: E402

import adamas.torch  # noqa: E402
from clients.training import OURS, THEIRS, assert_same_bits, network  # noqa: E402

BOTH = pytest.mark.parametrize("cls", [THEIRS, OURS], ids=["torch", "ours"])
CLASSES = adamas.torch.CLASSES


def trained(cls: Any, **kwargs: Any) -> Any:
    """An optimizer after two steps on gradients of ones."""
    optimizer = cls(network().parameters(), lr=0.1, **kwargs)
    step(optimizer), step(optimizer)
    return optimizer


def step(optimizer: Any, scaler: Any = None, value: float = 1.0) -> None:
    """One step on gradients of one value, through a scaler or not."""
    for p in (p for group in optimizer.param_groups for p in group["params"]):
        p.grad = torch.full_like(p, value)
    if scaler is None:
        optimizer.step()
    else:
        for p in (p for group in optimizer.param_groups for p in group["params"]):
            p.grad *= scaler.scale(torch.ones(()))
        scaler.step(optimizer)
        scaler.update()


def everything(optimizer: Any) -> Any:
    return [optimizer.state_dict(), [group["params"] for group in optimizer.param_groups]]


# -- signatures: jsonargparse, LightningCLI, hydra -----------------------------------------------------------


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_signatures_are_whole_and_typed(name: str) -> None:
    """The class and its `__init__` show the same arguments, all with types; torch's first, then the extras."""
    cls = CLASSES[name]
    on_init: list[Any] = list(inspect.signature(cls.__init__).parameters.values())[1:]
    assert on_init == list(inspect.signature(cls).parameters.values())
    for p in on_init:
        assert p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        assert p.name == "params" or p.annotation not in (p.empty, Any, "Any"), p.name
    twin = getattr(torch.optim, name, None)
    if twin is not None:
        theirs = list(inspect.signature(twin.__init__).parameters.values())[1:]
        extra = [p.name for p in on_init[len(theirs) :]]
        assert [(p.name, p.kind, p.default) for p in on_init[: len(theirs)]] == [
            (p.name, p.kind, p.default) for p in theirs
        ]
        assert extra == ["clip_norm", "nonfinite"]


@pytest.mark.parametrize("name", sorted(k for k, c in CLASSES.items() if "betas" in inspect.signature(c).parameters))
def test_betas_are_any_sequence(name: str) -> None:
    """hydra passes lists of its own type, others arrays and tensors' lists: every sequence of numbers is taken."""

    class Numbers(Sequence[float]):
        def __init__(self, items: Any) -> None:
            self.items = list(items)

        def __getitem__(self, k: Any) -> Any:
            return self.items[k]

        def __len__(self) -> int:
            return len(self.items)

    betas = tuple(inspect.signature(CLASSES[name]).parameters["betas"].default)
    for given in (betas, list(betas), Numbers(betas), torch.tensor(betas, dtype=torch.float64).numpy()):
        made = CLASSES[name](network().parameters(), betas=given)
        assert made.param_groups[0]["betas"] == betas
        assert type(made.param_groups[0]["betas"]) is tuple


# -- scaled gradients: accelerate, Lightning, Fabric ---------------------------------------------------------


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_only_fused_says_that_it_unscales(name: str) -> None:
    """`_step_supports_amp_scaling` is true exactly with `fused=True`; copies and files keep it."""
    cls = CLASSES[name]
    if "fused" not in inspect.signature(cls).parameters:
        assert not getattr(cls(network().parameters()), "_step_supports_amp_scaling", False)
        return
    for fused in (None, False, True):
        made = cls(network().parameters(), fused=fused)
        made.load_state_dict(made.state_dict())  # accelerate does this to every optimizer
        for one in (made, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
            assert getattr(one, "_step_supports_amp_scaling", False) is bool(fused)


@BOTH
@pytest.mark.parametrize("fused", [None, True])
def test_a_patched_step_tells_of_an_overflow(cls: Any, fused: bool | None) -> None:
    """accelerate puts a step of its own into the instance and takes an uncalled one for an overflow.

    With `fused=True` the step is called in any case, with torch's class as with ours, which has `last_step_skipped`.
    """
    optimizer = trained(cls, fused=fused)
    before = copy.deepcopy(everything(optimizer))
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    original, called = optimizer.step, []

    def patched(*args: Any, **kwargs: Any) -> Any:
        called.append(1)
        return original(*args, **kwargs)

    optimizer.step = patched
    step(optimizer, scaler, float("inf"))
    assert bool(called) is bool(fused)
    assert_same_bits(everything(optimizer), before)
    called.clear()
    step(optimizer, scaler)
    assert called
    if cls is OURS:
        assert not optimizer.last_step_skipped


# -- state that is moved and rebuilt -------------------------------------------------------------------------


def rebuilt(entry: Mapping[str, Any]) -> Any:
    """As accelerate's send_to_device: the same type, made of a dict."""
    return type(entry)({k: v.to("cpu", copy=True) for k, v in entry.items()})  # type: ignore[call-arg]


def rebuilt_in_order(entry: Mapping[str, Any]) -> Any:
    """As Lightning's apply_to_collection: the same type, made of an OrderedDict."""
    return type(entry)(OrderedDict((k, v.clone()) for k, v in entry.items()))  # type: ignore[call-arg]


def rebuilt_of_pairs(entry: Mapping[str, Any]) -> Any:
    return type(entry)((k, v.clone()) for k, v in entry.items())  # type: ignore[call-arg]


def rebuilt_by_keys(entry: Mapping[str, Any]) -> Any:
    return type(entry)(**entry)


def rebuilt_and_filled(entry: Mapping[str, Any]) -> Any:
    made: Any = type(entry)()
    for k, v in entry.items():
        made[k] = v.clone()
    return made


def united(entry: Mapping[str, Any]) -> Any:
    return {} | dict(entry) if not isinstance(entry, dict) else entry | {}


def mapped(entry: Mapping[str, Any]) -> Any:
    """As tools that walk through trees."""
    seen: list[Any] = []
    made = _pytree.tree_map(lambda leaf: (seen.append(type(leaf)), leaf)[1], entry)
    assert seen == [torch.Tensor] * 3
    return made


@BOTH
@pytest.mark.parametrize(
    "way",
    [rebuilt, rebuilt_in_order, rebuilt_of_pairs, rebuilt_by_keys, rebuilt_and_filled, united, mapped, copy.copy,
     copy.deepcopy],
)  # fmt: skip
def test_an_entry_of_state_is_rebuilt(cls: Any, way: Callable[[Any], Any]) -> None:
    """Whatever way an entry is moved, the optimizer goes the same way as one that was left alone."""
    moved, left = trained(cls), trained(cls)
    for p, entry in list(moved.state.items()):
        made = way(entry)
        assert list(made) == list(entry) == ["step", "exp_avg", "exp_avg_sq"]
        moved.state[p] = made
    step(moved), step(left)
    assert_same_bits(everything(moved), everything(left))


@BOTH
@pytest.mark.parametrize("how", ["in place", "data", "shared", "plain dicts", "same type", "pytree"])
def test_the_whole_state_is_moved(cls: Any, how: str) -> None:
    """Loops over `optimizer.state`, as Lightning, accelerate and many scripts move it between devices."""
    moved, left = trained(cls), trained(cls)
    state = moved.state
    if how == "plain dicts":
        moved.state = {p: dict(entry) for p, entry in state.items()}
    elif how == "same type":
        moved.state = type(state)(dict, {p: dict(entry) for p, entry in state.items()})
    elif how == "pytree":
        leaves = _pytree.tree_leaves(state)
        assert [type(leaf) for leaf in leaves] == [torch.Tensor] * 18
        moved.state = _pytree.tree_map(lambda leaf: leaf.clone(), state)
    else:
        for entry in state.values():
            for key, value in entry.items():
                if how == "in place":
                    entry[key] = value.to("cpu", copy=True)
                elif how == "data":
                    value.data = value.data.clone()
                else:
                    value.share_memory_()
    step(moved), step(left)
    assert_same_bits(everything(moved), everything(left))


# -- wrappers ------------------------------------------------------------------------------------------------


@BOTH
def test_wrappers(cls: Any) -> None:
    """A class made at run time that shares `__dict__` (Lightning), and one made of the groups alone (Horovod)."""
    inner, left = trained(cls), trained(cls)

    class Wrapper:
        def __init__(self, optimizer: Any) -> None:
            self.__dict__ = {k: v for k, v in optimizer.__dict__.items() if k != "step"}
            self.__class__ = type("Wrapped" + type(optimizer).__name__, (Wrapper, type(optimizer)), {})
            self.inner = optimizer

        def step(self, closure: Any = None) -> Any:
            return self.inner.step(closure)

    wrapper: Any = Wrapper(inner)
    assert isinstance(wrapper, cls)
    schedule = torch.optim.lr_scheduler.StepLR(wrapper, 1, 0.5)
    step(wrapper), schedule.step(), step(wrapper)
    step(left)
    left.param_groups[0]["lr"] = 0.05
    step(left)
    assert_same_bits([e["exp_avg"] for e in wrapper.state.values()], [e["exp_avg"] for e in left.state.values()])
    assert_same_bits(wrapper.param_groups[0]["params"], left.param_groups[0]["params"])
    derived = type(cls.__name__, (cls,), {})(trained(cls).param_groups)
    again = cls(trained(cls).param_groups)
    step(derived), step(again)
    assert_same_bits(everything(derived), everything(again))


@BOTH
def test_zero_grad_shows_its_argument(cls: Any) -> None:
    """accelerate asks the signature of `zero_grad` for `set_to_none`."""
    assert "set_to_none" in inspect.signature(trained(cls).zero_grad).parameters
