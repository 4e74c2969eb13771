"""Dense networks for classes and for numbers with their gradients written by hand in NumPy.

Layer sizes (64, 10) make softmax regression; (64, 32, 10) one hidden layer of rectified units.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[np.floating[Any]]
Params = dict[str, Array]


class DenseLayers(ABC):
    """Dense layers with max(0, z) between them; a subclass says what stands at the end.

    Args:
        sizes: Units of every layer, input first, outputs last; at least two numbers.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"sizes = {tuple(sizes)}: give at least two positive numbers, e.g. (64, 10)")
        self.sizes = tuple(sizes)
        layers = range(1, len(self.sizes))
        self._weights = [f"layer{i}.weight" for i in layers]
        self._biases = [f"layer{i}.bias" for i in layers]

    def start(self, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Params:
        """Random weights (normal, variance 2/inputs before a rectifier, else 1/inputs), zero biases."""
        params: Params = {}
        last = len(self._weights) - 1
        for i, (weight, bias) in enumerate(zip(self._weights, self._biases, strict=True)):
            inputs, units = self.sizes[i], self.sizes[i + 1]
            scale = np.sqrt((1.0 if i == last else 2.0) / inputs)
            params[weight] = (rng.standard_normal((inputs, units)) * scale).astype(dtype)
            params[bias] = np.zeros(units, dtype)
        return params

    def _forward(self, params: Params, x: Array) -> list[Array]:
        """Outputs of every layer, the input first and the scores last."""
        outputs = [x]
        last = len(self._weights) - 1
        for i, (weight, bias) in enumerate(zip(self._weights, self._biases, strict=True)):
            z = outputs[-1] @ params[weight]
            z += params[bias]
            if i < last:
                np.maximum(z, 0, out=z)
            outputs.append(z)
        return outputs

    @abstractmethod
    def loss(self, params: Params, x: Array, y: NDArray[Any]) -> float:
        """Mean loss of the examples."""

    @abstractmethod
    def gradient(self, params: Params, x: Array, y: NDArray[Any]) -> Params:
        """Gradient of `loss` over the given examples, divided by their number."""

    def _backward(self, params: Params, outputs: list[Array], error: Array) -> Params:
        """Gradient from the slope of the loss in the scores and the outputs of all layers below, which are used up."""
        grads: Params = {}
        for weight, bias in zip(reversed(self._weights), reversed(self._biases), strict=True):
            below = outputs.pop()
            grads[weight] = below.T @ error
            grads[bias] = error.sum(axis=0)
            if outputs:
                error = error @ params[weight].T
                error *= below > 0
        return {name: grads[name] for name in params}


class DenseNetwork(DenseLayers):
    """Classes: the cross-entropy of a softmax at the end; y holds class numbers, shape (examples,)."""

    def loss(self, params: Params, x: Array, y: NDArray[Any]) -> float:
        """Mean cross-entropy in nats."""
        scores = self._forward(params, x)[-1]
        scores -= scores.max(axis=1, keepdims=True)
        chosen = scores[np.arange(len(y)), y]
        return float(np.mean(np.log(np.exp(scores).sum(axis=1)) - chosen, dtype=np.float64))

    def accuracy(self, params: Params, x: Array, y: NDArray[Any]) -> float:
        """Share of examples whose largest score is at their label, 0 to 1."""
        return float(np.mean(self._forward(params, x)[-1].argmax(axis=1) == y))

    def gradient(self, params: Params, x: Array, y: NDArray[Any]) -> Params:
        """Gradient of `loss` over the given examples, divided by their number."""
        outputs = self._forward(params, x)
        error = outputs.pop()
        error -= error.max(axis=1, keepdims=True)
        np.exp(error, out=error)
        error /= error.sum(axis=1, keepdims=True)
        error[np.arange(len(y)), y] -= 1
        error /= len(y)
        return self._backward(params, outputs, error)


class DenseRegression(DenseLayers):
    """Numbers: half the mean squared error at the end; y has the shape (examples, outputs)."""

    def loss(self, params: Params, x: Array, y: NDArray[Any]) -> float:
        """Half the squared error, summed over outputs, mean over examples."""
        return float(np.sum((self._forward(params, x)[-1] - y) ** 2, dtype=np.float64) / (2 * len(y)))

    def gradient(self, params: Params, x: Array, y: NDArray[Any]) -> Params:
        """Gradient of `loss` over the given examples, divided by their number."""
        outputs = self._forward(params, x)
        error = outputs.pop()
        error -= y
        error /= len(y)
        return self._backward(params, outputs, error)
