"""Which optimizer must reach which target of which problem, and which must not; the self-test runs all of them.

A fail is a claim for every rate that it lists: `EVERY` says that no rate helps, a short list that these rates do not.
"""

from __future__ import annotations

from .base import Expected

EVERY = (1e-4, 1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0)
LARGE = (0.1, 0.3, 1.0)
SMALL = (1e-4, 1e-3)

Expectations = tuple[tuple[Expected, ...], tuple[Expected, ...]]
CYCLE = {"betas": (0.0, 0.1)}
"""The theorem's memory for slopes of 3, -1, -1: 1/(1 + 3²)."""
SHORT = {"betas": (0.0, 0.5)}


def _one(optimizer: str, rate: float, target: float, **options: object) -> Expected:
    return Expected(optimizer, (rate,), target, options)


EXPECTATIONS: dict[str, Expectations] = {
    "digits-softmax": ((_one("adam", 0.03, 0.15), _one("momentum", 0.3, 0.2)), (Expected("sgd", SMALL, 1.0),)),
    "digits-mlp": ((_one("adam", 0.01, 0.2), _one("momentum", 0.1, 0.2)), (Expected("sgd", (*SMALL, 3.0), 1.0),)),
    "digits-cnn": ((_one("adam", 0.01, 0.2),), (Expected("sgd", SMALL, 1.0),)),
    # surfaces
    "rosenbrock": ((_one("adam", 0.1, 1e-6),), (Expected("sgd", EVERY, 1e-2),)),
    "t0-bowl": ((_one("sgd", 0.3, 1e-6), _one("adam", 0.1, 1e-6)), (Expected("sgd", (1.0, 3.0), 1e-2),)),
    "quadratic": ((_one("adam", 0.1, 1e-6), _one("momentum", 0.01, 1e-6)), (Expected("sgd", LARGE, 0.1),)),
    "beale": ((_one("adam", 0.1, 1e-6), _one("sgd", 0.01, 1e-5)), (Expected("sgd", LARGE, 1e-2),)),
    "himmelblau": ((_one("adam", 0.1, 1e-4), _one("sgd", 0.01, 1e-4)), (Expected("sgd", LARGE, 1.0),)),
    "saddle": ((_one("adam", 0.01, 1e-6), _one("sgd", 0.1, 1e-6)), (Expected("sgd", (*SMALL, 1.0), 1e-2),)),
    "monkey-saddle": ((_one("adam", 0.1, 1e-6),), (Expected("sgd", (*SMALL, 1e-2, 1.0), 1e-2),)),
    "plateau": ((_one("adam", 0.1, 1e-6),), (Expected("sgd", EVERY, 5e-3),)),
    "cliff": ((_one("adam", 0.3, 1e-6), _one("momentum", 1e-3, 1e-6)), (Expected("sgd", EVERY, 1e-2),)),
    "rastrigin": ((), (Expected("adam", (*SMALL, 1e-2, 0.1), 0.1),)),
    "ackley": ((), (Expected("adam", (*SMALL, 1e-2, 0.1), 0.05),)),
    # bowls
    "illcond-1e2": ((_one("adam", 0.03, 1e-6), _one("sgd", 0.01, 1e-6)), (Expected("sgd", LARGE, 1e-2),)),
    "illcond-1e4": ((_one("adam", 0.03, 1e-6),), (Expected("sgd", EVERY, 1e-2),)),
    "illcond-1e6": ((_one("adam", 0.03, 1e-6),), (Expected("sgd", EVERY, 1e-2), Expected("momentum", EVERY, 1e-2))),
    "illcond-rotated-1e2": ((_one("adam", 0.01, 1e-6),), (Expected("sgd", LARGE, 1e-2),)),
    "illcond-rotated-1e4": ((_one("adam", 0.03, 1e-2),), (Expected("sgd", EVERY, 1e-2), Expected("adam", EVERY, 1e-4))),
    "layer-scale-1": ((_one("adam", 0.3, 1e-6),), (Expected("sgd", EVERY, 1e-2),)),
    "layer-scale-3": ((_one("adam", 3.0, 1e-2),), (Expected("sgd", EVERY, 1e-2), Expected("momentum", EVERY, 1e-2))),
    "absolute": ((_one("adam", 5e-3, 1e-2),), (Expected("adam", LARGE, 1e-2), Expected("sgd", (0.01, *LARGE), 1e-2))),
    "largest": ((_one("adam", 0.01, 1e-2),), (Expected("adam", LARGE, 1e-2), Expected("sgd", (0.01, *LARGE), 1e-2))),
    # valleys
    "rosenbrock-100": ((_one("adam", 0.1, 1e-3), _one("momentum", 1e-3, 1e-3)), (Expected("sgd", EVERY, 10.0),)),
    "rastrigin-20": ((), (Expected("adam", (*SMALL, 1e-2, 0.1), 1.0),)),
    "ackley-20": ((), (Expected("adam", (*SMALL, 1e-2, 0.1), 5e-2),)),
    # noise
    "white-noise-1": ((_one("adam", 0.01, 3e-2), _one("momentum", 1e-3, 3e-2)), (Expected("sgd", (0.3, 1.0), 0.1),)),
    "heavy-noise-2": ((_one("adam", 0.01, 0.1),), (Expected("sgd", LARGE, 0.1),)),
    "beale-noisy": ((_one("adam", 0.03, 1e-2),), (Expected("sgd", LARGE, 0.1),)),
    "sparse-rows": ((_one("adam", 0.03, 1e-4), _one("sgd", 3.0, 1e-4)), (Expected("sgd", (*SMALL, 1e-2, 0.1), 1e-2),)),
    # change
    "oscillating-4": ((_one("adam", 0.01, 1e-3), _one("sgd", 0.01, 3e-3)), (Expected("sgd", (0.3, 1.0), 0.1),)),
    "oscillating-100": ((_one("adam", 0.01, 1e-2),), (Expected("sgd", LARGE, 0.1), Expected("adam", LARGE, 0.1))),
    "moving-target-4000": ((_one("adam", 0.1, 3e-3), _one("sgd", 0.3, 3e-3)), (Expected("sgd", SMALL, 0.3),)),
    "moving-target-400": ((_one("adam", 0.1, 3e-3), _one("sgd", 0.3, 3e-2)), (Expected("sgd", (*SMALL, 1e-2), 0.3),)),
    "delay-4": ((_one("sgd", 0.01, 1e-6), _one("adam", 0.01, 1e-6)), (Expected("momentum", (0.01, *LARGE), 1e-2),)),
    "delay-16": ((_one("adam", 1e-3, 1e-2),), (Expected("momentum", (1e-3, 0.01, *LARGE), 1e-2),)),
    # by design
    "reddi-cycle": (
        (_one("amsgrad", 0.01, 5e-3, **CYCLE), _one("adam", 0.01, 5e-3)),
        (Expected("adam", (1e-3, 1e-2, 0.1), 5e-3, CYCLE),),
    ),
    "reddi-random": ((_one("amsgrad", 0.03, 5e-3, **SHORT),), (Expected("adam", (1e-3, 1e-2, 0.1), 5e-3, SHORT),)),
    "label-imbalance": ((_one("adam", 0.03, 1e-3),), (Expected("sgd", (*SMALL, 1e-2, 0.1, 0.3), 2e-2),)),
    "wilson": (
        (_one("sgd", 0.3, 3e-4), _one("momentum", 0.01, 3e-4)),
        (Expected("adam", EVERY, 0.1), Expected("adagrad", LARGE, 0.1), Expected("rmsprop", (1e-3, 1e-2, 0.1), 0.1)),
    ),
    # tables
    "linreg-full": ((_one("adam", 0.1, 3e-5), _one("sgd", 0.01, 1e-3)), (Expected("sgd", LARGE, 3e-3),)),
    "linreg-mini": ((_one("adam", 0.1, 3e-2), _one("sgd", 0.01, 3e-2)), (Expected("sgd", LARGE, 0.3),)),
    "logreg-cancer-std": ((_one("adam", 0.03, 3e-5), _one("sgd", 1.0, 3e-5)), (Expected("sgd", SMALL, 3e-3),)),
    "logreg-cancer-raw": ((_one("adam", 0.1, 3e-4),), (Expected("sgd", (1e-6, 1e-5, 1e-4, 1e-3), 3e-3),)),
    "wine-softmax": ((_one("adam", 0.03, 3e-5), _one("sgd", 1.0, 3e-5)), (Expected("sgd", SMALL, 3e-3),)),
    "diabetes": ((_one("adam", 0.01, 2e-3), _one("momentum", 0.01, 2e-3)), (Expected("sgd", (1e-4, 0.3, 1.0), 2e-3),)),
    "diabetes-mlp": (
        (_one("adam", 0.01, 0.28), _one("momentum", 0.01, 0.28)),
        (Expected("sgd", (*SMALL, 1.0), 0.36), Expected("adam", (1.0, 3.0), 0.28)),
    ),
    "star98": ((_one("adam", 0.1, 1e-4), _one("momentum", 0.1, 1e-4)), (Expected("sgd", EVERY, 1e-4),)),
    "linnerud": ((_one("adam", 0.03, 3e-5), _one("sgd", 0.1, 3e-5)), (Expected("sgd", (1e-4, 1.0), 3e-3),)),
    # text
    "text-bigram": ((_one("adam", 0.01, 1.5e-2), _one("rmsprop", 0.01, 1e-2)), (Expected("sgd", LARGE, 1.5e-2),)),
    "text-charlm": ((_one("adam", 0.01, 2.2),), (Expected("sgd", (*SMALL, 1e-2), 2.9),)),
    "image-fit": ((_one("adam", 0.03, 5e-5),), (Expected("sgd", SMALL, 1.5e-4),)),
    "randhie-poisson": (
        (_one("adam", 0.01, 5e-3), _one("momentum", 1e-3, 3e-3)),
        (Expected("sgd", (1e-4, 1.0), 1e-2),),
    ),
    "text-transformer": ((_one("adam", 0.01, 2.6),), (Expected("sgd", (1e-3,), 3.0),)),
    "text-embedding": (
        (_one("adam", 0.01, 1e-2),),
        (Expected("sgd", (1e-3, 0.1), 2e-2), Expected("adam", (0.3, 1.0), 2e-2)),
    ),
}
