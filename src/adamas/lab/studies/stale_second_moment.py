"""A gradient that suddenly grows meets a second moment of the past: long steps, and a loss that rises."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..digits import load
from ..style import COLOURS
from ._capped import WatchedAdam
from ._declare import Outcome, study
from ._drawing import curves
from ._training import digits

BETA2S, JUMPS = (0.999, 0.99, 0.95), (3, 10, 100)
QUIET, AFTER = 5000, 60
BAD_STEP, FOLLOWED, SEEDS = 400, 30, (0, 1, 2)
ALARM = 2.3


@study(
    claim="Loss spikes come from a stale second moment: g^2/v exceeds its usual size first; capping the step by it "
    "helps.",
    source="Wortsman et al. 2023, Stable and low-precision training (StableAdamW)",
    criterion="A gradient that is 1 for 5 000 steps and then 100 (beta2 = 0.999) makes a step above 6 lr, capped by "
    "RMS_t at most 1.2 lr. On the digits one mislabelled batch at step 401 lifts RMS_t above 2.3, as no batch in the "
    "300 steps before did, and the largest training loss of the next 30 steps comes later; capped, the loss rises by a "
    "smaller factor: on each of 3 seeds.",
)
def run() -> Outcome:
    """One coordinate with a jump of the gradient; a network with one bad batch."""
    free = {b: _jump(b, JUMPS, capped=False) for b in BETA2S}
    lengths, rms_at_jump = {b: steps for b, (steps, _) in free.items()}, {b: rms for b, (_, rms) in free.items()}
    capped = _jump(0.999, (100,), capped=True)[0][100]
    peak = {(b, k): float(steps.max()) for b in BETA2S for k, steps in lengths[b].items()}
    capped_peak = float(capped.max())
    runs = {(seed, cap): _bad_batch(seed, capped=cap) for seed in SEEDS for cap in (False, True)}
    plain = [runs[seed, False] for seed in SEEDS]
    at_bad = [rms[BAD_STEP] for _, rms in plain]
    before = [max(rms[BAD_STEP - 300 : BAD_STEP]) for _, rms in plain]
    delay = [int(np.argmax(losses)) for losses, _ in plain]
    rise = {cap: [float(max(runs[s, cap][0]) / runs[s, cap][0][0]) for s in SEEDS] for cap in (False, True)}
    level = {cap: float(np.median([runs[s, cap][0][0] for s in SEEDS])) for cap in (False, True)}
    numbers: dict[str, Any] = {
        "rms_at_a_jump_to_100": {f"{b:g}": rms for b, rms in rms_at_jump.items()},
        "longest_step_over_lr": {f"{b:g}, jump to {k}": length for (b, k), length in peak.items()},
        "longest_capped_step_over_lr_jump_to_100": capped_peak,
        "rms_at_the_bad_batch": at_bad,
        "largest_rms_of_300_steps_before": before,
        "steps_from_the_bad_batch_to_the_largest_loss": delay,
        "median_loss_before_the_bad_batch": {"Adam": level[False], "capped": level[True]},
        "rise_of_the_loss": rise[False],
        "rise_of_the_loss_capped": rise[True],
    }
    finding = (
        f"A jump to 100 makes steps of {peak[0.999, 100]:.2f}, {peak[0.99, 100]:.2f}, {peak[0.95, 100]:.2f} lr at "
        f"beta2 0.999, 0.99, 0.95; capped {capped_peak:.2f}. One bad batch: RMS_t {min(at_bad):.1f} or more "
        f"after at most {max(before):.1f}, and the loss is largest {min(delay)} to {max(delay)} steps later (claimed: "
        f"1 to 8). The cap shortens the step that the bad batch makes, while m carries it on: the loss rises "
        f"by {np.median(rise[True]) - 1:.1%} instead of {np.median(rise[False]) - 1:.1%}, but from "
        f"{level[True]:.3f} instead of {level[False]:.3f} (medians), because the cap slows ordinary steps too."
    )

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        at = range(AFTER + 1)
        lines = {rf"Adam, $\beta_2$ = {b:g}": (at, lengths[b][100]) for b in BETA2S}
        lines[r"capped, $\beta_2$ = 0.999"] = (at, capped)
        title = "The gradient grows 100-fold at step 1"
        curves(left, lines, title=title, x="step", y="step / lr", reference=r"Adam, $\beta_2$ = 0.999")
        after = range(FOLLOWED + 1)
        for (seed, cap), (losses, _) in runs.items():
            name, dashes = f"seed {seed}{', capped' * cap}", "--" if cap else "-"
            right.plot(after, losses, dashes, color=COLOURS[seed], label=name)
        right.set(title="Digits: one mislabelled batch at step 1", xlabel="step", ylabel="training loss (nats)")
        low, high = right.get_ylim()
        right.set_ylim(low, high + 0.35 * (high - low))  # room for the legend
        right.legend(loc="upper center", ncols=2)

    above = peak[0.999, 100] > 6 and capped_peak <= 1.2
    warned = min(at_bad) > ALARM > max(before) and min(delay) > 1
    helped = all(with_cap < without for with_cap, without in zip(rise[True], rise[False], strict=True))
    return Outcome(numbers, above and warned and helped, finding, draw)


def _jump(beta2: float, sizes: tuple[int, ...], *, capped: bool) -> tuple[dict[int, Any], float]:
    """By size of the jump, step lengths over lr from the last quiet step on; the largest RMS_t at the jump."""
    optimizer = WatchedAdam(capped=capped, lr=1.0, betas=(0.9, beta2), eps=0.0)
    lengths: dict[int, list[float]] = {size: [] for size in sizes}
    x = {str(size): np.zeros(1) for size in sizes}
    quiet, loud = (
        {str(size): np.array([1.0 if before else float(size)]) for size in sizes} for before in (True, False)
    )
    for t in range(QUIET + AFTER):
        for place in x.values():
            place[:] = 0  # read from zero, so that no digits are lost to the way behind
        optimizer.step(x, quiet if t < QUIET else loud)
        for size in sizes:
            lengths[size].append(-float(x[str(size)][0]))
    return {size: np.array(found[QUIET - 1 :]) for size, found in lengths.items()}, optimizer.rms[QUIET]


def _bad_batch(seed: int, *, capped: bool) -> tuple[list[float], list[float]]:
    """Training loss before the bad batch and after each step from it on, and RMS_t of all steps."""
    problem, data = digits(), load().train
    params, gradient = problem.start(seed), problem.gradients(seed, BAD_STEP + FOLLOWED)
    optimizer, losses = WatchedAdam(capped=capped, lr=0.003), []
    rows = np.random.default_rng(seed).choice(len(data.y), problem.batch_size, replace=False)
    for t in range(BAD_STEP + FOLLOWED):
        if t == BAD_STEP:
            losses.append(problem.evaluate(params).train)
            grads = problem.network.gradient(params, data.x[rows], (data.y[rows] + 1) % 10)
        else:
            grads = gradient(params, t)
        optimizer.step(params, grads)
        if t >= BAD_STEP:
            losses.append(problem.evaluate(params).train)
    return losses, optimizer.rms
