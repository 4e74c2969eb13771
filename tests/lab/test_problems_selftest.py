"""The registry passes its self-test; each kind of check is shown red by a planted defect."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from adamas.lab import landscapes
from adamas.lab.problems import (
    DigitsProblem,
    Expected,
    FunctionProblem,
    Losses,
    Params,
    Problem,
    SurfaceProblem,
    registry,
    selftest,
)
from adamas.lab.problems import families as family_module
from adamas.lab.problems.bowls import illcond
from adamas.lab.problems.families import FAMILIES, Family, check_family
from adamas.lab.problems.function import quadratic
from adamas.lab.problems.noisy import SparseRows, white_noise
from adamas.lab.problems.slopes import lowest_nearby
from adamas.lab.surfaces import SURFACES

SLOW = {
    "digits-cnn", "text-transformer", "text-bigram", "text-embedding", "text-charlm", "logreg-cancer-raw",
    "label-imbalance", "randhie-poisson", "image-fit",
}  # fmt: skip
QUICK_FAMILIES = {"illcond-rotated", "layer-scale"}


def marked(names: list[str], slow: Callable[[str], bool]) -> list[object]:
    return [pytest.param(name, marks=pytest.mark.slow) if slow(name) else name for name in names]


@pytest.mark.parametrize("name", marked(list(registry()), SLOW.__contains__))
def test_the_registry_has_no_defect(name: str) -> None:
    problem = registry()[name]
    for module in problem.needs:
        pytest.importorskip(module)
    assert selftest.check(problem) == []


@pytest.mark.parametrize("name", marked([f.name for f in FAMILIES], lambda name: name not in QUICK_FAMILIES))
def test_difficulty_is_monotone(name: str) -> None:
    (family,) = [one for one in FAMILIES if one.name == name]
    assert check_family(family) == []


def planted(**changes: object) -> FunctionProblem:
    """A sound quadratic with one thing changed."""
    arguments: dict[str, object] = {
        **quadratic(np.array([1.0, 4.0, 9.0])),
        "start_point": np.array([3.0, 2.0, 1.0]),
        "optimum_point": np.zeros(3),
        "source": "a test",
        "steps": 200,
    }
    problem = FunctionProblem("planted", "a test", **{**arguments, **changes})  # type: ignore[arg-type]
    problem.passes = (Expected("adam", (0.1,), 1e-2),)
    problem.fails = (Expected("sgd", (1.0,), 1e-2),)
    return problem


def defects_of(problem: Problem) -> str:
    return "\n".join(selftest.check(problem))


def test_the_sound_problem_is_sound() -> None:
    assert selftest.check(planted()) == []


def test_red_wrong_gradient() -> None:
    assert "but the evaluated loss has the slope" in defects_of(planted(slope=lambda x: np.array([1.0, 4.0, 9.1]) * x))


def test_red_swapped_arguments() -> None:
    """(dim, scale) and (scale, dim): the value is made with one order, the slope with the other."""

    def bowl(dimension: int, scale: int) -> dict[str, Callable[[np.ndarray], object]]:
        weight = np.zeros(3)
        weight[:dimension] = scale
        return quadratic(weight)

    mixed = {"value": bowl(3, 2)["value"], "slope": bowl(2, 3)["slope"]}
    assert "but the evaluated loss has the slope" in defects_of(planted(**mixed))


def test_red_swapped_arguments_of_both_change_the_difficulty() -> None:
    """A family built from swapped arguments is not harder level by level."""
    swapped = Family("swapped", "condition", (4, 8, 16), lambda kappa: illcond(kappa=16, dimension=int(kappa)))
    assert "is not harder than" in "\n".join(check_family(swapped))


def test_red_target_met_at_the_start() -> None:
    found = defects_of(planted(targets=(100.0, 1.0, 0.1, 1e-2, 1e-3)))
    assert "is not above the target 100" in found
    assert "must be 100 times as far" in found


def test_red_target_hardly_below_the_start() -> None:
    assert "must be 100 times as far" in defects_of(planted(targets=(1.0, 0.1, 1e-2, 1e-3, 1e-4)))


def test_red_targets_few_or_not_falling() -> None:
    assert "4 targets; give five or more" in defects_of(planted(targets=(1e-2, 1e-3, 1e-4, 1e-5)))
    assert "do not fall" in defects_of(planted(targets=(1e-2, 1e-3, 1e-3, 1e-4, 1e-5)))


def test_red_wrong_optimum() -> None:
    found = defects_of(planted(optimum_point=np.array([0.0, 0.0, 0.1])))
    assert "the loss at the optimum is 0.045, not 0" in found
    assert "the slope at the optimum is" in found


def test_red_value_at_the_optimum_that_is_not_the_lowest() -> None:
    """A local minimum taken for the lowest: the loss there is 0, and less elsewhere."""
    wave = Expected("adam", (0.1,), 1e-2)

    def value(x: np.ndarray) -> float:
        return float(np.sum(x**2 * (x - 2) ** 2 - 0.05 * x**2))

    def slope(x: np.ndarray) -> np.ndarray:
        return 2 * x * (x - 2) ** 2 + 2 * x**2 * (x - 2) - 0.1 * x

    problem = planted(value=value, slope=slope, start_point=np.array([3.0, 3.0, 3.0]))
    problem.passes = (wave,)
    assert "below the minimum 0" in defects_of(problem)
    assert lowest_nearby(problem, problem.start(0)) < -0.5


class MaskedRows(SparseRows):
    """Success is measured on the frequent rows only."""

    def evaluate(self, params: Params) -> Losses:
        value = float(0.5 * np.mean((params["rows"] - self.target)[:8] ** 2))
        return Losses(value, value)


def test_red_masked_objective() -> None:
    problem = MaskedRows()
    assert "but the evaluated loss has the slope" in "\n".join(selftest.check_gradient(problem))
    assert selftest.check_gradient(SparseRows()) == []


def test_red_noise_that_is_not_right_on_average() -> None:
    problem = white_noise(deviation=1.0)
    assert selftest.check_gradient(problem) == []
    problem.perturb = lambda rng, slope: slope + np.abs(rng.standard_normal(slope.shape))
    assert "mean gradient" in "\n".join(selftest.check_gradient(problem))


def test_red_expectations() -> None:
    problem = planted()
    problem.passes = (Expected("sgd", (1e-4,), 1e-2),)
    assert "should pass, but 0 of 3 seeds" in defects_of(problem)
    problem = planted()
    problem.fails = (Expected("adam", (0.1,), 1e-2),)
    assert "should fail, but 3 of 3 seeds" in defects_of(problem)
    problem.passes = ()
    assert "no optimizer is declared to pass" in defects_of(problem)


def test_red_best_known_loss_beaten() -> None:
    problem = DigitsProblem("check", (), (1.0, 0.9, 0.85, 0.8, 0.78), best_known=0.77)
    problem.passes = (Expected("adam", (0.03,), 1.0),)
    assert "less than the best known loss 0.77" in "\n".join(selftest.check_expectations(problem))


def test_red_starts_that_the_seed_does_not_move() -> None:
    assert "two seeds give one start" in defects_of(planted(spread=0.0))


def test_red_family_that_is_not_monotone() -> None:
    """The same family the wrong way round."""
    family = next(one for one in FAMILIES if one.name == "layer-scale")
    backwards = dataclasses.replace(family, levels=family.levels[::-1])
    counts = [0, 3, 9, 18]
    found = family_module.judge(backwards, counts)
    assert found[0] == "decades between layers 2 is passed by 3 of 36 runs, the easier 3 by 0"
    assert "is not harder than" in found[-1]
    assert family_module.judge(family, counts[::-1]) == []


def test_surface_without_a_minimum_of_zero_is_red() -> None:
    lifted = dataclasses.replace(SURFACES["t0-bowl"], value=lambda z: landscapes.bowl(1 / 20, 1.0)[0](z) + 1e-6)
    assert "the loss at the optimum is 1e-06, not 0" in "\n".join(selftest.check_optimum(SurfaceProblem(lifted)))
