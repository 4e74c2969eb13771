"""Back ends by name: each turns checked rows into a plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .cpu.plan import CpuPlan
from .engine import Engine
from .oracle import ReferencePlan
from .plan import Row

BACKENDS: dict[str, Callable[[Engine, list[Row], list[int]], Any]] = {
    "auto": CpuPlan,
    "cpu": CpuPlan,
    "reference": ReferencePlan,
}
