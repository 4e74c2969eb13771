"""Shared fixtures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

import adamas

sys.path.insert(0, str(Path(__file__).parent))
import needs

# No test asserts a time: another process, or a collection of garbage while numbers are drawn, may take seconds.
hypothesis.settings.register_profile(
    "adamas", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("adamas")


def pytest_configure(config: pytest.Config) -> None:
    """Skip what this machine cannot run, and say so at the end of every run."""
    config.pluginmanager.register(needs.Watch(needs.required()), "needs")


@pytest.fixture(params=[1, 2], ids=["1thread", "2threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """Run with so many threads."""
    before = adamas.get_num_threads()
    adamas.set_num_threads(request.param)
    yield request.param
    adamas.set_num_threads(before)
