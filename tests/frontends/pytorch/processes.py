"""Checks in several processes that talk through gloo, on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch


def run_processes(worker: str, world: int, folder: Path, limit: float) -> list[dict[str, str]]:
    """Run a file of this folder in several processes; each gets RANK WORLD MEETING_FILE REPORT_FILE.

    Args:
        worker: the file.
        world: how many processes.
        folder: for the files that they share.
        limit: seconds after which they are ended.

    Returns:
        The report of each process: names of checks, and nothing or how they failed.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
        pytest.skip("this torch has no gloo")
    path = Path(__file__).with_name(worker)
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [sys.executable, str(path), str(rank), str(world), str(folder / "meeting"), str(folder / f"report{rank}")],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for rank in range(world)
    ]  # fmt: skip
    try:
        said = [process.communicate(timeout=limit)[0] for process in running]
    finally:
        for process in running:
            process.kill()
    files = [folder / f"report{rank}" for rank in range(world)]
    assert all(file.exists() for file in files), "\n".join(said)
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]
