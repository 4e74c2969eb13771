"""Real tables that come with scikit-learn and statsmodels, and the tutorial's straight line."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..networks import DenseRegression
from ..standardise import Floats, Scale
from .base import Problem, split
from .network_problem import NetworkProblem, Part
from .tables import LeastSquares, PenalisedLogistic, Poisson, Rescaled, TableProblem

PENALTY = 1e-2
DIABETES = "B. Efron et al., Annals of Statistics 32 (2004) 407, 442 x 10 (scikit-learn)"


def _line() -> LeastSquares:
    """100 points of y = 2x + 1 and normal noise of deviation 1/2, x from 0 to 10 as the tutorials take it."""
    rng = np.random.default_rng(7)
    x = rng.uniform(0, 10, (100, 1))
    return LeastSquares(x, 2 * x + 1 + 0.5 * rng.standard_normal((100, 1)))


def _cancer() -> PenalisedLogistic:
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    return PenalisedLogistic(Scale.of(x).apply(x), y.astype(np.intp), 2, PENALTY)


def _cancer_raw() -> Rescaled:
    from sklearn.datasets import load_breast_cancer

    x = load_breast_cancer().data
    return Rescaled(_cancer(), Scale.of(x).deviation)


def _wine() -> PenalisedLogistic:
    from sklearn.datasets import load_wine

    x, y = load_wine(return_X_y=True)
    return PenalisedLogistic(Scale.of(x).apply(x), y.astype(np.intp), 3, PENALTY)


def _diabetes_table() -> tuple[Floats, Floats]:
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True, scaled=False)
    return x, y[:, None].astype(np.float64)


def _diabetes() -> LeastSquares:
    x, y = _diabetes_table()
    return LeastSquares(Scale.of(x).apply(x), Scale.of(y).apply(y))


def _linnerud() -> LeastSquares:
    from sklearn.datasets import load_linnerud

    x, y = load_linnerud(return_X_y=True)
    return LeastSquares(Scale.of(x).apply(x), Scale.of(y).apply(y))


def _randhie() -> Poisson:
    from statsmodels.datasets import randhie

    data = randhie.load_pandas()
    x = data.exog.to_numpy(np.float64)
    return Poisson(Scale.of(x).apply(x), data.endog.to_numpy(np.float64))


def _star98() -> LeastSquares:
    from statsmodels.datasets import star98

    data = star98.load_pandas()
    x, pupils = data.exog.to_numpy(np.float64), data.endog.to_numpy(np.float64)
    y = pupils[:, :1] / pupils.sum(axis=1, keepdims=True)
    return LeastSquares(Scale.of(x).apply(x), Scale.of(y).apply(y))


class DiabetesNetwork(NetworkProblem):
    """Progress of diabetes in a year from 10 measures, by one hidden layer of 16; one patient in five is held out."""

    name = "diabetes-mlp"
    title = "diabetes-mlp: progress of the disease from 10 measures, a small network (10-16-1)"
    loss_name = "half squared error"
    noise = "mini-batches of 32"
    tags = ("data", "network", "noisy")
    source = DIABETES
    batch_size = 32
    steps = 400
    evaluate_every = 10
    targets = (0.36, 0.32, 0.28, 0.26, 0.24)
    best_known = 0.2275
    network = DenseRegression((10, 16, 1))

    @cached_property
    def parts(self) -> tuple[Part, Part]:
        """All columns with mean 0 and deviation 1 in the training part: predicting its mean costs 1/2 there."""
        x, y = _diabetes_table()
        rest, held = split(len(y), 5)
        x, y = (Scale.of(table[rest]).apply(table).astype(self.dtype) for table in (x, y))
        return (x[rest], y[rest]), (x[held], y[held])


def tabular() -> list[Problem]:
    """All of them."""
    line = "the regression tutorials: 100 points of y = 2x + 1 with noise"
    cancer = "Wisconsin diagnostic breast cancer, UCI 1995, 569 x 30 (scikit-learn)"
    return [
        TableProblem("linreg-full", "least squares, y = 2x + 1 and noise, all 100 points per step", _line, source=line),
        TableProblem(
            "linreg-mini", "least squares, y = 2x + 1 and noise, 10 of 100 points per step", _line, source=line,
            batch=10,
            targets=(0.3, 0.1, 3e-2, 1e-2, 3e-3),
        ),
        TableProblem(
            "logreg-cancer-std", "logistic regression, standardised features, penalty 0.01", _cancer, source=cancer
        ),
        TableProblem(
            "logreg-cancer-raw", "logistic regression, features in raw units, same function", _cancer_raw,
            source=cancer,
            spread=1e-6, steps=3000, tags=("scaling",),
        ),
        TableProblem(
            "wine-softmax", "softmax regression, 3 cultivars, penalty 0.01", _wine,
            source="Wine, UCI 1992, 178 x 13 (scikit-learn)",
        ),
        TableProblem(
            "diabetes", "least squares, 10 correlated features, mini-batches of 32", _diabetes, batch=32,
            targets=(2e-3, 1e-3, 5e-4, 2e-4, 1e-4), steps=2000,
            source=DIABETES,
        ),
        DiabetesNetwork(),
        TableProblem(
            "linnerud", "least squares, 3 outputs at once, 20 rows", _linnerud, tags=("multi-output",),
            source="A. C. Linnerud: 3 exercises, 3 body measures of 20 men (scikit-learn)",
        ),
        TableProblem(
            "randhie-poisson", "Poisson regression of visits to the doctor, mini-batches of 256", _randhie, batch=256,
            targets=(1e-2, 5e-3, 3e-3, 2e-3, 1e-3), steps=1000, needs=("statsmodels",),
            source="RAND health insurance experiment, 20 190 x 9 (statsmodels)",
        ),
        TableProblem(
            "star98", "least squares, share of pupils above the median, 12 measures and 8 products of them", _star98,
            targets=(3e-3, 1e-3, 3e-4, 1e-4, 5e-5), steps=3000, needs=("statsmodels",), tags=("scaling",),
            source="J. Gill, Generalized Linear Models, 2000: California's schools in 1998, 303 x 20 (statsmodels)",
        ),
    ]  # fmt: skip
