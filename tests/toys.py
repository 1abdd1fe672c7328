"""A system small enough to reason about, and a feed for it."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.optim import Adam

from sfumato.system import Batch, Losses, Paper, Preset, Recipe, System


class Toy(System):
    """A linear GAN: two players, no batch norm, noise from the batch and dropout from torch."""

    paper = Paper("Toy", "Nobody", 2026, "https://arxiv.org/abs/0000.00000")
    recipe = Recipe(size=4, batch=8, steps=6)
    presets = {"tiny": Preset()}

    def __init__(self, lr: float = 0.01, dropout: float = 0.0) -> None:
        super().__init__()
        self.lr = lr
        self.G, self.D, self.drop = nn.Linear(3, 16), nn.Linear(16, 1), nn.Dropout(dropout)
        self.spec = {"name": "toy", "hyper": {}}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {k: Adam(getattr(self, k).parameters(), self.lr) for k in "GD"}

    def step(self, batch: Batch) -> Iterator[Losses]:
        fake = self.sample(batch)
        yield {
            "D": {
                "real": (self.D(batch.image.flatten(1)) - 1).square(),
                "fake": self.D(fake.detach().flatten(1)).square(),
            }
        }
        if self.every(2):
            yield {"G": (self.D(self.drop(self.sample(batch).flatten(1))) - 1).square()}

    def sample(self, given: Batch) -> Tensor:
        return self.G(given.randn(3)).view(given.n, 1, 4, 4)


class Feed:
    """Batches of noise pictures, a pure function of the step."""

    def __init__(self, batch: int = 8) -> None:
        self.batch = batch

    def at(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        images = torch.randn(self.batch, 1, 4, 4, generator=torch.Generator().manual_seed(step))
        each = self.batch // parts
        return Batch(seed=step, first=part * each, total=self.batch, image=images[part * each : (part + 1) * each])


def toy(**hyper: float) -> Toy:
    torch.manual_seed(0)
    return Toy(**hyper)
