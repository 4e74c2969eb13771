"""The tests of torch's `test_lrscheduler.py` that follow a learning rate step by step, by their names.

Each of them states the numbers that a scheduler of torch's is to give. Here the same kind of schedule turns an optimizer
of ours and torch's class of the same name, and after every step all numbers of the groups are equal, in value and type.
So torch's statement holds for ours where it holds for torch's class. The settings are our own.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
import torch
from torch.optim import lr_scheduler as lr
from torch.optim.swa_utils import SWALR

from frontends.pytorch.contract import MODULE, assert_same, each_upstream, numbers, parameters

Maker = Callable[[torch.optim.Optimizer], Any]
Advance = Callable[[int, list[Any]], None]


class Course(NamedTuple):
    """A schedule: how it is made, for how many steps, what its `step` is given and which class it turns."""

    make: Maker
    steps: int = 12
    given: Sequence[float] | None = None
    """An epoch, or a loss for ReduceLROnPlateau, for each step."""
    start: tuple[float, float] = (0.0625, 0.5)
    """The first group's lr, a number, and the second's, a tensor."""
    name: str = "SGD"
    advance: Advance | None = None
    """Which schedulers move at a step; all of them unless given."""


def step(o: Any) -> Any:
    return lr.StepLR(o, 3, gamma=0.25)


def milestones(o: Any) -> Any:
    return lr.MultiStepLR(o, [2, 4, 7], gamma=0.25)


def constant(o: Any) -> Any:
    return lr.ConstantLR(o, factor=0.375, total_iters=4)


def linear(o: Any) -> Any:
    return lr.LinearLR(o, start_factor=0.3, end_factor=0.8, total_iters=5)


def exponential(o: Any) -> Any:
    return lr.ExponentialLR(o, gamma=0.85)


def polynomial(o: Any) -> Any:
    return lr.PolynomialLR(o, total_iters=6, power=0.8)


def cosine(o: Any) -> Any:
    return lr.CosineAnnealingLR(o, T_max=7, eta_min=1e-9)


def plateau(o: Any, **kwargs: Any) -> Any:
    return lr.ReduceLROnPlateau(o, **{"patience": 2, "cooldown": 1, **kwargs})


def both(*makers: Maker) -> Maker:
    """Schedulers of one optimizer, made and moved one after the other."""
    return lambda o: [make(o) for make in makers]


def chained(*makers: Maker) -> Maker:
    return lambda o: lr.ChainedScheduler([make(o) for make in makers])


def sequential(at: list[int], *makers: Maker) -> Maker:
    return lambda o: lr.SequentialLR(o, [make(o) for make in makers], at)


def cyclic(low: Any = 0.25, high: Any = 1.0, up: int = 3, **kwargs: Any) -> Maker:
    turned = {"base_momentum": low, "max_momentum": high} if kwargs.get("cycle_momentum", True) else {}
    return lambda o: lr.CyclicLR(o, base_lr=low, max_lr=high, step_size_up=up, **turned, **kwargs)


def cycle(**kwargs: Any) -> Maker:
    given = {
        "max_lr": 2.0,
        "total_steps": 13,
        "base_momentum": 0.5,
        "max_momentum": 1.5,
        "final_div_factor": 2,
        **kwargs,
    }
    return lambda o: lr.OneCycleLR(o, **given)


def restarts(mult: int) -> Maker:
    return lambda o: lr.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=mult, eta_min=1e-9)


def older_cycle(o: Any) -> Any:
    """A OneCycleLR which loaded a file that names its annealing by a function."""
    made = cycle(anneal_strategy="cos")(o)
    saved = made.state_dict()
    del saved["_anneal_func_type"], made._anneal_func_type
    made.load_state_dict(saved | {"anneal_func": lr.OneCycleLR._annealing_cos})
    return made


def moved_by_hand(o: Any) -> Any:
    """Warm restarts whose place within the cycle is set from outside, beyond its end."""
    made = restarts(1)(o)
    made.T_cur = 7
    return made


def continued(o: Any) -> Any:
    """A cosine which takes over from another after its first step."""
    first = cosine(o)
    o.step()
    first.step()
    return lr.CosineAnnealingLR(o, T_max=7, eta_min=1e-9, last_epoch=0)


def one_rate(made: Maker) -> Maker:
    """Both groups of an optimizer begin with the number 0.5, and keep the kind of number they had."""

    def make(o: Any) -> Any:
        for group in o.param_groups:
            group["lr"] = torch.tensor(0.5) if isinstance(group["lr"], torch.Tensor) else 0.5
        return made(o)

    return make


def after(first: int, late: Maker, *early: Maker) -> Course:
    """Some schedulers for the first steps, and one from then on."""

    def advance(k: int, made: list[Any]) -> None:
        for scheduler in made[:-1] if k < first else made[-1:]:
            scheduler.step()

    return Course(both(*early, late), 20, advance=advance)


def averaged(strategy: str, epochs: int, rate: Any, *early: Maker) -> Course:
    """SWALR from the fifth step on."""
    return after(4, lambda o: SWALR(o, rate, anneal_epochs=epochs, anneal_strategy=strategy), *early)


def factor(o: Any) -> Any:
    return lr.MultiplicativeLR(o, lambda k: 0.9)


FALLING = [8 - 0.01 * k for k in range(20)]
RISING = [1.03**k for k in range(20)]
FLAT = [1.0] * 5 + [0.5] * 15
EPOCHS = list(range(12))

COURSES: dict[str, Course] = {
    **{
        f"test_{name}_is_constant_for_constant_epoch": Course(make, 8, [2] * 8)
        for name, make in {
            "step_lr": step, "exponential_lr": exponential, "constantlr": lr.ConstantLR,
            "linear_linearlr": lr.LinearLR, "polynomial_lr": lambda o: lr.PolynomialLR(o, power=0.8),
        }.items()
    },
    **{
        f"test_{name}": Course(make)
        for name, make in {
            "step_lr": step, "get_last_lr_step_lr": lambda o: lr.StepLR(o, 4, gamma=0.5), "multi_step_lr": milestones,
            "get_last_lr_multi_step_lr": lambda o: lr.MultiStepLR(o, [1, 5, 6], gamma=0.5), "constantlr": constant,
            "get_last_lr_constantlr": lambda o: lr.ConstantLR(o, 0.75, 3), "linearlr": linear, "exp_lr": exponential,
            "get_last_lr_linearlr": lambda o: lr.LinearLR(o, 0.25, 0.75, 3), "poly_lr": polynomial,
            "cos_anneal_lr": cosine, "cos_anneal_lr_continue": continued,
        }.items()
    },
    **{
        f"test_{name}_with_epoch": Course(make, given=EPOCHS)
        for name, make in {"multi_step_lr": milestones, "constantlr": constant, "linearlr": linear}.items()
    },
    **{
        f"test_reduce_lr_on_plateau{k}": Course(one_rate(lambda o, s=settings: plateau(o, **s)), len(losses), losses)
        for k, (settings, losses) in enumerate([
            ({"threshold_mode": "abs", "threshold": 0.005}, FALLING),
            ({"threshold_mode": "abs", "threshold": 0.5, "cooldown": 0}, FALLING),
            ({"threshold_mode": "abs", "mode": "max"}, [-1.0, -1.0] + [-0.5] * 15),
            ({"threshold_mode": "rel", "threshold": 0.02, "mode": "max"}, RISING),
            ({"threshold_mode": "rel", "threshold": 0.5, "mode": "max"}, RISING),
            ({"threshold_mode": "rel", "threshold": 0.1, "mode": "min"}, RISING[::-1]),
            ({"threshold_mode": "rel", "threshold": 0.1, "mode": "min"}, FLAT),
            ({"threshold_mode": "rel", "threshold": 0.1, "mode": "max", "min_lr": [0.3, 0.2]}, RISING),
        ], 1)
    },
    "test_reduce_lr_on_plateau_get_last_lr_before_step": Course(one_rate(plateau), 9, RISING),
    "test_reduce_lr_on_plateau_preserves_lr_type": Course(lambda o: plateau(o, patience=0), 6, RISING),
    "test_sequentiallr1": Course(sequential([3], exponential, step)),
    "test_sequentiallr2": Course(sequential([4], constant, exponential)),
    "test_sequentiallr3": Course(sequential([2, 6], constant, exponential, step)),
    "test_sequentiallr4": Course(sequential([9], lambda o: lr.ConstantLR(o, 1), lambda o: lr.ConstantLR(o, 0.5))),
    "test_sequentiallr5": Course(sequential([5], chained(linear, constant), lambda o: lr.ConstantLR(o, 0.5, 3))),
    "test_get_last_lr_sequentiallr": Course(sequential([3, 5], constant, exponential, milestones)),
    "test_sequentiallr_does_not_alias_lr_and_initial_lr": Course(
        sequential([4], lambda o: lr.LinearLR(o, 0.2, 0.9, 4), lambda o: lr.LinearLR(o, 0.9, 0.2, 4)), start=(2.0, 2.0)
    ),
    "test_chained_lr1": Course(chained(step)),
    "test_chained_lr2": Course(chained(linear)),
    "test_chained_lr2_get_last_lr_before_step": Course(chained(linear, milestones), 3),
    "test_chained_lr3": Course(chained(linear, milestones)),
    "test_chained_lr4": Course(chained(exponential, constant, step)),
    "test_chained_lr5": Course(chained(polynomial, constant)),
    **{
        f"test_compound_{name}": Course(both(*makers))
        for name, makers in {
            "step_and_multistep_lr": (step, milestones), "step_and_exp_lr": (step, exponential),
            "exp_and_multistep_lr": (milestones, exponential), "exp_and_linearlr": (linear, exponential),
            "step_and_constantlr": (step, constant), "linearlr_and_multistep_lr": (milestones, linear),
            "cosanneal_and_step_lr": (cosine, step), "cosanneal_and_multistep_lr": (cosine, milestones),
            "cosanneal_and_linearlr": (linear, cosine), "cosanneal_and_exp_lr": (cosine, exponential),
        }.items()
    },
    **{
        f"test_compound_reduce_lr_on_plateau{k}": Course(one_rate(both(lambda o, m=mode: plateau(o, mode=m), other)), 16, losses)
        for k, (mode, losses, other) in enumerate([
            ("min", FALLING, step), ("min", FLAT, milestones), ("max", FLAT, exponential),
            ("max", RISING, cosine), ("min", FLAT, linear),
        ], 1)
    },
    "test_cycle_lr_triangular_mode_one_lr": Course(cyclic()),
    "test_cycle_lr_triangular_mode_one_lr_no_momentum": Course(cyclic(cycle_momentum=False)),
    "test_cycle_lr_triangular2_mode_one_lr": Course(cyclic(mode="triangular2"), 20),
    "test_cycle_lr_exp_range_mode_one_lr": Course(cyclic(mode="exp_range", gamma=0.9)),
    "test_cycle_lr_triangular_mode": Course(cyclic([0.25, 0.5], [1.0, 1.25])),
    "test_cycle_lr_triangular2_mode": Course(cyclic([0.25, 0.5], [1.0, 1.25], mode="triangular2"), 20),
    "test_cycle_lr_exp_range_mode": Course(cyclic([0.25, 0.5], [1.0, 1.5], mode="exp_range", gamma=0.9)),
    "test_cycle_lr_triangular_mode_step_size_up_down": Course(cyclic(step_size_down=5)),
    "test_cycle_lr_triangular2_mode_step_size_up_down": Course(
        cyclic([0.25, 0.5], [1.0, 1.25], 2, step_size_down=5, mode="triangular2"), 20
    ),
    "test_cycle_lr_exp_range_mode_step_size_up_down": Course(
        cyclic(up=2, step_size_down=5, mode="exp_range", gamma=0.9)
    ),
    "test_cycle_lr_with_momentumless_optimizer": Course(cyclic(cycle_momentum=False), name="Adagrad"),
    "test_cycle_lr_cycle_momentum_with_beta1_optimizer": Course(
        lambda o: lr.CyclicLR(o, base_lr=0.25, max_lr=1.0, step_size_up=3, cycle_momentum=True), name="Adam"
    ),
    "test_onecycle_lr_linear_annealing": Course(cycle(anneal_strategy="linear")),
    "test_onecycle_lr_linear_annealing_three_phases": Course(
        cycle(anneal_strategy="linear", three_phase=True, pct_start=0.4)
    ),
    "test_onecycle_lr_cosine_annealing": Course(cycle()),
    "test_onecycle_lr_legacy_state_dict": Course(older_cycle),
    "test_cycle_lr_with_adam": Course(cycle(base_momentum=0.5, max_momentum=0.95), name="Adam"),
    "test_lambda_lr": Course(lambda o: lr.LambdaLR(o, [lambda k: 0.9**k, lambda k: 1 / (1 + k)])),
    "test_multiplicative_lr": Course(lambda o: lr.MultiplicativeLR(o, [lambda k: 0.9, lambda k: 0.75])),
    "test_CosineAnnealingWarmRestarts_lr1": Course(both(restarts(1), restarts(2), restarts(3)), 20),
    "test_CosineAnnealingWarmRestarts_lr2": Course(restarts(2), 30, [k / 4 for k in range(30)]),
    "test_CosineAnnealingWarmRestarts_lr3": Course(restarts(2), 12, [0, 1, 2, 2.5, 9, 4, 21, 5, 6, 40, 3, 7]),
    "test_CosineAnnealingWarmRestarts_T_cur_reset": Course(moved_by_hand),
    "test_swalr_no_anneal": averaged("cos", 1, 0.03125),
    "test_swalr_cosine_anneal_after_multiplicative": averaged("cos", 5, 0.03125, factor),
    "test_swalr_linear_anneal_after_multiplicative": averaged("linear", 4, [0.03125, 0.0625], factor),
    "test_tensor_lr_stays_tensor": Course(lambda o: plateau(o, patience=0, factor=0.5, min_lr=0.001), 6, RISING),
    "test_mixed_tensor_and_float_lr": Course(lambda o: plateau(o, patience=0, factor=0.5, min_lr=0.002), 6, RISING),
    "test_nested_sequential_matches_direct": Course(sequential([], sequential([3], constant, exponential))),
    "test_nested_chained_matches_direct": Course(sequential([], chained(constant, exponential))),
    "test_nested_sequential_scheduler_initializes_last_lr": Course(
        sequential([5], sequential([3], constant, exponential), exponential)
    ),
    "test_cosine_then_cyclic": after(7, cyclic(0.1, 0.3, 1, step_size_down=3), cosine),
}  # fmt: skip

CLOSED_FORMS: dict[str, Maker] = {
    f"test_closed_form_{name}": make
    for name, make in {
        "step_lr": step, "linearlr": linear, "constantlr": constant, "multi_step_lr": milestones,
        "exp_lr": exponential, "poly_lr": polynomial, "cos_anneal_lr": cosine,
    }.items()
}  # fmt: skip


class Run:
    """An optimizer of a module, its parameters, and its schedulers."""

    def __init__(self, course: Course, module: Any, shape: Sequence[torch.Tensor] | None = None):
        self.course, self.params = course, [p.clone() for p in shape or parameters((3, 4), (17,))]
        groups = [{"params": self.params[:1]}, {"params": self.params[1:], "lr": torch.tensor(course.start[1])}]
        self.opt = getattr(module, course.name)(groups, lr=course.start[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # composed schedulers move each other before a step, and torch warns of it
            made = course.make(self.opt)
        self.made = made if isinstance(made, list) else [made]

    def train(self, k: int) -> None:
        """A step with positive gradients."""
        for p, g in zip(self.params, parameters((3, 4), (17,), seed=k), strict=True):
            p.grad = g.abs() + 0.125
        self.opt.step()

    def move(self, k: int) -> None:
        """The schedulers' step."""
        course, losses = self.course, any(isinstance(s, lr.ReduceLROnPlateau) for s in self.made)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an epoch given to a scheduler's step is deprecated, which torch says
            if course.advance is not None:
                course.advance(k, self.made)
                return
            for s in self.made:
                takes = course.given is not None and (isinstance(s, lr.ReduceLROnPlateau) or not losses)
                s.step(course.given[k]) if takes else s.step()  # type: ignore[index]

    def rates(self) -> list[Any]:
        return [s.get_last_lr() for s in self.made]

    def resumed(self) -> Run:
        """Another one of the same state, by way of a file."""
        file = io.BytesIO()
        torch.save((self.opt.state_dict(), [s.state_dict() for s in self.made]), file)
        file.seek(0)
        saved, schedules = torch.load(file, weights_only=False)
        again = Run(self.course, MODULE, self.params)
        again.opt.load_state_dict(saved)
        for s, state in zip(again.made, schedules, strict=True):
            s.load_state_dict(state)
        return again


@each_upstream(COURSES)
def test_lr_course(upstream: str) -> None:
    """Numbers equal to those of torch's class after every step; SGD's parameters feel them; a saved pair continues."""
    course = COURSES[upstream]
    ours, twin = Run(course, MODULE), Run(course, torch.optim)
    again, before = ours, [p.clone() for p in ours.params]
    seen = set()
    for k in range(course.steps):
        assert_same(numbers(ours.opt), numbers(twin.opt), f"numbers at step {k}")
        assert_same(ours.rates(), twin.rates(), f"last rates at step {k}")
        seen.add(str(numbers(ours.opt)))
        runs = [ours, twin] if again is ours else [ours, twin, again]
        for run in runs:
            run.train(k)
            run.move(k)
        if k == course.steps // 2:
            again = ours.resumed()
    assert_same(numbers(ours.opt), numbers(twin.opt), "numbers at the end")
    if upstream.endswith("for_constant_epoch"):
        assert len(seen) <= 2  # before the first move and after it
    else:
        assert len(seen) > 1 or upstream in UNMOVED
    assert_same(numbers(again.opt), numbers(ours.opt), "numbers of the resumed pair")
    assert_same(again.rates(), ours.rates(), "last rates of the resumed pair")
    assert_same(again.params, ours.params, "parameters of the resumed pair")
    if course.name == "SGD":
        # With positive gradients a buffer of n steps has n pairs of roundings and no cancellation, its product with
        # lr three more, and n sums of at most `size` one each; twice that, since both sides round.
        for p, q, p0 in zip(ours.params, twin.params, before, strict=True):
            size = p0.abs() + (p0 - q).abs()
            assert bool(((p - q).abs() <= 6 * (course.steps + 1) * 2.0**-24 * size).all())
            assert bool((p != p0).all())


UNMOVED = {"test_reduce_lr_on_plateau1", "test_reduce_lr_on_plateau4", "test_reduce_lr_on_plateau6"}
"""Here the loss improves all the time, so that no rate may change."""


@each_upstream(CLOSED_FORMS)
def test_lr_closed_form(upstream: str) -> None:
    """The rate of a given epoch is the rate after that many steps, for ours and, number for number, torch's class."""
    make, steps = CLOSED_FORMS[upstream], 20
    epochs = list(range(1, steps + 1))
    counted, given = Run(Course(make, steps), MODULE), Run(Course(make, steps, epochs), MODULE)
    twins = Run(Course(make, steps), torch.optim), Run(Course(make, steps, epochs), torch.optim)
    for k in range(steps):
        for run in (counted, given, *twins):
            run.train(k)
            run.move(k)
        assert_same([numbers(counted.opt), numbers(given.opt)], [numbers(run.opt) for run in twins])
        for a, b in zip(counted.opt.param_groups, given.opt.param_groups, strict=True):
            # the counted rate has at most four roundings a step, of float32 in the second group
            assert float(a["lr"]) == pytest.approx(float(b["lr"]), rel=4 * steps * 2.0**-24, abs=1e-9 * 2.0**-20)
