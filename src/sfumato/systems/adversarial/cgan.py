"""Conditional GAN: both networks are told the class.

Mirza & Osindero, Conditional Generative Adversarial Nets, 2014. https://arxiv.org/abs/1411.1784
Eq. 2, with the networks and the training of section 4.1 for MNIST. Maxout: https://arxiv.org/abs/1302.4389

Deviations: the learning rate falls to zero on a line, the paper's exponentially from 0.1 to 1e-6; the momentum is
constant, the paper's goes from 0.5 to 0.7. Weights begin as PyTorch's do, the paper does not say.
`adam`, `norm` and `noise` are not in the paper: "small" and "tiny" use Adam, for the paper's SGD needs hundreds of
epochs; "small" normalises G's layers, drops out nothing in G, shows D images under noise and samples from averaged
weights.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from ...networks.adversarial.maxout import Maxout, Picture
from ...objectives.adversarial import logistic_d, nonsaturating_g, wins
from ...system import Batch, Losses, Paper, Preset, Recipe, System, linear


class Generator(nn.Module):
    """Noise and class through layers of their own, then a joint one: (b, z), (b, classes) -> (b, c, h, w)."""

    def __init__(self, z: int, classes: int, hidden: int, size: int, channels: int, drop: float, norm: bool) -> None:
        super().__init__()
        self.noise, self.label = nn.Linear(z, hidden // 6), nn.Linear(classes, hidden - hidden // 6)
        self.joint, self.drop = nn.Linear(hidden, hidden), nn.Dropout(drop)
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) if norm else nn.Identity() for _ in range(2))
        self.picture = Picture(hidden, channels, size)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """Images of codes and one-hot classes, float32 in [-1, 1]."""
        h = self.drop(F.relu(self.norms[0](torch.cat([self.noise(z), self.label(y)], 1))))
        return self.picture(self.drop(F.relu(self.norms[1](self.joint(h)))))


class Discriminator(nn.Module):
    """Image and class through maxout layers of their own, then a joint one: (b, c, h, w), (b, classes) -> (b,)."""

    def __init__(self, classes: int, hidden: int, size: int, channels: int, drop: float) -> None:
        super().__init__()
        units, few = hidden // 5, hidden // 24
        self.image, self.label = Maxout(channels * size * size, units, 5), Maxout(classes, few, 5)
        self.joint, self.drop = Maxout(units + few, units, 4), nn.Dropout(drop)
        self.score = nn.Linear(units, 1)

    def forward(self, image: Tensor, y: Tensor) -> Tensor:
        """Scores of images given one-hot classes, float32. Pixels are seen in [0, 1]."""
        h = torch.cat([self.image((image.flatten(1) + 1) / 2), self.label(y)], 1)
        return self.score(self.drop(self.joint(self.drop(h)))).squeeze(1).float()


class CGAN(System):
    """The game of the GAN, class by class."""

    paper = Paper(
        "Conditional Generative Adversarial Nets", "Mirza & Osindero", 2014, "https://arxiv.org/abs/1411.1784"
    )
    recipe = Recipe(
        data="mnist", size=28, batch=100, steps=250_000, view="labelled", schedule=linear,
        metrics=("frechet", "class-accuracy"),
    )  # fmt: skip
    presets = {
        "paper": Preset(dict(size=28, channels=1, classes=10)),
        "small": Preset(
            dict(hidden=600, adam=True, lr=1e-3, lr_d=5e-4, drop=0.0, drop_d=0.2, norm=True, noise=0.1),
            dict(data="digits", size=16, batch=64, steps=4_000, ema=0.995),
        ),
        "tiny": Preset(
            dict(z=8, hidden=48, adam=True, lr=1e-3, lr_d=1e-3), dict(data="digits", size=16, batch=8, steps=20)
        ),
    }

    def __init__(
        self,
        z: int = 100,  # numbers in a code
        hidden: int = 1200,  # units of G's joint layer; 1/6 of them see the code first, D has 1/5 and 1/24 (50)
        size: int = 28,  # image side, pixels
        channels: int = 1,
        classes: int = 10,
        drop: float = 0.5,  # chance that a unit of G is dropped
        drop_d: float = 0.5,  # and one of D
        norm: bool = False,  # batch normalisation in G
        lr: float = 0.1,  # of G
        lr_d: float = 0.1,  # of D
        momentum: float = 0.5,  # of SGD, and the first beta of Adam
        adam: bool = False,  # Adam in the place of SGD
        noise: float = 0.0,  # standard deviation of the noise on the images that D sees
    ) -> None:
        super().__init__()
        self.z, self.classes, self.momentum, self.adam, self.noise = z, classes, momentum, adam, noise
        self.lr = {"G": lr, "D": lr_d}
        self.G = Generator(z, classes, hidden, size, channels, drop, norm)
        self.D = Discriminator(classes, hidden, size, channels, drop_d)

    def optimizers(self) -> dict[str, Optimizer]:
        """One for each network, alike."""
        return {
            k: Adam(net.parameters(), self.lr[k], betas=(self.momentum, 0.999), fused=True)
            if self.adam
            else SGD(net.parameters(), self.lr[k], self.momentum)
            for k, net in (("G", self.G), ("D", self.D))
        }

    def start(self, batch: Batch) -> None:
        """The generator's output biases begin at the mean picture."""
        self.G.picture.centre(batch.image)

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The discriminator's turn, then the generator's, on the classes of the batch."""
        with torch.no_grad():
            fake = self.sample(batch)
        real_score, fake_score = self.judge(batch, batch.image), self.judge(batch, fake)
        yield {"D": logistic_d(real_score, fake_score)}
        self.report(**{"D wins": wins(real_score, fake_score)})
        yield {"G": nonsaturating_g(self.judge(batch, self.sample(batch)))}

    def judge(self, batch: Batch, image: Tensor) -> Tensor:
        """D's scores of images under noise, as of the classes of the batch: (b, channels, size, size) -> (b,)."""
        return self.D(batch.noisy(image, self.noise), F.one_hot(batch.label, self.classes).float())

    def sample(self, given: Batch) -> Tensor:
        """Images of the classes `given.label`, from uniform codes in [0, 1): (n, channels, size, size)."""
        return self.G(given.rand(self.z), F.one_hot(given.label, self.classes).float())
