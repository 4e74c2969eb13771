"""Write the golden values: every member in 60 digits, independent of the package.

Run as ``python tests/golden/generate.py`` (needs mpmath); it rewrites ``values.json`` beside it, always
to the same bytes. It refuses inputs on which a comparison with float64 would not be fair: a case is
written only if the running error bound of ``golden_numbers`` keeps a float64 evaluation of the formulas
as they stand here within half of ``BAR`` for the parameters (the other half is for an engine that orders
its operations otherwise). State slots whose bound is above ``BAR`` are written with the bound that they
have.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import golden_members
import mpmath  # type: ignore[import-untyped]
from golden_cases import (
    DECOUPLED_BY_DEFAULT,
    DEFAULTS,
    GRADIENTS,
    P0,
    STEPS,
    STEPS_OF,
    Case,
    all_cases,
    member_of,
)
from golden_members import Hyper
from golden_numbers import Num, U, maximum, minimum, sqrt

VALUES = Path(__file__).with_name("values.json")
BAR = mpmath.mpf("1e-14")
# Names of the betas inside the formulas.
BETAS = ("b1", "b2", "b3")
# Choices of form; everything else that is a number becomes an exact Num.
CHOICES = ("averaged", "centered", "compat", "maximum", "form", "bias_correction", "warmup")


def _at(value: Any, step: int) -> Any:
    return value["per_step"][step] if isinstance(value, dict) else value


def _hyper(arguments: dict[str, Any], step: int) -> Hyper:
    """The hyper-parameters of a step (0 first) as exact numbers."""
    h = Hyper({}, {name: arguments[name] for name in CHOICES if name in arguments})
    for name, value in arguments.items():
        if name == "betas":
            h.update({key: Num(_at(b, step)) for key, b in zip(BETAS, value, strict=False)})
        elif name not in CHOICES:
            h[name] = Num(_at(value, step))
    return h


def _pieces(split: tuple[int, ...]) -> list[range]:
    ends = [sum(split[: k + 1]) for k in range(len(split))]
    return [range(end - size, end) for end, size in zip(ends, split, strict=True)]


def _shrink(g: list[Num], members: list[int], limit: float) -> None:
    square = Num(0)
    for i in members:
        square = square + g[i] * g[i]
    factor = minimum(Num(1), Num(limit) / sqrt(square)) if square.value else Num(1)
    for i in members:
        g[i] = g[i] * factor


def _entering(g: list[Num], around: dict[str, Any], pieces: list[range]) -> list[Num]:
    """The gradient as scaled, turned and clipped, before any decay."""
    if "grad_scale" in around:
        g = [x * around["grad_scale"] for x in g]
    if around.get("maximize"):
        g = [-x for x in g]
    if "clip_value" in around:
        c = Num(around["clip_value"])
        g = [minimum(c, maximum(-c, x)) for x in g]
    if "clip_tensor_norm" in around:
        for piece in pieces:
            _shrink(g, list(piece), around["clip_tensor_norm"])
    if "clip_norm" in around:
        _shrink(g, list(range(len(g))), around["clip_norm"])
    return g


def _masked(before: list[Num], after: list[Num], g: list[Num], pieces: list[range]) -> list[Num]:
    """Liang et al. 2024: only elements whose step agrees with the gradient move, and these move further."""
    result = list(before)
    for piece in pieces:
        kept = []
        for i in piece:
            # The error of p is in both and cancels: what remains is the error of the step, and one rounding.
            u = before[i].value - after[i].value
            step = Num(u, abs(after[i].error - before[i].error) + U * abs(u))
            agrees = u * g[i].value > 0
            if g[i].value and abs(u) <= 1000 * step.error:
                raise ValueError(f"unfair input: the step {u} vanishes beside {before[i].value}")
            if agrees:
                kept.append((i, step))
        scale = Num(len(piece)) / max(1, len(kept))
        for i, step in kept:
            result[i] = before[i] - scale * step
    return result


def run(case: Case) -> tuple[list[list[Num]], dict[str, list[Num]]]:
    """The parameters after every step and the state after the last."""
    member = member_of(case.optimizer)
    arguments = {**DEFAULTS[member], **case.arguments}
    usual = "decoupled" if member != case.optimizer or member in DECOUPLED_BY_DEFAULT else "coupled"
    decay = arguments.pop("decay", usual)
    names = ("maximize", "grad_scale", "clip_value", "clip_tensor_norm", "clip_norm", "cautious")
    around = {name: arguments.pop(name) for name in names if name in arguments}
    rule = getattr(golden_members, member.lower())
    pieces = _pieces(case.split)
    p = [Num(x) for x in P0]
    states: list[dict[str, Num]] = [{} for _ in p]
    history = []
    for step in range(STEPS_OF.get(member, STEPS)):
        h = _hyper(arguments, step)
        lam = h.pop("weight_decay", Num(0))
        g = _entering([Num(x) for x in GRADIENTS[step]], around, pieces)
        if decay == "coupled":
            g = [gi + lam * pi for gi, pi in zip(g, p, strict=True)]
        elif decay == "decoupled":
            p = [pi * (1 - h["lr"] * lam) for pi in p]
        else:
            p = [pi * (1 - lam) for pi in p]
        after = [rule(pi, gi, s, h, step + 1) for pi, gi, s in zip(p, g, states, strict=True)]
        p = _masked(p, after, g, pieces) if around.get("cautious") else after
        history.append(p)
    return history, {slot: [s[slot] for s in states] for slot in states[0]}


def _digits(x: Num) -> str:
    return str(mpmath.nstr(x.value, 25))


def _bound(numbers: list[Num]) -> mpmath.mpf:
    return max(x.relative for x in numbers)


def entry(case: Case) -> dict[str, Any]:
    """One case as it is written."""
    history, slots = run(case)
    worst = max(_bound(p) for p in history)
    if worst > BAR / 2:
        raise ValueError(f"{case.name}: a float64 evaluation may miss p by {mpmath.nstr(worst, 3)} of it")
    return {
        "name": case.name,
        "optimizer": case.optimizer,
        "arguments": case.arguments,
        "split": list(case.split),
        "p0": P0,
        "gradients": GRADIENTS[: len(history)],
        "p": [[_digits(x) for x in p] for p in history],
        "slots": {slot: [_digits(x) for x in numbers] for slot, numbers in slots.items()},
        "bounds": {slot: mpmath.nstr(_bound(n), 3) for slot, n in slots.items() if _bound(n) > BAR},
    }


def render() -> str:
    """The whole file: one line for every vector and every argument list."""

    def text(value: Any, depth: int) -> str:
        pad = "\n" + " " * (depth + 1)
        end = "\n" + " " * depth
        if isinstance(value, list) and any(isinstance(x, list | dict) for x in value):
            return "[" + pad + ("," + pad).join(text(x, depth + 1) for x in value) + end + "]"
        if isinstance(value, dict) and depth < 4 and value and "per_step" not in value:
            parts = [json.dumps(k) + ": " + text(v, depth + 1) for k, v in value.items()]
            return "{" + pad + ("," + pad).join(parts) + end + "}"
        return json.dumps(value)

    return text([entry(case) for case in all_cases()], 0) + "\n"


if __name__ == "__main__":
    VALUES.write_text(render(), encoding="ascii", newline="\n")
