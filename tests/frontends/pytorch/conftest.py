"""Without torch these tests are not collected, see `needs.FOLDERS`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _sparse_invariants_are_checked() -> Iterator[None]:
    """Torch warns once unless told whether to check them."""
    import torch

    with torch.sparse.check_sparse_tensor_invariants():
        yield


@pytest.fixture(autouse=True)
def _one_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """The contract's tensors are small: torch's threads would only wait for each other. Threads have tests of their own."""
    import torch

    before = torch.get_num_threads()
    if request.path.name.startswith("test_contract_"):
        torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
