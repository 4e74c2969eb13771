"""A small GPT learns the texts behind Python's `help()`, character by character.

Only the module of the optimizer differs between torch's run and ours. AdamW has two groups (matrices decay, biases
and norms do not), the first layer's matrix is also the last's, gradients are clipped by their global norm, and the
learning rate warms up and then falls along a cosine.

Run: python examples/torch_small_gpt.py [--optim torch.optim] [--checkpoint gpt.pt] [--resume]
Try: the same with --kill-at 250, then with --resume; the digest equals that of a run never killed.
"""

import math
from pydoc_data.topics import topics
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention
from torch_common import Batches, Run, main

STEPS, BATCH, LR = 600, 16, 3e-3
LENGTH, WIDTH, HEADS, LAYERS, DROPOUT = 64, 64, 4, 2, 0.05


class Layer(nn.Module):
    """Causal attention, then a two-layer network; each adds to what it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.attend, self.mix = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.think = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        n, length, _ = x.shape
        heads = self.attend(self.norms[0](x)).view(n, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        seen = scaled_dot_product_attention(*heads, is_causal=True)
        x = x + self.drop(self.mix(seen.transpose(1, 2).reshape(n, length, WIDTH)))
        return x + self.drop(self.think(self.norms[1](x)))


class SmallGPT(nn.Module):
    """Characters (n, length) to logits (n, length, letters)."""

    def __init__(self, letters: int) -> None:
        super().__init__()
        self.letter, self.place = nn.Embedding(letters, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.layers = nn.Sequential(*(Layer() for _ in range(LAYERS)), nn.LayerNorm(WIDTH))
        self.head = nn.Linear(WIDTH, letters, bias=False)
        for matrix in (self.letter.weight, self.place.weight):
            nn.init.normal_(matrix, std=0.05)
        self.head.weight = self.letter.weight  # one parameter under two names

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(self.letter(x) + self.place.weight[: x.shape[1]]))


def build(optim: ModuleType, steps: int = STEPS, seed: int = 0) -> Run:
    """The run; the last tenth of the text is kept for the test.

    Args:
        optim: Module with the class `AdamW`.
        steps: Length of the schedule, from 1.
        seed: Of weights, data order and dropout.
    """
    text = "\n".join(topics[name] for name in sorted(topics))
    letters = {letter: code for code, letter in enumerate(sorted(set(text)))}
    codes = torch.tensor([letters[letter] for letter in text])
    windows = codes.unfold(0, LENGTH + 1, LENGTH)  # each begins with the last character of the one before
    training, test = windows.tensor_split([9 * len(windows) // 10])

    torch.manual_seed(seed)
    model = SmallGPT(len(letters))
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = optim.AdamW(groups, lr=LR, betas=(0.9, 0.99))
    warmup = max(1, steps // 20)

    def factor(done: int) -> float:
        return min((done + 1) / warmup, 0.5 + 0.5 * math.cos(math.pi * max(0, done - warmup) / steps))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    batches = Batches(len(training), BATCH, seed)

    def loss_of(rows: Tensor) -> Tensor:
        return cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())

    def step() -> Tensor:
        loss = loss_of(training[batches.next()])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        return loss.detach()

    @torch.no_grad()
    def quality() -> dict[str, float]:
        model.eval()
        loss = torch.stack([loss_of(rows) for rows in test.split(128)[:-1]]).mean().item()
        model.train()
        shares = torch.bincount(codes).double() / len(codes)
        entropy = -torch.special.xlogy(shares, shares).sum().item()  # of a model that knows each letter's share only
        return {"test_loss": loss, "perplexity": math.exp(loss), "unigram_entropy": entropy}

    return Run(step, quality, {"model": model, "optimizer": optimizer, "schedule": schedule, "batches": batches})


if __name__ == "__main__":
    main(build, __doc__, STEPS)
