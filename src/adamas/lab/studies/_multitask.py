"""Several losses on one trunk: ways to make one direction of the tasks' gradients, and a small network to try them.

A combination takes the gradients of all tasks in the shared parameters, shape (tasks, n), and returns a direction,
shape (n,), on the scale of their sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import adamas

Floats = NDArray[np.float64]
Params = dict[str, Floats]


class Combination(Protocol):
    """One direction from the gradients of all tasks and their present losses."""

    def __call__(self, gradients: Floats, losses: Floats) -> Floats:
        """Gradients (tasks, n) and losses (tasks,) to a direction (n,)."""
        ...


def plain_sum() -> Combination:
    """The gradient of the sum of the losses."""
    return lambda gradients, losses: np.asarray(gradients.sum(axis=0))


def pcgrad(seed: int) -> Combination:
    """Each gradient loses its part against every other that it conflicts with, taken in random order; then the sum.

    Source: Yu et al. 2020, Gradient surgery for multi-task learning, Algorithm 1.
    """
    rng = np.random.default_rng([seed, 11])

    def combine(gradients: Floats, losses: Floats) -> Floats:
        total = np.zeros(gradients.shape[1])
        for i, gradient in enumerate(gradients):
            own = gradient.copy()
            for j in rng.permutation(len(gradients)):
                against = own @ gradients[j]
                if j != i and against < 0:
                    own -= against / (gradients[j] @ gradients[j]) * gradients[j]
            total += own
        return total

    return combine


def cagrad(c: float = 0.5) -> Combination:
    """The direction near the mean gradient g0 (within c |g0|) whose worst gain over the tasks is largest.

    The weights w minimise w G g0 + c |g0| |w G| over the simplex. Found here by multiplicative updates, 100 of them.

    Args:
        c: From 0, the mean gradient, to below 1.

    Source: Liu et al. 2021, Conflict-averse gradient descent, Algorithm 1.
    """

    def combine(gradients: Floats, losses: Floats) -> Floats:
        inner = gradients @ gradients.T
        mean, count = inner.mean(axis=1), len(gradients)
        radius = c * np.sqrt(max(inner.mean(), 0.0))
        scale = float(np.abs(inner).max()) + 1e-300
        weights = np.full(count, 1 / count)
        for _ in range(100):
            norm = np.sqrt(max(weights @ inner @ weights, 1e-300))
            slope = mean + radius * (inner @ weights) / norm
            weights = weights * np.exp(-slope / scale)
            weights /= weights.sum()
        mixed = weights @ gradients
        norm = np.linalg.norm(mixed)
        return np.asarray(count * (gradients.mean(axis=0) + (radius / norm if norm > 0 else 0.0) * mixed))

    return combine


def gradnorm(alpha: float = 0.5, rate: float = 0.025) -> Combination:
    """Weights that draw the tasks' gradient norms together, larger for tasks that have fallen behind; then the sum.

    Args:
        alpha: Strength of the pull towards tasks that learn slowly, from 0.
        rate: Step of the weights.

    Source: Chen et al. 2018, GradNorm, Algorithm 1, with plain descent for the weights.
    """
    first: list[Floats] = []
    weights: list[Floats] = []

    def combine(gradients: Floats, losses: Floats) -> Floats:
        if not first:
            first.append(losses.copy())
            weights.append(np.ones(len(losses)))
        norms = np.linalg.norm(gradients, axis=1)
        behind = losses / first[0]
        weighted = weights[0] * norms
        target = weighted.mean() * (behind / behind.mean()) ** alpha
        step = rate * np.sign(weighted - target) * norms / max(float(norms.mean()), 1e-300)
        new = np.maximum(weights[0] - step, 1e-3)
        weights[0] = new * len(new) / new.sum()
        return np.asarray(weights[0] @ gradients)

    return combine


COMBINATIONS: dict[str, Callable[[int], Combination]] = {
    "sum": lambda seed: plain_sum(),
    "PCGrad": pcgrad,
    "CAGrad": lambda seed: cagrad(),
    "GradNorm": lambda seed: gradnorm(),
}


def cosine(a: Floats, b: Floats) -> float:
    """Cosine of the angle between two gradients, 0 if one of them is 0; below 0 they conflict."""
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size else 0.0


@dataclass(frozen=True)
class Trunk:
    """One layer of tanh units that all tasks share, and a linear head for each task.

    Attributes:
        inputs, hidden: Numbers of inputs and shared units.
        outputs: By task, the number of outputs: 1 for a square loss, more for a softmax.
    """

    inputs: int
    hidden: int
    outputs: Sequence[int]

    def start(self, rng: np.random.Generator) -> Params:
        """Normal weights of variance 1/inputs, zero biases."""
        params = {"trunk": np.zeros((self.inputs + 1, self.hidden))}
        params["trunk"][1:] = rng.standard_normal((self.inputs, self.hidden)) / np.sqrt(self.inputs)
        for k, size in enumerate(self.outputs):
            params[f"head{k}"] = np.zeros((self.hidden + 1, size))
            params[f"head{k}"][1:] = rng.standard_normal((self.hidden, size)) / np.sqrt(self.hidden)
        return params

    def scores(self, params: Params, x: Floats) -> tuple[Floats, list[Floats]]:
        """The shared units and the outputs of every head."""
        units = np.tanh(x @ params["trunk"][1:] + params["trunk"][0])
        return units, [units @ params[f"head{k}"][1:] + params[f"head{k}"][0] for k in range(len(self.outputs))]

    def losses(self, params: Params, x: Floats, targets: Sequence[Any]) -> tuple[Floats, Floats, Params]:
        """Loss of each task, gradients in the trunk (tasks, n), and gradients of the heads."""
        units, scores = self.scores(params, x)
        losses, trunk, heads = [], [], {}
        for k, (z, y) in enumerate(zip(scores, targets, strict=True)):
            if self.outputs[k] == 1:
                error = z - y[:, None]
                losses.append(float(np.mean(error**2)))
                error = error * (2 / len(x))
            else:
                error = np.exp(z - z.max(axis=1, keepdims=True))
                error /= error.sum(axis=1, keepdims=True)
                losses.append(float(-np.mean(np.log(error[np.arange(len(y)), y]))))
                error[np.arange(len(y)), y] -= 1
                error /= len(x)
            heads[f"head{k}"] = np.vstack([error.sum(axis=0), units.T @ error])
            below = error @ params[f"head{k}"][1:].T * (1 - units * units)
            trunk.append(np.vstack([below.sum(axis=0), x.T @ below]).ravel())
        return np.array(losses), np.array(trunk), heads


def train(
    trunk: Trunk,
    batches: Callable[[int], tuple[Floats, Sequence[Any]]],
    combine: Combination,
    *,
    lr: float,
    steps: int,
    seed: int,
) -> tuple[Params, Floats, list[float]]:
    """Train by Adam; the heads follow their own task.

    Args:
        trunk: The network.
        batches: Step from 0 to inputs and targets.
        combine: Makes the trunk's direction.
        lr: Learning rate.
        steps: Number of steps.
        seed: Of the start.

    Returns:
        Parameters, losses of every step (steps, tasks), and the lowest cosine between two tasks at every step.
    """
    params, optimizer = trunk.start(np.random.default_rng([seed, 0])), adamas.Adam(lr=lr)
    seen, cosines = [], []
    for step in range(steps):
        losses, gradients, heads = trunk.losses(params, *batches(step))
        pairs = [(i, j) for i in range(len(gradients)) for j in range(i)]
        cosines.append(min(cosine(gradients[i], gradients[j]) for i, j in pairs))
        seen.append(losses)
        shared = combine(gradients, losses).reshape(params["trunk"].shape)
        optimizer.step(params, {"trunk": shared, **heads})
    return params, np.array(seen), cosines
