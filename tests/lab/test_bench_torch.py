"""`adamas bench torch`: what is raced, that figures are given only for work done, and the arithmetic of the ratios.

Times are nobody's business here: where a duration is compared, the clock is the test's own.
"""

from __future__ import annotations

import importlib
import json
import math
import runpy
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_race import invoke

import adamas
from adamas.lab import bench_torch_peers as peers
from adamas.lab import benchmark
from adamas.lab.bench_peers import Contestant, mlp
from adamas.lab.bench_torch import cases
from adamas.lab.benchmark import Case, run_case
from adamas.lab.errors import LabError

pytest.importorskip("torch.optim")
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

ROOT = Path(__file__).parents[2]
BARS = {  # race: bars against torch fused and torch default, in that order; None where nothing is asked for
    "train-30k": (1.0, 1.0), "train-500k": (1.0, 1.0), "train-25m": (1.0, 1.0), "step-vit": (1.0, None),
    "step-gpt2": (1.0, None), "step-1000": (20.0, None), "step-groups": (10.0, None), "clip-25m": (1.2,),
    "clip-gpt2": (1.2,), "step-2": (None, None), "step-260k": (None, None), "sgd": (None, None), "sparse": (None,),
}  # fmt: skip
ELEMENTS = {  # counted by hand or published: 192 * (1000 + 197 + 1) + ... = 5 717 416 for ViT-Ti/16
    "train-30k": 64 * 160 + 160 + 160 * 120 + 120 + 120 * 10 + 10,
    "train-500k": 784 * 512 + 512 + 512 * 200 + 200 + 200 * 10 + 10,
    "train-25m": 1024 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000,
    "step-vit": 5_717_416, "step-gpt2": 124_439_808, "step-1000": 64_000, "clip-gpt2": 124_439_808, "step-2": 2,
    "step-260k": 260_000, "sgd": 25_557_032, "sparse": 6_400_000,
}  # fmt: skip
SMALL = ((5, 3), (7,), (2,))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No pauses, and one thread: where others are at work, torch's parallel regions wait for milliseconds."""
    monkeypatch.setattr(benchmark, "SETTLE", 0.0)
    threads = adamas.get_num_threads(), torch.get_num_threads()
    adamas.set_num_threads(1)
    yield
    adamas.set_num_threads(threads[0])
    torch.set_num_threads(threads[1])


def small(kind: Callable[..., Contestant] = peers.steps, *extra: Any, shapes: Any = SMALL) -> Case:
    """A race of the three sides over few elements."""
    extra = extra or ("Adam", {})
    others = [(partial(kind, side, *extra), (1.0,)) for side in (peers.FUSED, peers.DEFAULT)]
    return Case("small", "", shapes, [partial(kind, peers.OURS, *extra)], others, 2, 1)


def test_races_and_bars() -> None:
    races = {case.name: case for case in cases(quick=False)}
    assert {name: tuple(bars[0] for _, bars in case.peers) for name, case in races.items()} == BARS
    for name, elements in ELEMENTS.items():
        assert sum(math.prod(shape) for shape in races[name].shapes) == elements, name
    assert 24.5e6 < ELEMENTS["train-25m"] < 25.5e6
    groups = [shape for (shape,) in races["step-groups"].shapes]
    assert (len(groups), groups[0], groups[-1]) == (200, 64, 1024)
    assert all(case.turns % 2 == 0 for case in races.values())  # both orders equally often
    assert list(races) == [case.name for case in cases(quick=True)]


LIKE = ("train-500k", "step-vit", "step-gpt2", "sgd", "clip-gpt2")  # another race in larger shapes
QUICK = [case.name for case in cases(quick=True) if case.name not in LIKE]


@pytest.mark.parametrize("name", QUICK)
def test_every_race_runs(name: str) -> None:
    (case,) = (case for case in cases(quick=True) if case.name == name)
    rows = run_case(replace(case, turns=2, calls=1))
    whole = [row for row in rows if not row.ours.endswith(benchmark.STEP)]
    assert [row.bar for row in whole] == list(BARS[name])
    expected = [row.peer + benchmark.STEP for row in whole] if name.startswith("train") else []
    assert [row.peer for row in rows[len(whole) :]] == expected
    for row in rows:
        assert row.case == name
        assert row.ours.startswith("adamas.torch")
        assert "torch" in row.peer.removeprefix("clip_grad_norm_, ")
        assert 0 < row.ratio_low <= row.ratio <= row.ratio_high
        assert min(row.ours_us, row.peer_us) > 0
        assert row.met is (None if row.bar is None else row.ratio >= row.bar)
        json.dumps(asdict(row), allow_nan=False)


def test_sides_use_the_optimizers_that_they_name(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def note(optimizer: Any, *_: Any) -> None:
        group = optimizer.param_groups[0]
        seen.append((type(optimizer).__module__, type(optimizer).__name__, group["fused"], group["foreach"]))

    hook = register_optimizer_step_pre_hook(note)
    try:
        for side in (peers.OURS, peers.FUSED, peers.DEFAULT):
            peers.steps(side, "AdamW", {}, SMALL)
    finally:
        hook.remove()
    theirs = "torch.optim.adamw", "AdamW"
    assert seen == [("adamas.torch", "AdamW", None, None), (*theirs, True, None), (*theirs, None, None)]


def test_whole_iterations_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients are new at each, from another batch, and the loss falls on what is learned by heart."""
    optimizers = []
    real = peers.Side.optimizer
    monkeypatch.setattr(
        peers.Side, "optimizer", lambda *a: optimizers.append(real(*a)) or optimizers[-1]
    )  # fmt: skip
    one = peers.training(peers.OURS, "Adam", 4, mlp(6, 5, 3))
    seen = []
    for _ in range(peers.BATCHES + 1):
        one.step()
        seen.append([p.grad for p in optimizers[0].param_groups[0]["params"]])
    assert len({id(grads[0]) for grads in seen}) == len(seen)  # none was kept: `seen` holds them all
    assert len({grads[0].numpy().tobytes() for grads in seen}) == len(seen)
    assert len(one.inside) == peers.BATCHES + 2  # the first was taken by the maker


def test_clipping_is_seen_by_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that does not clip arrives elsewhere: Adam feels the size of gradients that are not far from eps.

    To a norm of 1e-3, 6922 gradients have the size 1e-5; for the 7 % of them below 9e-7, eps = 1e-8 takes more than the
    tolerance of 1.1 % off the step. In full size a norm of 1 does the same: 25 M gradients of size 2e-4.
    """
    monkeypatch.setattr(peers, "LIMIT", 1e-3)
    (case,) = (case for case in cases(quick=True) if case.name == "clip-25m")
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_: None)
    with pytest.raises(LabError, match="different steps"):
        run_case(replace(case, turns=1, calls=1))


def wronged(monkeypatch: pytest.MonkeyPatch, module: Any, step: Callable[[Any, Any], Any]) -> None:
    """Replace `step` of a module's Adam: `step(optimizer, real)`."""
    real = module.Adam.step
    monkeypatch.setattr(module.Adam, "step", lambda optimizer, *_: step(optimizer, partial(real, optimizer)))


class Once:
    """Steps once, then no more: as if the gradients were used up."""

    def __init__(self) -> None:
        self.seen: set[int] = set()

    def __call__(self, optimizer: Any, real: Any) -> Any:
        first = id(optimizer) not in self.seen
        self.seen.add(id(optimizer))
        return real() if first else None


def leave_one_out(optimizer: Any, real: Any) -> None:
    last = optimizer.param_groups[-1]["params"][-1]
    kept = last.detach().clone()
    real()
    last.detach().copy_(kept)


def spoil(optimizer: Any, real: Any) -> None:
    real()
    with torch.no_grad():
        optimizer.param_groups[0]["params"][0].fill_(math.nan)


@pytest.mark.parametrize("side", ["adamas.torch", "torch.optim"])
@pytest.mark.parametrize("wrong", [lambda *_: None, Once, leave_one_out, spoil], ids=["none", "once", "partly", "nan"])
@pytest.mark.parametrize("kind", ["steps", "training"])
def test_who_does_not_step_gets_no_figure(side: str, wrong: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wronged(monkeypatch, importlib.import_module(side), wrong() if wrong is Once else wrong)
    name = "adamas.torch" if side == "adamas.torch" else "torch fused"
    case = small() if kind == "steps" else small(peers.training, "Adam", 4, shapes=mlp(6, 5, 3))
    with pytest.raises(LabError, match=f"'{name}' did not change"):
        run_case(case)


def other_rate(optimizer: Any, real: Any) -> None:
    optimizer.param_groups[0]["lr"] = 1.1e-3
    real()


@pytest.mark.parametrize("side", ["adamas.torch", "torch.optim"])
def test_who_does_another_step_gets_no_figure(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wronged(monkeypatch, importlib.import_module(side), other_rate)
    with pytest.raises(LabError, match="different steps"):
        run_case(small())


class Clock:
    """A clock that only its contestants move."""

    def __init__(self) -> None:
        self.now, self.order = 0.0, ""

    def contestant(self, name: str, durations: list[float], part: float = 0.5) -> Contestant:
        """One whose calls in its k-th turn take `durations[k]`, `part` of it in the step; first calls take longer."""
        state = {"calls": 0, "x": 0.0}
        inside: list[float] = []
        per_turn = benchmark.WARM + 3

        def step() -> None:
            turn, place = divmod(state["calls"], per_turn)
            took = durations[turn] * (100 if place < benchmark.WARM else 1)
            self.order += name if place == 0 else ""
            self.now += took
            inside.append(took * part)
            state["calls"] += 1
            state["x"] += 1.0

        return Contestant(name, step, lambda: state["x"], np.ones(1), inside)


def test_ratios_are_medians_over_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ratios by hand: 2/1, 9/3, 8/2, 20/4 = 2, 3, 4, 5; median 3.5, quartiles 2.75 and 4.25."""
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now)
    a, b = clock.contestant("a", [1.0, 3.0, 2.0, 4.0]), clock.contestant("b", [2.0, 9.0, 8.0, 20.0], 0.25)
    whole, part = run_case(Case("hand", "", ((1,),), [lambda _: a], [(lambda _: b, (3.5,))], 4, 3))
    assert clock.order == "abbaabba"
    assert (whole.ours_us, whole.peer_us) == (2.5e6, 8.5e6)
    assert (whole.ratio_low, whole.ratio, whole.ratio_high, whole.met) == (2.75, 3.5, 4.25, True)
    assert (part.ours, part.peer, part.bar, part.met) == ("a: step in it", "b: step in it", None, None)
    assert (part.ours_us, part.peer_us, part.ratio) == (1.25e6, 2.125e6, 1.75)


def test_command() -> None:
    done = invoke("bench", "torch", "--case", "step-2", "--quick", "--repeats", "3", "--json")
    assert done.exit_code == 0, done.output
    assert done.stderr == "step-2: one tensor of 2 elements\n"
    said = json.loads(done.stdout)
    assert (said["suite"], said["quick"], said["repeats"]) == ("torch", True, 3)
    assert said["machine"]["versions"]["torch"] == torch.__version__
    assert said["machine"]["threads"] >= 1
    assert [(row["case"], row["peer"]) for row in said["rows"]] == [
        ("step-2", "torch fused"), ("step-2", "torch default"),
    ]  # fmt: skip


def test_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    done = invoke("bench", "torch", "--only", "nosuch")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "'nosuch'; there are: train-30k, " in done.stderr
    assert "first-use" not in done.stderr  # a race of the other suite
    assert invoke("bench", "torch", "--rule", "a.py:b").exit_code == 2
    assert invoke("bench", "torch", "--repeats", "0").exit_code == 2
    assert invoke("bench", "nosuch").exit_code == 2
    monkeypatch.setattr(benchmark, "has_torch", lambda: False)
    done = invoke("bench", "torch")
    assert done.exit_code == 2
    assert "pip install torch" in done.stderr


ROW = {
    "case": "train-30k", "what": "", "elements": 30930, "ours": "adamas.torch", "peer": "torch fused",
    "ours_us": 250.04, "peer_us": 1500.0, "ratio": 6.0, "ratio_low": 5.951, "ratio_high": 6.25, "bar": 1.0, "met": True,
}  # fmt: skip


def test_table_of_the_readmes(tmp_path: Path) -> None:
    tables = runpy.run_path(str(ROOT / "bench" / "tables.py"))
    machine = {
        "cpu": "Abacus",
        "threads": 2,
        "vector_instructions": "beads",
        "versions": {"torch": "2.0", "numpy": "9"},
    }
    missed = ROW | {"case": "sgd", "peer": "torch default", "bar": 1.2, "met": False}
    run = {"machine": machine, "rows": [ROW, missed, ROW | {"bar": None, "met": None}]}
    for name, text in (("README.md", "Medians and quartiles; `adamas bench torch`."), ("README.zh-CN.md", "中位数")):
        (tmp_path / name).write_text("before\n<!-- torch -->\nold\n<!-- /torch -->\nafter\n", encoding="utf-8")
        tables["fill"](tmp_path / name, {"torch": tables["torch_table"](run, tables["HEADS"][name])})
        lines = (tmp_path / name).read_text(encoding="utf-8").splitlines()
        assert (lines[0], lines[-1], lines[1], lines[-2]) == ("before", "after", "<!-- torch -->", "<!-- /torch -->")
        assert "old" not in lines
        assert lines[4:7] == [
            "| train-30k | 30,930 | adamas.torch | 250.0 us | torch fused | 1.5 ms | 6.00 (5.95–6.25) | ≥ 1 |",
            "| sgd | 30,930 | adamas.torch | 250.0 us | torch default | 1.5 ms | 6.00 (5.95–6.25) | ≥ 1.2 (missed) |",
            "| train-30k | 30,930 | adamas.torch | 250.0 us | torch fused | 1.5 ms | 6.00 (5.95–6.25) |  |",
        ]
        assert text in lines[-3]
        assert "torch 2.0" in lines[-3]


def test_a_readme_without_marks_is_told(tmp_path: Path) -> None:
    tables = runpy.run_path(str(ROOT / "bench" / "tables.py"))
    (tmp_path / "README.md").write_text("nothing\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="<!-- torch --> is there 0 times"):
        tables["fill"](tmp_path / "README.md", {"torch": "table"})
