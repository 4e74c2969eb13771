"""The golden cases: which optimizer, with which arguments, on which parameters and gradients.

The seven elements are chosen so that a comparison to 1e-14 of the parameter is fair: where a gradient is
large its sign is steady and sends the parameter away from zero; where it changes sign the parameter is
large beside the step. ``generate.py`` proves it for every number it writes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

P0 = [0.75, -1.25, 2.5, 3.1, 1.9, -2.2, -0.6]
GRADIENTS = [
    # zero, tiny, large, of both signs, negative, zero now and then, small
    [0.0, 1.3e-12, -1.1e6, 0.93, -1.7, 0.0, 1.9e-3],
    [0.0, 2.9e-12, -3.7e6, -0.41, -0.62, 1.4, 4.3e-3],
    [0.0, 0.7e-12, -0.6e6, 1.37, -2.3, 0.0, 0.8e-3],
    [0.0, 1.9e-12, -2.3e6, 0.23, -1.1, 0.57, 2.6e-3],
    [0.0, 4.1e-12, -1.9e6, -0.59, -0.47, 2.1, 5.2e-3],
    [0.0, 1.1e-12, -0.8e6, 0.71, -1.9, 0.33, 3.1e-3],
    [0.0, 2.3e-12, -1.4e6, -0.29, -0.83, 0.0, 0.9e-3],
    [0.0, 0.9e-12, -2.7e6, 1.13, -1.3, 1.7, 2.2e-3],
    [0.0, 3.3e-12, -1.2e6, 0.47, -2.9, 0.91, 1.7e-3],
]
STEPS = 5
# rho is about t for any beta2 near 1, so the adaptive branch of RAdam cannot open before step 6.
STEPS_OF = {"RAdam": 9}

ADAM = {"lr": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8}
# The defaults of the papers, stated here once more so that a wrong default in the package is seen.
DEFAULTS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.01},
    "Momentum": {"lr": 0.01, "momentum": 0.9, "averaged": False},
    "Nesterov": {"lr": 0.01, "momentum": 0.9},
    "Adagrad": {"lr": 0.01, "eps": 1e-10, "lr_decay": 0.0, "initial_accumulator": 0.0},
    "RMSprop": {"lr": 0.01, "alpha": 0.99, "eps": 1e-8, "momentum": 0.0, "centered": False},
    "Adadelta": {"lr": 1.0, "rho": 0.95, "eps": 1e-6},
    "Adam": {**ADAM, "compat": "paper"},
    "AMSGrad": {**ADAM, "maximum": "before", "compat": "paper"},
    "Adamax": {**ADAM, "lr": 2e-3},
    "NAdam": {**ADAM, "lr": 2e-3, "momentum_decay": 4e-3, "form": "torch", "compat": "paper"},
    "RAdam": {**ADAM, "compat": "folded"},
    "AdaBelief": {**ADAM, "eps": 1e-16, "compat": "paper"},
    "Yogi": {
        "lr": 1e-2,
        "betas": [0.9, 0.999],
        "eps": 1e-3,
        "initial_accumulator": 1e-6,
        "bias_correction": False,
    },
    "Lion": {"lr": 1e-4, "betas": [0.9, 0.99]},
    "Adan": {"lr": 1e-3, "betas": [0.98, 0.92, 0.99], "eps": 1e-8},
    "ADOPT": {"lr": 1e-3, "betas": [0.9, 0.9999], "eps": 1e-6},
    "AdEMAMix": {"lr": 1e-3, "betas": [0.9, 0.999, 0.9999], "eps": 1e-8, "alpha": 5.0, "warmup": 0},
}
DECOUPLED_BY_DEFAULT = ("Lion", "Adan", "ADOPT", "AdEMAMix")
DECAY = 0.0137
B2 = {"lr": 0.0173, "betas": [0.87, 0.963]}
B3 = {"lr": 0.0173, "betas": [0.87, 0.963, 0.991]}
# Away from every neutral value and every default; eps is left to the caller.
STRANGE: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.0173},
    "Momentum": {"lr": 0.0173, "momentum": 0.87},
    "Nesterov": {"lr": 0.0173, "momentum": 0.87},
    "Adagrad": {"lr": 0.0173, "lr_decay": 0.11, "initial_accumulator": 0.23},
    "RMSprop": {"lr": 0.0173, "alpha": 0.963},
    "Adadelta": {"lr": 0.73, "rho": 0.87},
    "Adam": B2,
    "AMSGrad": B2,
    "Adamax": B2,
    "NAdam": {**B2, "momentum_decay": 0.0319},
    "RAdam": {"lr": 0.0173, "betas": [0.87, 0.81]},
    "AdaBelief": B2,
    "Yogi": {**B2, "initial_accumulator": 3.7e-5},
    "Lion": {"lr": 0.00173, "betas": [0.87, 0.963]},
    "Adan": B3,
    "ADOPT": B2,
    "AdEMAMix": {**B3, "alpha": 3.7},
}
WITHOUT_EPS = ("SGD", "Momentum", "Nesterov", "Lion")


class Case(NamedTuple):
    """One optimizer on one problem; ``split`` cuts the elements into tensors."""

    name: str
    optimizer: str
    arguments: dict[str, Any]
    split: tuple[int, ...] = (7,)


def _strange(member: str, eps: float, **more: Any) -> dict[str, Any]:
    arguments = dict(STRANGE[member])
    if member not in WITHOUT_EPS:
        arguments["eps"] = eps
    return {**arguments, "weight_decay": DECAY, **more}


def _per_step(*values: float) -> dict[str, list[float]]:
    return {"per_step": list(values)}


LR = _per_step(0.0173, 0.0131, 0.0211, 0.0047, 0.0089, 0.0157, 0.0023, 0.0119, 0.0071)
BETA1 = _per_step(0.87, 0.91, 0.83, 0.95, 0.79)

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("Momentum", {"averaged": True}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"momentum": 0.87, "lr": 0.0029}),
    ("RMSprop", {"centered": True, "momentum": 0.87, "lr": 0.0029}),
    ("Adam", {"compat": "folded"}),
    ("AMSGrad", {"maximum": "after"}),
    ("AMSGrad", {"compat": "folded"}),
    ("NAdam", {"form": "dozat"}),
    ("NAdam", {"compat": "folded"}),
    ("NAdam", {"form": "dozat", "compat": "folded"}),
    ("RAdam", {"compat": "paper"}),
    ("AdaBelief", {"compat": "folded"}),
    ("Yogi", {"bias_correction": True}),
    ("AdEMAMix", {"warmup": 3}),
    ("AdEMAMix", {"warmup": 7}),
]
AROUND: list[tuple[str, str, dict[str, Any], tuple[int, ...]]] = [
    ("maximize", "Adam", {"maximize": True}, (7,)),
    ("maximize", "Momentum", {"maximize": True}, (7,)),
    ("maximize", "AdamW", {"maximize": True}, (7,)),
    ("grad_scale", "Adam", {"grad_scale": 0.37}, (7,)),
    ("grad_scale", "SGD", {"grad_scale": 0.37}, (7,)),
    ("clip_value", "SGD", {"clip_value": 0.83}, (7,)),
    ("clip_value", "Adam", {"clip_value": 0.83}, (7,)),
    ("clip_tensor_norm", "SGD", {"clip_tensor_norm": 1.9}, (2, 1, 4)),
    ("clip_tensor_norm", "Adam", {"clip_tensor_norm": 1.9}, (2, 1, 4)),
    ("clip_norm", "SGD", {"clip_norm": 1.9}, (3, 4)),
    ("clip_norm", "AdamW", {"clip_norm": 1.9}, (3, 4)),
    ("clip_norm-idle", "Momentum", {"clip_norm": 1e8}, (3, 4)),
    (
        "everything",
        "AdamW",
        {
            "maximize": True,
            "grad_scale": 0.37,
            "clip_value": 0.83,
            "clip_tensor_norm": 0.71,
            "clip_norm": 0.97,
            "cautious": True,
        },
        (2, 1, 4),
    ),
    ("cautious", "Adam", {"cautious": True}, (7,)),
    ("cautious", "AdamW", {"cautious": True}, (3, 4)),
    ("cautious", "Momentum", {"cautious": True}, (3, 4)),
    ("cautious", "Lion", {"cautious": True}, (7,)),
]
SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": LR}),
    ("Adam", {"lr": LR}),
    ("AdamW", {"lr": LR, "weight_decay": _per_step(0.0137, 0.0, 0.0211, 0.0053, 0.0307)}),
    ("Adam", {"betas": [BETA1, 0.963]}),
    ("NAdam", {"betas": [BETA1, 0.963]}),
    ("NAdam", {"lr": LR, "betas": [BETA1, _per_step(0.963, 0.955, 0.971, 0.949, 0.987)]}),
    ("Nesterov", {"momentum": _per_step(0.51, 0.67, 0.77, 0.83, 0.87)}),
    ("RAdam", {"lr": LR}),
    ("AdEMAMix", {"lr": LR, "alpha": _per_step(3.7, 2.9, 4.3, 1.7, 5.1)}),
]


def member_of(optimizer: str) -> str:
    """The member behind a class name: ``AdamW`` is ``Adam`` with decoupled decay."""
    return optimizer if optimizer in DEFAULTS else optimizer.removesuffix("W")


def _text(arguments: dict[str, Any]) -> str:
    return ",".join(f"{k}={v if not isinstance(v, dict) else 'changing'}" for k, v in arguments.items())


def all_cases() -> list[Case]:
    """Every case in a fixed order; the names are unique."""
    cases = []
    for name in DEFAULTS:
        cases.append(Case(f"{name} published", name, {}))
        for decay, eps in (("coupled", 1.3e-3), ("decoupled", 3.1e-14), ("independent", 2.3e-5)):
            cases.append(Case(f"{name} {decay}", name, _strange(name, eps, decay=decay)))
        if name not in DECOUPLED_BY_DEFAULT:
            cases.append(Case(f"{name}W", f"{name}W", _strange(name, 1.3e-3)))
        else:
            cases.append(Case(f"{name} own decay", name, _strange(name, 1.3e-3)))
    for name, more in VARIANTS:
        for eps in (1.3e-3, 3.1e-14):
            eps_text = "" if name in WITHOUT_EPS else f" eps={eps}"
            if eps_text or eps == 1.3e-3:
                cases.append(Case(f"{name} {_text(more)}{eps_text}", name, _strange(name, eps, **more)))
    for label, name, more, split in AROUND:
        cases.append(Case(f"{name} {label}", name, _strange(member_of(name), 1.3e-3, **more), split))
    for name, more in SCHEDULES:
        label = "+".join(more)
        if sum(isinstance(b, dict) for b in more.get("betas", ())) > 1:
            label += " both"
        cases.append(Case(f"{name} schedule {label}", name, _strange(member_of(name), 1.3e-3, **more)))
    return cases
