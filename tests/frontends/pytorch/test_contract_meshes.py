"""The tests of torch's `test_optimizers.py` for DTensor, by their names: a network whose parameters four processes share."""

from __future__ import annotations

import pytest

from frontends.pytorch.contract import each_upstream
from frontends.pytorch.mesh_worker import PROCESSES, SHARDED
from frontends.pytorch.processes import run_processes
from snapshots import GUARD


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """What the processes found, by the name of the test."""
    return run_processes("mesh_worker.py", PROCESSES, tmp_path_factory.mktemp("meshes"), GUARD)


@each_upstream(SHARDED)
def test_network_on_a_mesh(reports: list[dict[str, str]], upstream: str) -> None:
    """Given equal gradients, the shares of the four are the whole network's parameters and state, within the bound."""
    for rank, report in enumerate(reports):
        assert not report[upstream], f"process {rank}: {report[upstream]}"


@pytest.mark.parametrize("name", sorted({name for name, _ in SHARDED.values()}))
def test_strided_gradients_on_a_mesh(reports: list[dict[str, str]], name: str) -> None:
    """Shares may have gradients in another order of memory than theirs, whatever the flags."""
    for rank, report in enumerate(reports):
        assert not report[f"strided {name}"], f"process {rank}: {report[f'strided {name}']}"
