"""Optimizers of other libraries, stepping dicts of NumPy arrays in place."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


class RivalStepper(ABC):
    """One optimizer of another library.

    Args:
        factory: Makes it.
        arguments: Its keyword arguments, in the library's names.
        hyper: All its hyper-parameters, in ours.
    """

    def __init__(self, factory: Callable[..., Any], arguments: Mapping[str, Any], hyper: dict[str, float]) -> None:
        self.factory, self.arguments, self.hyper = factory, arguments, hyper

    def step(self, params: Any, grads: Any) -> None:
        """Update parameters in place.

        Args:
            params: An array or a flat dict of arrays, float32 or float64, the same at every step.
            grads: The same structure.

        Raises:
            TypeError: Another structure.
        """
        if isinstance(params, np.ndarray):
            params, grads = {"p": params}, {"p": grads}
        if not isinstance(params, dict) or not all(isinstance(p, np.ndarray) for p in params.values()):
            raise TypeError(f"params {type(params).__name__}: give an array or a flat dict of arrays")
        self._step(params, {name: np.ascontiguousarray(grads[name]) for name in params})

    @abstractmethod
    def _step(self, params: Arrays, grads: Arrays) -> None: ...

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """The optimizer's state as NumPy arrays; counters are numbers."""


class TorchStepper(RivalStepper):
    """torch and what is built on it: tensors share the memory of the arrays."""

    _optimizer: Any = None

    def _step(self, params: Arrays, grads: Arrays) -> None:
        import torch

        if self._optimizer is None:
            self._leaves = {name: torch.nn.Parameter(torch.from_numpy(p)) for name, p in params.items()}
            self._optimizer = self.factory(list(self._leaves.values()), **self.arguments)
        for name, leaf in self._leaves.items():
            leaf.data = torch.from_numpy(params[name])
            leaf.grad = torch.from_numpy(grads[name])
        self._optimizer.step()
        for name, leaf in self._leaves.items():
            if leaf.data_ptr() != params[name].ctypes.data:  # it made a new tensor instead of writing
                params[name][...] = leaf.detach().numpy()

    def state_dict(self) -> dict[str, Any]:
        import torch

        if self._optimizer is None:
            return {}
        return {
            name: {
                key: value.item() if value.ndim == 0 else value.numpy()
                for key, value in self._optimizer.state[leaf].items()
                if isinstance(value, torch.Tensor)
            }
            for name, leaf in self._leaves.items()
        }


def _wide() -> AbstractContextManager[Any]:
    """JAX keeps float64 inside."""
    import jax
    import jax.experimental

    # newer versions keep it at the top
    name, place = "enable_x64", jax if hasattr(jax, "enable_x64") else jax.experimental
    context: AbstractContextManager[Any] = getattr(place, name)(True)
    return context


class OptaxStepper(RivalStepper):
    """optax: the transformation under `jit`, arrays copied in and out."""

    _state: Any = None

    def _step(self, params: Arrays, grads: Arrays) -> None:
        import jax

        with _wide():
            # copies: jax may share the memory of an array that is written below
            ours = {name: jax.numpy.array(p, copy=True) for name, p in params.items()}
            if self._state is None:
                self._transform = self.factory(**self.arguments)
                self._state = self._transform.init(ours)
                self._run = jax.jit(self._advance)
            ours, self._state = self._run(ours, self._state, grads)
            for name, p in params.items():
                p[...] = np.asarray(ours[name])

    def _advance(self, params: Any, state: Any, grads: Any) -> Any:
        import optax

        updates, state = self._transform.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    def state_dict(self) -> dict[str, Any]:
        import jax

        leaves = [np.asarray(leaf) for leaf in jax.tree_util.tree_leaves(self._state)]
        return {f"{i}": leaf.item() if leaf.ndim == 0 else leaf for i, leaf in enumerate(leaves)}


def import_keras() -> Any:
    """Keras on the framework that the user chose; without a choice, on one that is installed."""
    if "keras" not in sys.modules and "KERAS_BACKEND" not in os.environ and find_spec("tensorflow") is None:
        found = next((name for name in ("torch", "jax") if find_spec(name) is not None), None)
        if found is not None:
            os.environ["KERAS_BACKEND"] = found
    import keras

    return keras


def _numpy(variable: Any) -> NDArray[Any]:
    """The present value of a Keras variable."""
    value = variable.value
    # keras.ops.convert_to_numpy takes a way through torch tensors that NumPy 2 warns of
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


class KerasStepper(RivalStepper):
    """Keras: variables beside the arrays, copied in and out."""

    _optimizer: Any = None

    def _step(self, params: Arrays, grads: Arrays) -> None:
        keras = import_keras()
        if keras.backend.backend() == "jax":
            with _wide():
                self._apply(keras, params, grads)
        else:
            self._apply(keras, params, grads)

    def _apply(self, keras: Any, params: Arrays, grads: Arrays) -> None:
        if self._optimizer is None:
            self._variables = [keras.Variable(p, dtype=p.dtype.name) for p in params.values()]
            self._optimizer = self.factory(**self.arguments)
        for variable, p in zip(self._variables, params.values(), strict=True):
            variable.assign(p)
        slopes = [keras.ops.convert_to_tensor(g) for g in grads.values()]
        self._optimizer.apply(slopes, self._variables)
        for variable, p in zip(self._variables, params.values(), strict=True):
            p[...] = _numpy(variable)

    def state_dict(self) -> dict[str, Any]:
        if self._optimizer is None:
            return {}
        arrays = {variable.path: _numpy(variable) for variable in self._optimizer.variables}
        return {path: array.item() if array.ndim == 0 else array for path, array in arrays.items()}
