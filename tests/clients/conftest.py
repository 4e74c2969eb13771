"""Clients' packages are imported only where the marker `clients` is asked for; what needs torch alone runs always."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ALWAYS = ("test_protocols.py",)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the clients' files alone unless the expression of `-m` is empty or names the marker without `not`."""
    asked = config.option.markexpr
    wanted = not asked or "clients" in re.sub(r"not\s+clients", "", asked)
    return None if wanted or collection_path.name in ALWAYS else True


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """One thread of torch's is enough for such sizes, and does not wait for others."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
