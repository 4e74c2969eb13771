"""The three applications that a tutorial names, small: images, text, recommendations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..style import COLOURS
from ._applications import NOISE, images, library_text, ratings, text
from ._declare import Outcome, study

LR = {"images": 3e-3, "text": 1e-2, "ratings": 1e-2}


@study(
    claim="Adam trains image classifiers, language models and recommenders.",
    source="principle and practice of Adam",
    criterion="By adamas.torch.Adam: a CNN reads at least 95 % of 360 unseen digits; a transformer's cross-entropy on "
    "unseen text is at least 0.7 nats below that of the letters' shares; a recommender's error on unseen ratings is "
    "below 0.75 stars (noise 0.5), guessing the mean gives more than 0.9.",
    needs=("torch",),
)
def run() -> Outcome:
    """Three runs at one rate each, with fixed seeds and one thread of torch."""
    import torch

    import adamas.torch

    def adam(lr: float) -> Any:
        def make(parameters: Iterable[Any]) -> Any:
            return adamas.torch.Adam(parameters, lr=lr)

        return make

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums of several threads differ in the last bit
    try:
        with torch.random.fork_rng(devices=[]):
            seen, read, rated = images(adam(LR["images"])), text(adam(LR["text"])), ratings(adam(LR["ratings"]))
    finally:
        torch.set_num_threads(threads)
    numbers = {
        "cnn": {"test_accuracy": seen.quality, "most_frequent_digit": seen.baseline, "last_loss": seen.losses[-1]},
        "transformer": {"test_loss": read.quality, "entropy_of_letters": read.baseline, "sha256": library_text()[1]},
        "recommender": {"test_rmse": rated.quality, "rmse_of_the_mean": rated.baseline, "noise": NOISE},
        "learning_rates": LR,
    }

    def draw(figure: Any) -> None:
        runs = {"CNN, digits": seen, "transformer, letters": read, "recommender, ratings": rated}
        units = ("cross-entropy (nats)", "cross-entropy (nats)", "squared error (stars²)")
        guesses = (np.log(10), read.baseline, rated.baseline**2)
        for axis, (title, result), unit, guess in zip(figure.subplots(1, 3), runs.items(), units, guesses, strict=True):
            axis.plot(result.losses, color=COLOURS[0], linewidth=1, label="loss of the batch")
            axis.axhline(guess, color="0.4", linestyle="--", linewidth=1, label="best blind guess")
            axis.set(title=title, xlabel="step", ylabel=unit)
            axis.set_ylim(0, None)
        figure.axes[0].legend(loc="center right", fontsize=8)

    finding = (
        f"The CNN reads {100 * seen.quality:.1f} % of the unseen digits; the transformer reaches {read.quality:.2f} "
        f"nats a letter (shares of letters: {read.baseline:.2f}); the recommender errs by {rated.quality:.2f} stars "
        f"(mean: {rated.baseline:.2f}, noise: {NOISE})."
    )
    learnt = seen.quality >= 0.95 and read.quality <= read.baseline - 0.7
    passed = learnt and rated.quality < 0.75 and rated.baseline > 0.9
    return Outcome(numbers, passed, finding, draw)
