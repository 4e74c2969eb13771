"""What the three torch example programs share: options, the training loop, and checkpoints that resume bit for bit.

A program states a `Run`: what one step does, what the result is judged by, and every object that has a state. The
optimizer's module is an argument of the program; nothing here knows which one it is.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass
class Run:
    """A training run.

    Args:
        step: Trains on one batch and returns its loss.
        quality: What the trained model is judged by.
        parts: Everything with `state_dict` and `load_state_dict`: model, optimizers, schedulers, scaler, batches.
    """

    step: Callable[[], torch.Tensor]
    quality: Callable[[], dict[str, float]]
    parts: dict[str, Any]


class Batches:
    """Batches of row numbers without end, shuffled anew for each pass over the rows.

    Args:
        rows: How many rows there are.
        size: Rows of a batch, at most `rows`; what is left at the end of a pass is dropped.
        seed: Of the generator that shuffles.
    """

    def __init__(self, rows: int, size: int, seed: int) -> None:
        self.rows, self.size = rows, size
        self.generator = torch.Generator().manual_seed(seed)
        self._begin()

    def _begin(self, position: int = 0) -> None:
        self.before = self.generator.get_state()  # this and the position are the whole state: the order follows
        self.order = torch.randperm(self.rows, generator=self.generator)
        self.position = position

    def next(self) -> torch.Tensor:
        """The row numbers of the next batch."""
        if self.position + self.size > self.rows:
            self._begin()
        self.position += self.size
        return self.order[self.position - self.size : self.position]

    def state_dict(self) -> dict[str, Any]:
        """The place in the data."""
        return {"generator": self.before, "position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes to a place in the data."""
        self.generator.set_state(state["generator"])
        self._begin(state["position"])


def snapshot(run: Run, settings: dict[str, Any], losses: list[float]) -> dict[str, Any]:
    """All that the rest of the run depends on, as tensors and plain values."""
    states = {name: part.state_dict() for name, part in run.parts.items()}
    return {"settings": settings, "losses": losses, "rng": torch.get_rng_state(), **states}


def restore(run: Run, settings: dict[str, Any], path: Path) -> list[float]:
    """Puts a run where its checkpoint was taken; returns the losses up to there.

    Raises:
        ValueError: The checkpoint is of a run with other settings.
    """
    saved = torch.load(path, weights_only=True)
    if saved["settings"] != settings:
        raise ValueError(f"{path} is of a run with {saved['settings']}, not {settings}")
    for name, part in run.parts.items():
        part.load_state_dict(saved[name])
    torch.set_rng_state(saved["rng"])
    return list(saved["losses"])


def digest(value: Any) -> str:
    """SHA-256 of every bit of nested dicts and lists of tensors and plain values."""
    sha = hashlib.sha256()

    def add(item: Any) -> None:
        if isinstance(item, torch.Tensor):
            sha.update(f"{item.dtype}{tuple(item.shape)}".encode())
            sha.update(item.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        elif isinstance(item, dict):
            sha.update(b"{")
            for key in sorted(item, key=str):
                sha.update(repr(key).encode())
                add(item[key])
            sha.update(b"}")
        elif isinstance(item, (list, tuple)):
            sha.update(b"[")
            for element in item:
                add(element)
            sha.update(b"]")
        else:
            sha.update(repr(item).encode() + b";")

    add(value)
    return sha.hexdigest()


def train(
    run: Run,
    settings: dict[str, Any],
    *,
    checkpoint: Path | None = None,
    every: int = 50,
    resume: bool = False,
    kill_at: int | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Trains to the end.

    Args:
        run: The run.
        settings: Its settings, of which `steps` is read here; a checkpoint resumes only under the same settings.
        checkpoint: File that holds the state, written every `every` steps and at the end.
        every: Steps between checkpoints and between lines of output, from 1.
        resume: Continue from the checkpoint, if the file is there.
        kill_at: Step after which the process kills itself, unsaved steps and all: to try `resume`.
        say: Where lines of output go.

    Returns:
        The losses of all steps, the quality, and the digest of the final state.
    """
    losses: list[float] = []
    if resume and checkpoint is not None and checkpoint.exists():
        losses = restore(run, settings, checkpoint)
        say(f"resumed after step {len(losses)}")
    for step in range(len(losses) + 1, settings["steps"] + 1):
        losses.append(run.step().item())
        if step % every == 0 or step == settings["steps"]:
            say(f"step {step:5d}  loss {losses[-1]:.6f}")
            if checkpoint is not None:  # replaced in one go: a kill leaves either the old file or the new one
                unfinished = checkpoint.with_name(checkpoint.name + ".part")
                torch.save(snapshot(run, settings, losses), unfinished)
                os.replace(unfinished, checkpoint)
        if step == kill_at:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows ends a process on SIGTERM
    end = digest(snapshot(run, settings, losses))
    return {"losses": losses, "quality": run.quality(), "digest": end}


def main(build: Callable[..., Run], doc: str, steps: int, **extra: dict[str, Any]) -> None:
    """The command line of a program.

    Args:
        build: Makes the run from the optimizer's module, the number of steps, the seed and the extra options.
        doc: The program's docstring, shown as its help.
        steps: Default of `--steps`.
        extra: The program's own options by name, each with the arguments of `add_argument`.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--optim", default="adamas.torch", help="module of the optimizers: adamas.torch (default) or torch.optim")
    add("--steps", type=int, default=steps, help=f"training steps of the whole run (default {steps})")
    add("--seed", type=int, default=0, help="of weights, data order and dropout (default 0)")
    add("--checkpoint", type=Path, help="file that the state is saved in")
    add("--every", type=int, help="steps between saves and lines of output (default a tenth of the run)")
    add("--resume", action="store_true", help="continue from the checkpoint, if it is there")
    add("--kill-at", type=int, metavar="STEP", help="kill this process after STEP, to try --resume")
    add("--threads", type=int, default=1, help="torch's threads; sums differ in the last bit by it (default 1)")
    add("--json", action="store_true", help="end with one line of JSON: losses, quality, digest")
    for name, options in extra.items():
        add(f"--{name}", **options)
    args = parser.parse_args()
    if args.resume and args.checkpoint is None:
        parser.error("--resume needs --checkpoint")

    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True)
    own = {name: getattr(args, name) for name in extra}
    settings = {"steps": args.steps, "seed": args.seed, "threads": args.threads, **own}
    run = build(importlib.import_module(args.optim), args.steps, args.seed, **own)
    result = train(
        run,
        settings,
        checkpoint=args.checkpoint,
        every=args.every or max(1, args.steps // 10),
        resume=args.resume,
        kill_at=args.kill_at,
        say=lambda line: print(line, flush=True),
    )
    print("  ".join(f"{name} {value:.5g}" for name, value in result["quality"].items()))
    print(f"digest {result['digest']}")
    if args.json:
        print(json.dumps({"optim": args.optim, **settings, **result}))
