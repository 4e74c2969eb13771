"""The handwritten digits that ship with scikit-learn, in one fixed split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Precision = Literal["float32", "float64"]
VALID_SIZE = 360
TEST_SIZE = 360
SPLIT_SEED = 0


@dataclass(frozen=True)
class Examples:
    """Inputs and labels of one part of the data.

    Attributes:
        x: Pixels, shape (examples, 64), brightness in [0, 1].
        y: Labels, shape (examples,), integers 0 to 9.
    """

    x: NDArray[np.floating[Any]]
    y: NDArray[np.intp]


@dataclass(frozen=True)
class Digits:
    """The three parts: training, validation (selects learning rates), test (only reported)."""

    train: Examples
    valid: Examples
    test: Examples


@cache
def load(dtype: Precision = "float32") -> Digits:
    """Load the 1 797 images of 8 x 8 pixels: 1 077 to train, 360 to validate, 360 to test.

    The split is stratified by label and the same on every call, whatever the seed of a run.

    Args:
        dtype: "float32" or "float64".

    Returns:
        The three parts.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI 1998 (test part).
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    x = (pixels / 16.0).astype(dtype)
    y = labels.astype(np.intp)
    rest_x, test_x, rest_y, test_y = train_test_split(x, y, test_size=TEST_SIZE, stratify=y, random_state=SPLIT_SEED)
    train_x, valid_x, train_y, valid_y = train_test_split(
        rest_x, rest_y, test_size=VALID_SIZE, stratify=rest_y, random_state=SPLIT_SEED
    )
    return Digits(
        train=Examples(np.ascontiguousarray(train_x), train_y),
        valid=Examples(np.ascontiguousarray(valid_x), valid_y),
        test=Examples(np.ascontiguousarray(test_x), test_y),
    )
