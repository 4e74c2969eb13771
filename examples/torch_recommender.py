"""A recommender: ratings as products of user and item vectors, which get sparse gradients.

Only the module of the optimizers differs between torch's run and ours. SparseAdam trains the vectors of the users and
items of a batch, Adam the dense biases; one gradient scaler serves both. Its scale begins at the top of float32's
range, so that gradients do overflow: steps are skipped and the scale falls, as in training with float16.

The ratings come from a known model with noise of 0.5 stars, which no prediction can undercut; or from a file.

Run: python examples/torch_recommender.py [--ratings FILE.csv] [--optim torch.optim] [--checkpoint r.pt] [--resume]
     FILE.csv has the columns user,item,rating; a first line that is no rating is taken for a heading.
Try: the same with --kill-at 250, then with --resume; the digest equals that of a run never killed.
"""

import csv
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch_common import Batches, Run, main

STEPS, BATCH, LR, RANK = 1500, 512, 0.01, 4
USERS, ITEMS, RATINGS, NOISE = 1000, 500, 60_000, 0.5


def synthetic_ratings() -> tuple[Tensor, Tensor, Tensor]:
    """Users, items and ratings around 3.5 stars of a seeded model of rank 3; few items have most of the ratings."""
    random = torch.Generator().manual_seed(20)
    popularity = 1.0 / torch.arange(10.0, 10.0 + ITEMS)
    user = torch.randint(USERS, (RATINGS,), generator=random)
    item = torch.multinomial(popularity, RATINGS, replacement=True, generator=random)
    likes, traits = (torch.randn(n, 3, generator=random) for n in (USERS, ITEMS))
    mild, good = (0.3 * torch.randn(n, generator=random) for n in (USERS, ITEMS))
    rating = 3.5 + mild[user] + good[item] + 0.4 * (likes[user] * traits[item]).sum(1)
    return user, item, rating + NOISE * torch.randn(RATINGS, generator=random)


def read_ratings(path: Path) -> tuple[Tensor, Tensor, Tensor]:
    """Users and items, numbered by first appearance, and ratings of a CSV file.

    Raises:
        ValueError: A line is not user,item,rating, or there is none.
    """
    numbers: tuple[dict[str, int], dict[str, int]] = ({}, {})
    found: list[tuple[int, int, float]] = []
    with path.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.reader(file), 1):
            try:
                user, item, rating = row[0], row[1], float(row[2])
            except (ValueError, IndexError):
                if line == 1:
                    continue
                raise ValueError(f"{path}, line {line}: expected user,item,rating, not {','.join(row)!r}") from None
            ids = (known.setdefault(name, len(known)) for known, name in zip(numbers, (user, item)))
            found.append((*ids, rating))
    if not found:
        raise ValueError(f"{path} has no ratings")
    users, items, ratings = zip(*found)
    return torch.tensor(users), torch.tensor(items), torch.tensor(ratings, dtype=torch.float32)


class Factors(nn.Module):
    """A mean, a bias for each user and item, and the product of their vectors."""

    def __init__(self, users: int, items: int, mean: float) -> None:
        super().__init__()
        self.vectors = nn.ModuleList(nn.Embedding(n, RANK, sparse=True) for n in (users, items))
        self.biases = nn.ParameterList(torch.zeros(n) for n in (users, items))
        self.mean = nn.Parameter(torch.tensor(mean))
        for table in self.vectors:
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        product = (self.vectors[0](user) * self.vectors[1](item)).sum(1)
        return product + self.biases[0][user] + self.biases[1][item] + self.mean


def build(optim: ModuleType, steps: int = STEPS, seed: int = 0, ratings: Path | None = None) -> Run:
    """The run; a tenth of the ratings is kept for the test.

    Args:
        optim: Module with the classes `SparseAdam` and `Adam`.
        steps: Not used: the rate is constant.
        seed: Of weights and data order.
        ratings: CSV file of user, item, rating; without it ratings are made.
    """
    user, item, rating = read_ratings(Path(ratings)) if ratings else synthetic_ratings()
    test, training = torch.randperm(len(rating), generator=torch.Generator().manual_seed(0)).tensor_split(
        [len(rating) // 10]
    )

    torch.manual_seed(seed)
    model = Factors(int(user.max()) + 1, int(item.max()) + 1, rating[training].mean().item())
    sparse = optim.SparseAdam(model.vectors.parameters(), lr=LR)
    dense = optim.Adam([*model.biases, model.mean], lr=LR)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, growth_interval=100)
    batches = Batches(len(training), min(BATCH, len(training)), seed)

    def step() -> Tensor:
        rows = training[batches.next()]
        loss = mse_loss(model(user[rows], item[rows]), rating[rows], reduction="sum")
        sparse.zero_grad()
        dense.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(sparse)
        scaler.step(dense)
        scaler.update()
        return loss.detach() / len(rows)

    @torch.no_grad()
    def quality() -> dict[str, float]:
        error = mse_loss(model(user[test], item[test]), rating[test])
        found = {"rmse": error.sqrt().item(), "rmse_of_the_mean": rating[test].std().item()}
        return found if ratings else {**found, "noise": NOISE}

    parts = {"model": model, "sparse": sparse, "dense": dense, "scaler": scaler, "batches": batches}
    return Run(step, quality, parts)


if __name__ == "__main__":
    main(build, __doc__, STEPS, ratings={"type": str, "metavar": "FILE.csv", "help": "user,item,rating lines"})
