"""The clients' tests are collected, and their packages imported, only where the marker `clients` is asked for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave this folder alone unless the expression of `-m` is empty or names the marker without `not`."""
    asked = config.option.markexpr
    return True if asked and "clients" not in re.sub(r"not\s+clients", "", asked) else None
