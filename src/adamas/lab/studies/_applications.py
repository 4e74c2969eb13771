"""Three small applications in torch: images, text, ratings. Each trains by an optimizer that it is given."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

Make = Callable[[Iterable[Any]], Any]


@dataclass(frozen=True)
class Application:
    """A finished training run.

    Attributes:
        losses: Training loss at every step.
        quality: What it is judged by, on data not trained on.
        baseline: The same quantity for the best guess that looks at no input.
    """

    losses: list[float]
    quality: float
    baseline: float


def _train(model: Any, make: Make, loss_of: Callable[[int], torch.Tensor], steps: int) -> list[float]:
    optimizer, losses = make(model.parameters()), []
    for step in range(steps):
        loss = loss_of(step)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    return losses


def images(make: Make, steps: int = 250, batch: int = 64) -> Application:
    """A convolutional network on the handwritten digits; quality: share of right answers on 360 test images."""
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy

    from .. import digits

    data, rng = digits.load(), np.random.default_rng(0)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10),
    )  # fmt: skip
    x, test = (torch.from_numpy(part.x.reshape(-1, 1, 8, 8)) for part in (data.train, data.test))
    y = torch.from_numpy(data.train.y)

    def loss_of(step: int) -> Any:
        rows = torch.from_numpy(rng.choice(len(y), batch, replace=False))
        return cross_entropy(model(x[rows]), y[rows])

    losses = _train(model, make, loss_of, steps)
    with torch.no_grad():
        right = model(test).argmax(1).numpy() == data.test.y
    return Application(losses, float(right.mean()), float(np.bincount(data.test.y).max() / len(data.test.y)))


def library_text() -> tuple[str, str]:
    """The help texts of Python's own `pydoc_data.topics`, and their SHA-256: they differ between versions."""
    from pydoc_data.topics import topics

    text = "\n".join(topics[name] for name in sorted(topics))
    return text, hashlib.sha256(text.encode()).hexdigest()


def text(make: Make, steps: int = 250, batch: int = 32, length: int = 32, width: int = 32) -> Application:
    """A transformer of one layer that predicts the next letter; quality: cross-entropy on the last tenth, in nats."""
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy

    letters = library_text()[0]
    codes = torch.from_numpy(np.unique(list(letters), return_inverse=True)[1])
    windows = codes.unfold(0, length + 1, length)
    training, held = windows.tensor_split([9 * len(windows) // 10])
    kinds, rng = int(codes.max()) + 1, np.random.default_rng(0)
    torch.manual_seed(0)
    letter, place = nn.Embedding(kinds, width), nn.Embedding(length, width)
    layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True, norm_first=True)
    head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, kinds))
    model = nn.ModuleList([letter, place, layer, head])
    mask = nn.Transformer.generate_square_subsequent_mask(length)

    def loss_on(rows: Any) -> Any:
        inputs = letter(rows[:, :-1]) + place.weight
        return cross_entropy(head(layer(inputs, src_mask=mask)).flatten(0, 1), rows[:, 1:].flatten())

    def loss_of(step: int) -> Any:
        return loss_on(training[torch.from_numpy(rng.choice(len(training), batch, replace=False))])

    losses = _train(model, make, loss_of, steps)
    with torch.no_grad():
        quality = loss_on(held[:400]).item()
    shares = np.bincount(codes.numpy()) / len(codes)
    return Application(losses, quality, float(-np.sum(shares * np.log(shares))))


NOISE = 0.5


def ratings(make: Make, steps: int = 800, batch: int = 512, rank: int = 4) -> Application:
    """Collaborative filtering by products of vectors; quality: root mean square error on a tenth of the ratings.

    The ratings are made: users x items of rank 2 with noise of 0.5 stars, which no prediction undercuts.
    """
    import torch
    from torch import nn

    users, items, count = 300, 200, 20_000
    rng = np.random.default_rng(0)
    user, item = rng.integers(users, size=count), rng.zipf(1.3, size=count) % items
    likes, traits = rng.standard_normal((users, 2)), rng.standard_normal((items, 2))
    stars = 3.5 + 0.6 * np.sum(likes[user] * traits[item], axis=1) + NOISE * rng.standard_normal(count)
    user_, item_, stars_ = (torch.from_numpy(a) for a in (user, item, stars.astype(np.float32)))
    train = 9 * count // 10
    torch.manual_seed(0)
    mean = float(stars[:train].mean())
    tables = nn.Embedding(users, rank), nn.Embedding(items, rank)
    vectors = nn.ModuleList(tables)
    for table in tables:
        nn.init.normal_(table.weight, std=0.3)

    def miss(rows: Any) -> Any:
        return mean + (vectors[0](user_[rows]) * vectors[1](item_[rows])).sum(1) - stars_[rows]

    def loss_of(step: int) -> Any:
        return miss(torch.from_numpy(rng.choice(train, batch, replace=False))).square().mean()

    losses = _train(vectors, make, loss_of, steps)
    with torch.no_grad():
        quality = miss(slice(train, None)).square().mean().sqrt().item()
    return Application(losses, quality, float(np.std(stars[train:])))
