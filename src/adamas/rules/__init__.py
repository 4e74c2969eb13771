"""The formulas: one short file per member, and the roll of members. Imports nothing outside this folder.

To add a member: write its file, add it to `MEMBERS`.
"""

from ._declare import DECAYS, GLOSSARY, WEIGHT_DECAY, Hyper, Resolved, Rule, Slot, rule
from ._program import Program, RuleError, Value, append, build, element, scalar
from ._term import is_term, term
from ._terms import average, corrected, ratio
from ._vocabulary import PRIMITIVES, SCALAR_ONLY, VOCABULARY, abs, clip, exp, log, maximum, minimum, sign, sqrt, where
from .adabelief import adabelief
from .adadelta import adadelta
from .adagrad import adagrad
from .adam import adam
from .adamax import adamax
from .adan import adan
from .ademamix import ademamix
from .adopt import adopt
from .amsgrad import amsgrad
from .damped import damped_momentum
from .lion import lion
from .momentum import heavy_ball
from .nadam import nadam
from .nesterov import nesterov
from .radam import radam
from .rmsprop import rmsprop
from .sgd import sgd
from .yogi import yogi

MEMBERS: tuple[Rule, ...] = (
    sgd,
    heavy_ball,
    nesterov,
    adagrad,
    rmsprop,
    adadelta,
    adam,
    amsgrad,
    adamax,
    nadam,
    radam,
    adabelief,
    yogi,
    lion,
    adan,
    adopt,
    ademamix,
)

ROLL: dict[str, Rule] = {
    member.name: member
    for base in MEMBERS
    for member in ((base, base.decoupled()) if base.decay == "coupled" else (base,))
}
"""Every member by name, each coupled one followed by its twin with decoupled decay (`AdamW` after `Adam`)."""

HOST_RULES: tuple[Rule, ...] = (damped_momentum,)
"""Forms that only a host's class needs; no members of the family."""

__all__ = [
    "DECAYS",
    "GLOSSARY",
    "HOST_RULES",
    "MEMBERS",
    "PRIMITIVES",
    "ROLL",
    "SCALAR_ONLY",
    "VOCABULARY",
    "WEIGHT_DECAY",
    "Hyper",
    "Program",
    "Resolved",
    "Rule",
    "RuleError",
    "Slot",
    "Value",
    "abs",
    "append",
    "average",
    "build",
    "clip",
    "corrected",
    "damped_momentum",
    "element",
    "exp",
    "is_term",
    "log",
    "maximum",
    "minimum",
    "ratio",
    "rule",
    "scalar",
    "sign",
    "sqrt",
    "term",
    "where",
]
