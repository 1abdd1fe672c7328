"""GAN: a generator learns to draw from a discriminator that learns to tell its pictures from real ones.

Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville & Bengio, Generative Adversarial Nets,
NeurIPS 2014. https://arxiv.org/abs/1406.2661
The game is eq. 1 and algorithm 1 with k = 1, the non-saturating loss section 3, the networks section 5 with the
numbers of the authors' pylearn2 configuration for MNIST; their noise is normal, their discriminator drops out inputs.
Maxout: https://arxiv.org/abs/1302.4389

Deviations: momentum and learning rate are constant, where theirs go from 0.5 to 0.7 and down by 4e-6 of itself an
iteration. `adam` is not in the paper: the presets "small" and "tiny" use it, for the paper's SGD needs hundreds of
epochs. "small" samples from averaged weights.
"""

from collections.abc import Iterator
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from ...errors import nearest
from ...networks.adversarial.maxout import Maxout, Picture, uniform
from ...objectives.adversarial import logistic_d, minimax_g, nonsaturating_g, wins
from ...system import Batch, Losses, Paper, Preset, Recipe, System

GAMES = {"nonsaturating": nonsaturating_g, "minimax": minimax_g}


class GAN(System):
    """Two fully connected networks: rectifiers against maxout."""

    paper = Paper("Generative Adversarial Nets", "Goodfellow et al.", 2014, "https://arxiv.org/abs/1406.2661")
    recipe = Recipe(data="mnist", size=28, batch=100, steps=250_000)
    presets = {
        "paper": Preset(dict(size=28, channels=1)),
        "small": Preset(
            dict(hidden=400, adam=True, lr=2e-4),
            dict(data="digits", size=16, batch=64, steps=8_000, ema=0.998),
        ),
        "tiny": Preset(dict(z=8, hidden=40, adam=True, lr=1e-3), dict(data="digits", size=16, batch=8, steps=20)),
    }

    def __init__(
        self,
        z: int = 100,  # numbers in a code
        hidden: int = 1200,  # units in each of G's two layers; D's have a fifth as many, of five pieces
        size: int = 28,  # image side, pixels
        channels: int = 1,
        loss: Literal["nonsaturating", "minimax"] = "nonsaturating",  # what G minimises
        lr: float = 0.1,
        momentum: float = 0.5,  # of SGD, and the first beta of Adam
        adam: bool = False,  # Adam in the place of SGD
    ) -> None:
        super().__init__()
        self.z, self.lr, self.momentum, self.adam = z, lr, momentum, adam
        self.loss_g = GAMES[nearest(loss, GAMES, "loss of G")]
        units, reach = hidden // 5, 0.05
        self.G = nn.Sequential(
            nn.Linear(z, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), Picture(hidden, channels, size)
        )
        self.D = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.2), Maxout(channels * size * size, units, 5),
            nn.Dropout(0.5), Maxout(units, units, 5),
            nn.Dropout(0.5), nn.Linear(units, 1), nn.Flatten(0),
        )  # fmt: skip
        uniform(self.G, reach)
        uniform(self.D, reach / 10)

    def optimizers(self) -> dict[str, Optimizer]:
        """One for each network, alike."""
        return {
            k: Adam(net.parameters(), self.lr, betas=(self.momentum, 0.999), fused=True)
            if self.adam
            else SGD(net.parameters(), self.lr, self.momentum)
            for k, net in (("G", self.G), ("D", self.D))
        }

    def start(self, batch: Batch) -> None:
        """The generator's output biases begin at the mean picture."""
        cast(Picture, self.G[-1]).centre(batch.image)

    def score(self, image: Tensor) -> Tensor:
        """Logits that images are real, from pixels in [0, 1]: (b, c, h, w) -> (b,)."""
        return self.D((image + 1) / 2).float()

    def step(self, batch: Batch) -> Iterator[Losses]:
        """Algorithm 1."""
        with torch.no_grad():
            fake = self.sample(batch)
        real_score, fake_score = self.score(batch.image), self.score(fake)
        yield {"D": logistic_d(real_score, fake_score)}
        self.report(**{"D wins": wins(real_score, fake_score)})
        yield {"G": self.loss_g(self.score(self.sample(batch)))}

    def prior(self, given: Batch) -> Tensor:
        """Normal codes: (n, z)."""
        return given.randn(self.z)

    def decode(self, code: Tensor) -> Tensor:
        """Images of codes: (b, z) -> (b, channels, size, size)."""
        return self.G(code)

    def sample(self, given: Batch) -> Tensor:
        """Images (n, channels, size, size)."""
        return self.decode(self.prior(given))
