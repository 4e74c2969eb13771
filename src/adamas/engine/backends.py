"""Back ends by name: each turns checked rows into a plan."""

from __future__ import annotations

from .arrays import Planner
from .cpu.watched import WatchedPlan
from .oracle import ReferencePlan

BACKENDS: dict[str, Planner] = {
    "auto": WatchedPlan,
    "cpu": WatchedPlan,
    "reference": ReferencePlan,
}
