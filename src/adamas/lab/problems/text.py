"""Language models of the text that comes with Python itself: pydoc_data.topics, the reference of its keywords.

The text differs a little from version to version of Python; `fingerprint` says which one was used.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from ..networks import DenseNetwork
from .base import Gradient, Losses, Params, Problem
from .function import Vector
from .network_problem import NetworkProblem, Part

SYMBOLS = 64
"""The most frequent characters, the last of them standing for all others."""
SOURCE = "pydoc_data.topics of the running Python"


@cache
def corpus() -> str:
    """All topics in alphabetical order."""
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics))


def fingerprint() -> str:
    """SHA-256 of the text."""
    return hashlib.sha256(corpus().encode()).hexdigest()


@cache
def characters() -> NDArray[np.intp]:
    """The text as numbers below `SYMBOLS`, most frequent first."""
    text = corpus()
    ranked = [symbol for symbol, _ in sorted(Counter(text).items(), key=lambda item: (-item[1], item[0]))]
    number = {symbol: min(rank, SYMBOLS - 1) for rank, symbol in enumerate(ranked)}
    return np.fromiter((number[symbol] for symbol in text), np.intp, len(text))


class Bigram(Problem):
    """A table of scores: which character follows which. The counts are the solution.

    Every pair is seen half a time more than it occurs, so that the optimum is finite. The loss is what the
    table costs above the optimum, in nats per character; its rows are as frequent as the characters: Zipf's law.

    Args:
        batch: Pairs per step.
    """

    name = "text-bigram"
    loss_name = "excess cross-entropy"
    tags = ("data", "text", "convex", "noisy", "imbalance", "sparse")
    source = SOURCE
    targets = (1.5e-2, 1.2e-2, 1e-2, 7e-3, 5e-3)
    steps = 1500
    evaluate_every = 15

    def __init__(self, *, batch: int = 512) -> None:
        self.batch = batch
        self.noise = f"mini-batches of {batch} pairs"
        self.title = f"{self.name}: which character follows which, {SYMBOLS} x {SYMBOLS} scores"

    @cached_property
    def _counts(self) -> Vector:
        text = characters()
        pairs = np.bincount(text[:-1] * SYMBOLS + text[1:], minlength=SYMBOLS**2).astype(np.float64)
        return pairs.reshape(SYMBOLS, SYMBOLS) + 0.5

    @cached_property
    def _joint(self) -> Vector:
        joint: Vector = self._counts / self._counts.sum()
        return joint

    @cached_property
    def _best(self) -> Vector:
        best: Vector = np.log(self._joint / self._joint.sum(axis=1, keepdims=True))
        return best

    @cached_property
    def subtracted(self) -> float:  # type: ignore[override]
        """Entropy of a character given the one before, nats."""
        return float(-np.sum(self._joint * self._best))

    def start(self, seed: int) -> Params:
        return {"scores": np.random.default_rng([seed, 0]).uniform(-0.01, 0.01, (SYMBOLS, SYMBOLS))}

    def _log_chances(self, params: Params) -> Vector:
        scores = params["scores"]
        shifted = scores - scores.max(axis=1, keepdims=True)
        found: Vector = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return found

    def gradients(self, seed: int, steps: int) -> Gradient:
        rng = np.random.default_rng([seed, 1])
        borders = np.cumsum(self._joint.ravel())[:-1]

        def gradient(params: Params, step: int) -> Params:
            drawn = np.searchsorted(borders, rng.random(self.batch), side="right")
            seen = np.bincount(drawn, minlength=SYMBOLS**2).reshape(SYMBOLS, SYMBOLS) / self.batch
            return {"scores": np.exp(self._log_chances(params)) * seen.sum(axis=1, keepdims=True) - seen}

        return gradient

    def evaluate(self, params: Params) -> Losses:
        value = float(np.sum(self._joint * (self._best - self._log_chances(params))))
        return Losses(value, value)

    def optimum(self) -> Params:
        return {"scores": self._best.copy()}


class WordFactors(Problem):
    """Embedding of words: log co-occurrence counts as a product of two thin tables; sparse rows, one word a draw.

    f = ½ Σ_w p_w |M_w - u_w V|² / columns, M_w,c = log(1 + times that c stands within 4 words of w), p_w the frequency
    of w. A step sees a few words, drawn by p. The singular values of the weighted table give the minimum.

    Args:
        words: Vocabulary: the most frequent ones.
        rank: Length of a word's vector.
        drawn: Words per step.
    """

    name = "text-embedding"
    loss_name = "excess squared error"
    tags = ("data", "text", "noisy", "sparse", "factorisation")
    source = SOURCE
    targets = (2e-2, 1e-2, 8e-3, 6e-3, 5e-3)
    steps = 2000
    evaluate_every = 20

    def __init__(self, *, words: int = 200, rank: int = 8, drawn: int = 16) -> None:
        self.words, self.rank, self.drawn = words, rank, drawn
        self.noise = f"{drawn} words per step, as frequent as in the text"
        self.title = f"{self.name}: co-occurrence of {words} words as a product of rank {rank}"

    @cached_property
    def _table(self) -> tuple[Vector, Vector]:
        """The table M and the frequencies p."""
        tokens = re.findall(r"[a-z_]+", corpus().lower())
        ranked = sorted(Counter(tokens).items(), key=lambda item: (-item[1], item[0]))[: self.words]
        number = {word: k for k, (word, _) in enumerate(ranked)}
        text = np.array([number.get(token, -1) for token in tokens])
        pairs = np.zeros((self.words, self.words))
        for distance in range(1, 5):
            one, other = text[:-distance], text[distance:]
            both = (one >= 0) & (other >= 0)
            np.add.at(pairs, (one[both], other[both]), 1)
        share = np.array([count for _, count in ranked], np.float64)
        return np.log1p(pairs + pairs.T), share / share.sum()

    @cached_property
    def _solution(self) -> tuple[Params, float]:
        table, share = self._table
        root = np.sqrt(share)[:, None]
        left, sizes, right = np.linalg.svd(root * table, full_matrices=False)
        spread = np.sqrt(sizes[: self.rank])
        solution = {"word": left[:, : self.rank] * spread / root, "context": spread[:, None] * right[: self.rank]}
        return solution, float(np.sum(sizes[self.rank :] ** 2) / (2 * self.words))

    @property
    def subtracted(self) -> float:  # type: ignore[override]
        """What rank `rank` leaves unexplained (Eckart and Young)."""
        return self._solution[1]

    def start(self, seed: int) -> Params:
        rng = np.random.default_rng([seed, 0])
        return {
            "word": rng.normal(0, 0.3, (self.words, self.rank)),
            "context": rng.normal(0, 0.3, (self.rank, self.words)),
        }

    def gradients(self, seed: int, steps: int) -> Gradient:
        rng = np.random.default_rng([seed, 1])
        table, share = self._table

        def gradient(params: Params, step: int) -> Params:
            count = rng.multinomial(self.drawn, share)
            rows = np.flatnonzero(count)
            vectors = params["word"][rows]
            error = (vectors @ params["context"] - table[rows]) * (count[rows, None] / (self.drawn * self.words))
            word = np.zeros_like(params["word"])
            word[rows] = error @ params["context"].T
            return {"word": word, "context": vectors.T @ error}

        return gradient

    def evaluate(self, params: Params) -> Losses:
        table, share = self._table
        error = params["word"] @ params["context"] - table
        value = float(np.sum(share[:, None] * error**2) / (2 * self.words)) - self.subtracted
        return Losses(value, value)

    def optimum(self) -> Params:
        return {name: value.copy() for name, value in self._solution[0].items()}


class CharacterNetwork(NetworkProblem):
    """The next character from the four before it, by one hidden layer; 10 000 places, a tenth held out.

    Args:
        hidden: Units.
        batch: Places in the text per step.
    """

    name = "text-charlm"
    tags = ("data", "text", "network", "noisy")
    source = SOURCE
    targets = (2.9, 2.6, 2.4, 2.2, 2.1)
    best_known = 2.0
    steps = 600
    evaluate_every = 30
    context = 4
    sample = 10_000
    held_out = 1_000

    def __init__(self, *, hidden: int = 64, batch: int = 128) -> None:
        self.batch_size = batch
        self.network = DenseNetwork((self.context * SYMBOLS, hidden, SYMBOLS))
        self.noise = f"mini-batches of {batch}"
        self.title = f"{self.name}: the next character from {self.context}, {hidden} hidden units"

    def _examples(self, places: NDArray[np.intp]) -> Part:
        """One-hot contexts, shape (places, context * SYMBOLS), and the characters after them."""
        text = characters()
        x = np.zeros((len(places), self.context * SYMBOLS), np.float32)
        for k in range(self.context):
            x[np.arange(len(places)), k * SYMBOLS + text[places + k]] = 1
        return x, text[places + self.context]

    @cached_property
    def parts(self) -> tuple[Part, Part]:
        first = self.sample - self.held_out
        return self._examples(np.arange(first)), self._examples(np.arange(first, self.sample))


def text() -> list[Problem]:
    """All of them."""
    return [Bigram(), WordFactors(), CharacterNetwork()]
