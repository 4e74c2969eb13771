"""A small residual network learns scikit-learn's handwritten digits under a one-cycle schedule.

Only the module of the optimizer differs between torch's run and ours. The schedule writes the learning rate and
`betas` before every step, the weights lie channels-last, and the batch norms have buffers beside the parameters.

Run: python examples/torch_digits_cnn.py [--optim torch.optim] [--checkpoint digits.pt] [--resume]
Try: the same with --kill-at 250, then with --resume; the digest equals that of a run never killed.
"""

from types import ModuleType

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, silu
from torch_common import Batches, Run, main

STEPS, BATCH, LR = 400, 64, 0.003


class Block(nn.Module):
    """Two 3x3 convolutions and a way past them."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inside, outside, 3, stride, padding=1, bias=False)
        self.second = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outside) for _ in range(2))
        same = stride == 1 and inside == outside
        self.past = nn.Identity() if same else nn.Conv2d(inside, outside, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = silu(self.norms[0](self.first(x)))
        return silu(self.norms[1](self.second(y)) + self.past(x))


def network() -> nn.Sequential:
    """Images (n, 1, 8, 8) to logits (n, 10)."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.SiLU(),
        Block(16, 16, 1),
        Block(16, 32, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(32, 10),
    )


def build(optim: ModuleType, steps: int = STEPS, seed: int = 0) -> Run:
    """The run; a fifth of the images is kept for the test.

    Args:
        optim: Module with the class `Adam`.
        steps: Length of the schedule, from 1.
        seed: Of weights, data order and dropout.
    """
    digits = load_digits()
    images = torch.tensor(digits.images[:, None] / 16.0, dtype=torch.float32).to(memory_format=torch.channels_last)
    labels = torch.tensor(digits.target)
    test, training = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0)).tensor_split([360])

    torch.manual_seed(seed)
    model = network().to(memory_format=torch.channels_last)
    optimizer = optim.Adam(model.parameters(), lr=LR)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=LR, total_steps=steps)  # cycles beta1 too
    batches = Batches(len(training), BATCH, seed)

    def step() -> Tensor:
        rows = training[batches.next()]
        loss = cross_entropy(model(images[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if schedule.last_epoch < steps - 1:  # the cycle has a rate for each step and none after the last
            schedule.step()
        return loss.detach()

    @torch.no_grad()
    def quality() -> dict[str, float]:
        model.eval()
        right = model(images[test]).argmax(1) == labels[test]
        model.train()
        return {"accuracy": right.float().mean().item()}

    return Run(step, quality, {"model": model, "optimizer": optimizer, "schedule": schedule, "batches": batches})


if __name__ == "__main__":
    main(build, __doc__, STEPS)
