"""Without torch these tests are not collected.

This folder bears torch's name and lies on the path, so where torch is missing `import torch` finds this folder; its
submodules tell.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

collect_ignore_glob = [] if importlib.util.find_spec("torch.optim") else ["test_*.py"]


@pytest.fixture(autouse=True)
def _sparse_invariants_are_checked() -> Iterator[None]:
    """Torch warns once unless told whether to check them."""
    import torch

    with torch.sparse.check_sparse_tensor_invariants():
        yield
