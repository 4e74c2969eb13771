"""NumPy front end: one class per member of the roll, stepping arrays in place."""

from __future__ import annotations

import fnmatch
import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

from ._arguments import Arguments, signature
from ._state import dump, load
from ._tree import Outline, Tree
from .engine.arrays import ArrayEngine
from .engine.backends import BACKENDS
from .engine.engine import Form
from .engine.hyper import Settings, checked
from .rules import ROLL, Rule


class Optimizer:
    """Base of all members; make one with `adamas.optimizer(rule)`, or take a class such as `adamas.Adam`.

    Attributes:
        rule: the member's declaration.
        t: number of steps done.
        counters: steps that met a non-finite gradient (`nonfinite`), steps in which state was not finite although the
            gradients were (`overflow`: in float32 a gradient above 1.8e19 has an infinite square, and its parameter is
            frozen), steps left out (`skipped`), strided tensors copied at every step (`staged`).
        last_norm: global norm of the gradients of the last step, where a norm was asked for; else None.

    Every hyper-parameter is an attribute too (`opt.lr = 0.1`) and may be changed between steps.
    """

    rule: ClassVar[Rule]

    def __init__(self, *args: Any, **kwargs: Any):
        if not hasattr(type(self), "rule"):
            raise TypeError(
                "Optimizer is the base of all members: make one with adamas.optimizer(rule), or take a class such as "
                "adamas.Adam."
            )
        self._setup(Arguments(self.rule, type(self).__name__, args, kwargs))

    def _setup(self, arguments: Arguments) -> None:
        set_ = super().__setattr__
        set_("_arguments", arguments)
        set_("_groups", {(): 0})
        self._forget()
        form = Form(self.rule.resolve(arguments.options), arguments.shape, arguments.values["maximize"])
        settings = Settings(self.rule, arguments.hyper)
        engine = ArrayEngine(form, arguments.around, settings, BACKENDS[arguments.backend])
        set_("_engine", engine)

    def step(self, params: Any, grads: Any) -> None:
        """Update parameters in place.

        Args:
            params: a `numpy.ndarray`, or dicts, lists and tuples of arrays and Python floats, nested. float32 and
                float64; float16 and bfloat16 (ml_dtypes) compute in float32. Any shape and strides. Python floats
                (in a dict or list) are replaced in their container.
            grads: gradients of the loss, the same structure, dtypes and shapes. Never written.

        Raises:
            TypeError, ValueError: wrong types, dtypes, shapes or keys; read-only or overlapping parameters. Nothing
                has changed then.
            FloatingPointError: a gradient is not finite and `nonfinite="raise"`.
        """
        engine: ArrayEngine = self._engine
        with engine.lock:
            form, plan = self._form, self._plan
            leaves = form.leaves(params, grads) if plan is not None else None
            if leaves is not None and plan.holds(*leaves):
                engine.advance(plan)
                form.write_back(params)
                return
            self._forget()
            tree = Tree(params, grads)
            self._check_overrides(tree.names)
            plan = engine.step(tree.parameters, tree.gradients, tree.names, self._group_of)
            tree.write_back()
            super().__setattr__("_form", Outline(params, tree))
            super().__setattr__("_plan", plan)

    def _forget(self) -> None:
        """Drop what is kept between steps for speed: the outline of the arguments and the plan over their arrays."""
        super().__setattr__("_form", None)
        super().__setattr__("_plan", None)

    # -- settings -----------------------------------------------------------------------------------------
    @property
    def hyper(self) -> dict[str, Any]:
        """Present hyper-parameters: numbers or schedules, by the names of the formula."""
        return dict(self._engine.settings[0].values)

    @property
    def t(self) -> int:
        """Steps done."""
        return int(self._engine.t)

    @property
    def counters(self) -> dict[str, int]:
        return dict(self._engine.counters)

    @property
    def last_norm(self) -> float | None:
        engine: ArrayEngine = self._engine
        return engine.last_norm

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        settings = self._engine.settings[0]
        if name in settings.values:
            return settings.values[name]
        if name == "betas":
            return tuple(v for n, v in settings.values.items() if n.startswith("beta"))
        arguments: Arguments = self._arguments
        if name in arguments.values:
            return arguments.values[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        engine: ArrayEngine = self._engine
        with engine.lock:
            updates, settings = self._arguments.expand({name: value}), engine.settings[0]
            if not set(updates) <= set(settings.values):
                allowed = [*settings.values, *(["betas"] if "beta2" in settings.values else [])]
                reason = "is fixed at construction" if name in self._arguments.values else "is no hyper-parameter"
                raise AttributeError(f"{type(self).__name__}.{name} {reason}; may be assigned: {', '.join(allowed)}.")
            ready = {n: checked(settings.declared[n], v) for n, v in updates.items()}
            self._arguments.check_derived({**settings.values, **ready})
            self._assign(ready)

    def _assign(self, values: Mapping[str, Any]) -> None:
        """Set checked hyper-parameters in every group that does not override them."""
        for patterns, index in self._groups.items():
            own = {n for pattern in patterns for n in self._arguments.overrides[pattern]}
            for n in values.keys() - own:
                self._engine.settings[index].set(n, values[n])

    def _group_of(self, name: str) -> int:
        overrides = self._arguments.overrides
        return self._group_for(tuple(p for p in overrides if fnmatch.fnmatchcase(name, p)))

    def _group_for(self, patterns: tuple[str, ...]) -> int:
        overrides = self._arguments.overrides
        if patterns not in self._groups:
            values = {**self._engine.settings[0].values}
            for pattern in patterns:
                values |= overrides[pattern]
            self._groups[patterns] = self._engine.add_group(Settings(self.rule, values))
        return int(self._groups[patterns])

    def _check_overrides(self, names: list[str]) -> None:
        for pattern in self._arguments.overrides:
            if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
                raise ValueError(
                    f"overrides: the pattern {pattern!r} matches no parameter; there are: {', '.join(names)}."
                )

    # -- state --------------------------------------------------------------------------------------------
    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, as plain numbers and copies of arrays; schedules are left out."""
        with self._engine.lock:
            return dump(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict()`, bit for bit.

        Args:
            state: of the same rule, options and overrides. Arrays are copied. Numbers replace present
                hyper-parameters; where a schedule was saved, this optimizer's own schedule goes on.

        Raises:
            TypeError, ValueError: it does not fit. Nothing has changed then.
        """
        with self._engine.lock:
            load(self, state)
            self._forget()

    def reset(self) -> None:
        """Forget state and step count; settings stay."""
        with self._engine.lock:
            self._engine.reset()
            self._forget()

    def __getstate__(self) -> dict[str, Any]:
        return {"arguments": dict(self._arguments.given), "hyper": self.hyper, "state": self.state_dict()}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self._setup(Arguments(self.rule, type(self).__name__, (), state["arguments"]))
        self._assign(state["hyper"])
        self.load_state_dict(state["state"])

    def __repr__(self) -> str:
        given = {**self.hyper, **self._arguments.changed()}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in given.items())})"


def optimizer(rule: Rule) -> type[Optimizer]:
    """The NumPy optimizer class of a rule.

    Args:
        rule: a member of the roll, or what `@adamas.rule` made of your function.

    Raises:
        TypeError: not a Rule.
    """
    if not isinstance(rule, Rule):
        raise TypeError(f"optimizer({rule!r}): a Rule is needed; decorate the function with @adamas.rule.")
    doc = f"{rule.doc}\n\nSource: {rule.source or 'user'}.\n\n{Arguments.describe(rule)}"
    members = {"rule": rule, "__doc__": doc, "__module__": "adamas", "__signature__": signature(rule)}
    return type(rule.name, (Optimizer,), members)


CLASSES: dict[str, type[Optimizer]] = {name: optimizer(rule) for name, rule in ROLL.items()}


def members() -> tuple[str, ...]:
    """Names of all classes, in the order of the roll."""
    return tuple(CLASSES)


def get(name: str | type[Optimizer]) -> type[Optimizer]:
    """A class by name (any case), or from a user's file.

    Args:
        name: "adam", "AdamW", ..., or "path/to/file.py:rule_name" for a function marked with `@adamas.rule`.

    Raises:
        ValueError: unknown name; no such file or rule.
    """
    if inspect.isclass(name) and issubclass(name, Optimizer):
        return name
    text = str(name)
    by_lower = {n.lower(): c for n, c in CLASSES.items()}
    if text.lower() in by_lower:
        return by_lower[text.lower()]
    path, colon, attribute = text.rpartition(":")
    if colon and path.endswith(".py"):
        return _from_file(path, attribute)
    raise ValueError(f"unknown optimizer {name!r}; known: {', '.join(CLASSES)}, or path/to/file.py:rule_name.")


def _from_file(path: str, attribute: str) -> type[Optimizer]:
    import runpy
    from pathlib import Path

    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file; give path/to/file.py:rule_name.")
    found = runpy.run_path(path, run_name="adamas_user_rule").get(attribute)
    if inspect.isclass(found) and issubclass(found, Optimizer):
        return found
    if not isinstance(found, Rule):
        raise ValueError(f"{path}: {attribute!r} is no rule; mark the function with @adamas.rule.")
    return optimizer(found)


__all__ = ["CLASSES", "Optimizer", "get", "members", "optimizer", *CLASSES]
globals().update(CLASSES)
