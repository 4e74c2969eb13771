"""Ratings of items by users, explained by short vectors: a recommender."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .base import Gradient, Losses, Params, Problem, batches, split

COLUMNS = {"user": ("user", "userid", "user_id"), "item": ("item", "itemid", "item_id", "movieid", "movie_id")}


@dataclass(frozen=True)
class Ratings:
    """Ratings one by one.

    Attributes:
        user: Number of the user, from 0.
        item: Number of the item, from 0.
        rating: What the user gave.
    """

    user: NDArray[np.intp]
    item: NDArray[np.intp]
    rating: NDArray[np.float64]


def read_ratings(path: Path) -> Ratings:
    """Read a CSV file with the columns user, item, rating (MovieLens: userId, movieId, rating, timestamp).

    Raises:
        InputError: A column is missing, or a rating is no finite number; names the line.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        header = {name.strip().lower(): name for name in reader.fieldnames or ()}
        chosen = {}
        for wanted, spellings in {**COLUMNS, "rating": ("rating",)}.items():
            found = next((header[s] for s in spellings if s in header), None)
            if found is None:
                raise InputError(
                    f"{path}: no column {wanted!r}; the columns are: {', '.join(reader.fieldnames or ()) or 'none'}"
                )
            chosen[wanted] = found
        users, items, ratings = [], [], []
        for row in reader:
            try:
                value = float(row[chosen["rating"]])
            except (TypeError, ValueError):
                value = math.nan
            if not math.isfinite(value):
                raise InputError(
                    f"{path}, line {reader.line_num}: rating {row[chosen['rating']]!r} is no finite number; correct it"
                )
            users.append(row[chosen["user"]])
            items.append(row[chosen["item"]])
            ratings.append(value)
    if len(ratings) < 20 or np.ptp(ratings) == 0:
        raise InputError(f"{path}: {len(ratings)} ratings; a race needs 20 or more, and not all the same")
    number = [np.unique(np.array(names), return_inverse=True)[1].astype(np.intp) for names in (users, items)]
    return Ratings(number[0], number[1], np.array(ratings))


class RatingsProblem(Problem):
    """Rating = mean + bias of the user + bias of the item + u·v; half the mean squared error, one in ten held out.

    Ratings are standardised: predicting the mean costs 1/2. A penalty on what a batch touches keeps vectors short.

    Args:
        name: As the user wrote it.
        ratings: The data.
        rank: Length of the vectors.
    """

    loss_name = "half squared error"
    noise = "mini-batches of 256"
    tags = ("data", "user", "noisy", "sparse", "factorisation")
    source = "the user's file"
    best_known = 0.0
    batch_size = 256
    penalty = 0.02
    steps = 1000
    evaluate_every = 20
    targets = (0.49, 0.47, 0.45, 0.42, 0.38)

    def __init__(self, name: str, ratings: Ratings, rank: int = 8) -> None:
        self.name = name
        self.users, self.items = int(ratings.user.max()) + 1, int(ratings.item.max()) + 1
        self.rank = rank
        self.title = f"{name}: {len(ratings.rating)} ratings, {self.users} users, {self.items} items, rank {rank}"
        self._rest, self._held = split(len(ratings.rating), 10)
        known = ratings.rating[self._rest]
        value = (ratings.rating - known.mean()) / (known.std() or 1.0)
        self.ratings = Ratings(ratings.user, ratings.item, value)

    def start(self, seed: int) -> Params:
        rng = np.random.default_rng([seed, 0])
        return {
            "user": rng.normal(0, 0.1, (self.users, self.rank)),
            "item": rng.normal(0, 0.1, (self.items, self.rank)),
            "user_bias": np.zeros(self.users),
            "item_bias": np.zeros(self.items),
        }

    def _errors(self, params: Params, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        user, item = self.ratings.user[rows], self.ratings.item[rows]
        product = np.sum(params["user"][user] * params["item"][item], axis=1)
        errors: NDArray[np.float64] = (
            params["user_bias"][user] + params["item_bias"][item] + product - self.ratings.rating[rows]
        )
        return errors

    def _loss(self, params: Params, rows: NDArray[np.intp], penalty: float) -> float:
        touched = params["user"][self.ratings.user[rows]], params["item"][self.ratings.item[rows]]
        length = sum(float(np.sum(block**2)) for block in touched)
        return float(np.sum(self._errors(params, rows) ** 2) + penalty * length) / (2 * len(rows))

    def gradients(self, seed: int, steps: int) -> Gradient:
        order = batches(len(self._rest), self.batch_size, seed, steps)

        def gradient(params: Params, step: int) -> Params:
            rows = self._rest[order[step]]
            user, item = self.ratings.user[rows], self.ratings.item[rows]
            errors = self._errors(params, rows) / len(rows)
            penalty = self.penalty / len(rows)
            grads = {name: np.zeros_like(value) for name, value in params.items()}
            np.add.at(grads["user_bias"], user, errors)
            np.add.at(grads["item_bias"], item, errors)
            np.add.at(grads["user"], user, errors[:, None] * params["item"][item] + penalty * params["user"][user])
            np.add.at(grads["item"], item, errors[:, None] * params["user"][user] + penalty * params["item"][item])
            return grads

        return gradient

    def evaluate(self, params: Params) -> Losses:
        return Losses(self._loss(params, self._rest, self.penalty), self._loss(params, self._held, 0.0))
