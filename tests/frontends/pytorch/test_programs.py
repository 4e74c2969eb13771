"""Three whole programs of torch users: only the optimizer's module changes, and the losses equal torch's.

What "equal" may mean is measured, not chosen. Rounding acts as if it nudged parameters by an ulp, so the yardstick is
torch against itself: from weights moved by one ulp (twice, each weight up or down at random), and by its own
fused kernel. Ours is one more such twin. The largest deviation of the three up to a step, and an ulp of the loss itself
(a float32 mean; the first steps may agree by chance), make the scale of the noise there. Held to the scale of the other
two, a twin's deviation reaches 0.5 to 1.5 times it over these programs, here and at full length, and ours 0.5 to 1.0
times that of the three; `DEVIATION` leaves a factor between two and three for other machines. Torch with eps = 1e-7 for
1e-8 reaches 25 to 150 times, which the bound must refuse.

Sums in torch are rounded as its number of threads has it: one here. No other nondeterminism of torch was met on CPU.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

EXAMPLES = Path(__file__).parents[3] / "examples"
sys.path.insert(0, str(EXAMPLES))
from torch_common import Run, digest, restore, snapshot, train  # noqa: E402

OURS = os.environ.get("OPT", "adamas.torch")
STEPS = {"torch_digits_cnn": 150, "torch_small_gpt": 40, "torch_recommender": 600}  # of 400, 600 and 1500: for time
DEVIATION, ULP = 4.0, 2.0**-23
TWINS = ("nudged 0", "nudged 1", "fused")
programs = pytest.mark.parametrize("program", STEPS)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """The settings that the programs run under."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(strict)
    torch.set_num_threads(threads)


def settings(program: str, steps: int) -> dict[str, Any]:
    """What the command line writes into a checkpoint."""
    own = {"ratings": None} if program == "torch_recommender" else {}
    return {"steps": steps, "seed": 0, "threads": 1, **own}


def build(program: str, optim: Any, steps: int) -> Run:
    if program == "torch_digits_cnn":
        pytest.importorskip("sklearn")
    module = importlib.import_module(optim) if isinstance(optim, str) else optim
    return importlib.import_module(program).build(module, steps, 0)


def torch_with(**options: Any) -> SimpleNamespace:
    """Torch's classes with other defaults; SparseAdam takes no `fused`."""
    dense = {name: functools.partial(getattr(torch.optim, name), **options) for name in ("Adam", "AdamW")}
    options.pop("fused", None)
    return SimpleNamespace(**dense, SparseAdam=functools.partial(torch.optim.SparseAdam, **options))


def nudge(run: Run, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in run.parts["model"].parameters():
            up = torch.rand(p.shape, generator=random) < 0.5
            p.copy_(torch.nextafter(p, torch.where(up, torch.inf, -torch.inf)))


@functools.cache
def trained(program: str, variant: str) -> tuple[Run, dict[str, Any]]:
    """A run at its end, with its losses, quality and digest; `variant` is a module or what torch differs by."""
    optims = {"fused": torch_with(fused=True), "eps": torch_with(eps=1e-7)}
    optim = optims.get(variant, "torch.optim" if variant in TWINS else variant)
    run = build(program, optim, STEPS[program])
    if variant.startswith("nudged"):
        nudge(run, int(variant[-1]))
    return run, train(run, settings(program, STEPS[program]))


def deviation(program: str, losses: list[float]) -> float:
    """The largest ratio of a deviation from torch's losses to the scale of the noise."""
    reference = np.array(trained(program, "torch.optim")[1]["losses"])
    away = [np.abs(trained(program, twin)[1]["losses"] - reference) for twin in TWINS]
    noise = np.maximum.accumulate(np.max(away, axis=0)) + ULP * np.abs(reference)
    return float(np.max(np.abs(losses - reference) / noise))


@programs
def test_losses_equal_torchs(program: str) -> None:
    losses = trained(program, OURS)[1]["losses"]
    assert len(losses) == STEPS[program]
    assert deviation(program, losses) <= DEVIATION


@programs
def test_the_bound_sees_one_digit_of_eps(program: str) -> None:
    assert deviation(program, trained(program, "eps")[1]["losses"]) > 2 * DEVIATION


@programs
def test_quality_equals_torchs(program: str) -> None:
    reference = trained(program, "torch.optim")[1]["quality"]
    found = trained(program, OURS)[1]["quality"]
    one_image = 1.0 / 360.0  # accuracy is a count, and goes by whole images
    for name, expected in reference.items():
        away = max(abs(trained(program, twin)[1]["quality"][name] - expected) for twin in TWINS)
        floor = one_image * 1.001 if name == "accuracy" else DEVIATION * ULP * expected
        assert abs(found[name] - expected) <= DEVIATION * away + floor, name


def test_the_programs_learn() -> None:
    """Digits over 97 %; the GPT, after a fifteenth of its run, clearly under the entropy of single letters; the
    recommender at the noise and at most sqrt(1 + parameters / ratings) above it, as a least-squares fit would be."""
    if importlib.util.find_spec("sklearn"):
        assert trained("torch_digits_cnn", OURS)[1]["quality"]["accuracy"] > 0.97
    gpt = trained("torch_small_gpt", OURS)[1]["quality"]
    assert gpt["test_loss"] < gpt["unigram_entropy"] - 0.3
    run, result = trained("torch_recommender", OURS)
    parameters, ratings = sum(p.numel() for p in run.parts["model"].parameters()), run.parts["batches"].rows
    least = result["quality"]["noise"]
    assert least < result["quality"]["rmse"] < least * (1 + parameters / ratings) ** 0.5 * 1.05


def command(program: str, steps: int, checkpoint: Path, *more: str) -> list[str]:
    common = [sys.executable, "-W", "error", str(EXAMPLES / f"{program}.py"), "--optim", OURS, "--json"]
    return [*common, "--steps", str(steps), "--checkpoint", str(checkpoint), *more]


@programs
def test_a_killed_run_resumes_with_the_same_bits(program: str, tmp_path: Path) -> None:
    """A process killed in the middle, with steps done since its last save; this one resumes, and has the losses and
    the digest of a run that is never killed."""
    steps, checkpoint = 30, tmp_path / "state.pt"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command(program, steps, checkpoint, "--every", "8", "--kill-at", "21"), **pipes) as killed:
        expected = train(build(program, OURS, steps), settings(program, steps))  # meanwhile
        said, error = killed.communicate()
    assert killed.returncode != 0
    assert error == ""
    assert "step    16" in said
    assert "digest" not in said
    assert len(torch.load(checkpoint, weights_only=True)["losses"]) == 16

    resumed = train(build(program, OURS, steps), settings(program, steps), checkpoint=checkpoint, resume=True)
    assert resumed == expected
    assert digest(torch.load(checkpoint, weights_only=True)) == expected["digest"]


def test_the_command_line_resumes(tmp_path: Path) -> None:
    """A new process goes on from a file of this one, and prints what this one finds without a pause."""
    program, steps, checkpoint = "torch_small_gpt", 20, tmp_path / "state.pt"
    run = build(program, OURS, steps)
    losses = [run.step().item() for _ in range(13)]
    torch.save(snapshot(run, settings(program, steps), losses), checkpoint)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command(program, steps, checkpoint, "--resume"), **pipes) as resumed:
        expected = train(build(program, OURS, steps), settings(program, steps))  # meanwhile
        said, error = resumed.communicate()
    assert resumed.returncode == 0, error
    lines = said.splitlines()
    assert lines[0] == "resumed after step 13"
    assert f"digest {expected['digest']}" in lines
    assert json.loads(lines[-1]) == {"optim": OURS, **settings(program, steps), **expected}


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours-to-torch", "torch-to-ours"])
@programs
def test_a_checkpoint_changes_hands(program: str, ours_first: bool, tmp_path: Path) -> None:
    """Half of the run by one, the rest by the other, from the file between them."""
    steps = STEPS[program]
    first, second = (OURS, "torch.optim") if ours_first else ("torch.optim", OURS)
    run = build(program, first, steps)
    losses = [run.step().item() for _ in range(steps // 2)]
    torch.save(snapshot(run, settings(program, steps), losses), tmp_path / "state.pt")
    run = build(program, second, steps)
    losses = restore(run, settings(program, steps), tmp_path / "state.pt")
    losses += [run.step().item() for _ in range(steps - len(losses))]
    assert deviation(program, losses) <= DEVIATION


def test_each_program_does_what_it_is_here_for() -> None:
    """Betas written by the schedule, channels-last state, decay in one group only, steps skipped by the scaler."""
    pairs = {name: [trained(name, optim)[0].parts for optim in (OURS, "torch.optim")] for name in STEPS}

    for parts in pairs["torch_digits_cnn"]:
        group = parts["optimizer"].param_groups[0]
        assert group["betas"][0] == pytest.approx(0.95, abs=1e-6)  # where the cycle ends; Adam's own is 0.9
        stem = parts["model"][3].first.weight
        assert stem.is_contiguous(memory_format=torch.channels_last)
        assert parts["optimizer"].state[stem]["exp_avg"].stride() == stem.stride()
    for parts in pairs["torch_small_gpt"]:
        assert [group["weight_decay"] for group in parts["optimizer"].param_groups] == [0.1, 0.0]
        assert parts["model"].head.weight is parts["model"].letter.weight
    ours, theirs = (
        [parts["scaler"].get_scale()]
        + [int(state["step"]) for name in ("sparse", "dense") for state in parts[name].state.values()]
        for parts in pairs["torch_recommender"]
    )
    assert ours == theirs
    assert max(ours[1:]) < STEPS["torch_recommender"]


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    run = build("torch_recommender", OURS, 2)
    train(run, settings("torch_recommender", 2), checkpoint=tmp_path / "state.pt", every=1)
    with pytest.raises(ValueError, match="is of a run with"):
        restore(run, settings("torch_recommender", 3), tmp_path / "state.pt")


def test_ratings_come_from_a_file(tmp_path: Path) -> None:
    program = importlib.import_module("torch_recommender")
    file = tmp_path / "ratings.csv"
    rows = [f"ann{k % 7},film{k % 5},{1 + (k % 7 + k % 5) / 2.5}" for k in range(70)]
    file.write_text("\n".join(["user,item,rating", *rows]), encoding="utf-8")

    user, item, rating = program.read_ratings(file)
    assert (int(user.max()), int(item.max()), len(rating)) == (6, 4, 70)
    assert (user[8], item[8], rating[8]) == (1, 3, pytest.approx(1 + 4 / 2.5))
    run = program.build(importlib.import_module(OURS), 100, 0, ratings=file)
    found = train(run, {"steps": 100})["quality"]
    assert found["rmse"] < 0.5 * found["rmse_of_the_mean"]  # sums of two numbers: biases alone can fit them

    file.write_text("ann,film,4\nbob,film,four\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 2: expected user,item,rating, not 'bob,film,four'"):
        program.read_ratings(file)
    file.write_text("user,item,rating\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has no ratings"):
        program.read_ratings(file)
