"""Parameters in a structure: an array, or dicts, lists and tuples of arrays and Python floats, nested."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .engine.errors import shown

BRANCHES = (dict, list, tuple)


class Tree:
    """The leaves of a structure of parameters and of the gradients beside it.

    Python floats become 0-d arrays here; `write_back` puts the new values into their containers.

    Args:
        parameters: an array or a structure of arrays and floats.
        gradients: the same structure.

    Raises:
        TypeError: something that is no array, float, dict, list or tuple.
        ValueError: missing or extra keys, different lengths, a float within a tuple, one container twice.
    """

    def __init__(self, parameters: Any, gradients: Any):
        self.names: list[str] = []
        self.parameters: list[Any] = []
        self.gradients: list[Any] = []
        self.floats: list[tuple[Any, Any, int]] = []
        self._open: set[int] = set()
        self._places: set[tuple[int, Any]] = set()
        self._walk(parameters, gradients, "", None, None)
        if not self.names:
            raise ValueError(f"there are no parameters in {shown(parameters, 40)}; pass at least one array or float.")
        seen: dict[str, int] = {}
        for name in self.names:
            seen[name] = seen.get(name, 0) + 1
        double = [n for n, count in seen.items() if count > 1]
        if double:
            raise ValueError(
                f"two parameters have the same path {double[0]!r}; rename one key (a dot joins nested keys)."
            )

    def _walk(self, p: Any, g: Any, path: str, container: Any, key: Any) -> None:
        if isinstance(p, BRANCHES):
            if id(p) in self._open:
                raise ValueError(f"parameters{_at(path)} contain themselves.")
            self._open.add(id(p))
            for child_key, child, grad in self._pairs(p, g, path):
                self._walk(child, grad, f"{path}.{child_key}" if path else str(child_key), p, child_key)
            self._open.discard(id(p))
            return
        if isinstance(p, (float, np.floating)) and container is not None:
            p, g = self._float(p, g, path, container, key)
        if isinstance(p, np.ndarray) and p.ndim == 0 and isinstance(g, np.floating):
            g = np.asarray(g)  # NumPy makes scalars of 0-d results
        self.names.append(path)
        self.parameters.append(p)
        self.gradients.append(g)

    def _pairs(self, p: Any, g: Any, path: str) -> Iterator[tuple[Any, Any, Any]]:
        if isinstance(p, dict):
            if not isinstance(g, dict):
                raise TypeError(
                    f"parameters{_at(path)} are a dict, gradients {type(g).__name__} {shown(g, 40)}; pass a dict."
                )
            missing, extra = [k for k in p if k not in g], [k for k in g if k not in p]
            if missing or extra:
                raise ValueError(
                    f"keys of gradients{_at(path)} differ from those of parameters: missing {missing}, extra {extra}. "
                    "Pass one gradient for each parameter."
                )
            yield from ((k, p[k], g[k]) for k in p)
            return
        if not isinstance(g, (list, tuple)):
            raise TypeError(
                f"parameters{_at(path)} are a {type(p).__name__}, gradients {type(g).__name__} {shown(g, 40)}; "
                "pass a list or tuple."
            )
        if len(p) != len(g):
            raise ValueError(
                f"there are {len(p)} parameters{_at(path)} but {len(g)} gradients; "
                "pass one gradient for each parameter."
            )
        yield from ((k, a, b) for k, (a, b) in enumerate(zip(p, g, strict=True)))

    def _float(self, p: Any, g: Any, path: str, container: Any, key: Any) -> tuple[Any, Any]:
        if isinstance(container, tuple):
            raise ValueError(
                f"parameter {path!r} is the number {p!r} within a tuple, which cannot be changed; use a list, a dict "
                "or an array."
            )
        dtype = p.dtype if isinstance(p, np.floating) else np.dtype(np.float64)
        if isinstance(g, np.ndarray) and g.ndim == 0:
            g = g[()]
        if isinstance(g, bool) or not isinstance(g, (int, float, np.floating, np.integer)):
            raise TypeError(
                f"parameter {path!r} is a number, its gradient {type(g).__name__} {shown(g, 40)}; pass a number."
            )
        if (id(container), key) in self._places:
            raise ValueError(
                f"parameter {path!r}: its container appears twice; each number must be updated once. Copy one."
            )
        self._places.add((id(container), key))
        self.floats.append((container, key, len(self.parameters)))
        return np.array(p, dtype), np.array(g, dtype)

    def write_back(self) -> None:
        """Replace the Python floats in their containers by their new values."""
        for container, key, place in self.floats:
            new = self.parameters[place]
            container[key] = float(new) if isinstance(container[key], float) else new[()]


class Outline:
    """A flat structure seen before, so that the next step need not walk it.

    Args:
        parameters: the structure.
        tree: its walk; its 0-d arrays for Python floats are used again.
    """

    def __init__(self, parameters: Any, tree: Tree):
        self.kind = type(parameters)
        self.keys: list[Any] = list(parameters) if self.kind is dict else list(range(len(tree.parameters)))
        flat = self.kind in BRANCHES and len(tree.parameters) == len(parameters)
        leaves = list(parameters.values() if self.kind is dict else parameters) if flat else [parameters]
        single = isinstance(parameters, np.ndarray)
        self.arrays = (flat or single) and all(isinstance(leaf, np.ndarray) for leaf in leaves)
        self.floats = flat and all(type(leaf) is float for leaf in leaves)
        self.tree = tree if self.floats else None

    def leaves(self, parameters: Any, gradients: Any) -> tuple[Any, Any] | None:
        """Parameters and gradients as sequences, or None if the structure must be walked."""
        if type(parameters) is not self.kind or not (self.arrays or self.floats):
            return None
        if self.kind is dict:
            if type(gradients) is not dict or len(gradients) != len(parameters) or list(parameters) != self.keys:
                return None
            try:
                pair: tuple[Any, Any] = list(parameters.values()), [gradients[k] for k in self.keys]
            except KeyError:
                return None
        elif self.kind in BRANCHES:
            if not isinstance(gradients, (list, tuple)):
                return None
            pair = parameters, gradients
        else:
            pair = (parameters,), (gradients,)
        return self._from_floats(*pair) if self.floats else pair

    def _from_floats(self, parameters: Any, gradients: Any) -> tuple[Any, Any] | None:
        tree = self.tree
        assert tree is not None
        if len(parameters) != len(self.keys) or len(gradients) != len(self.keys):
            return None
        if any(type(x) is not float for x in parameters) or any(type(x) is not float for x in gradients):
            return None
        for new, held in zip(parameters, tree.parameters, strict=True):
            held[()] = new
        for new, held in zip(gradients, tree.gradients, strict=True):
            held[()] = new
        return tree.parameters, tree.gradients

    def write_back(self, parameters: Any) -> None:
        """Put new values of Python floats into their container."""
        if self.tree is not None:
            for key, held in zip(self.keys, self.tree.parameters, strict=True):
                parameters[key] = held.item()


def _at(path: str) -> str:
    return f" at {path!r}" if path else ""
