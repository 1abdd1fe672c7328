"""LAPGAN: a small GAN draws a coarse picture, and at each doubling another draws the detail that it still lacks.

Denton, Chintala, Szlam & Fergus, Deep Generative Image Models using a Laplacian Pyramid of Adversarial Networks,
NeurIPS 2015. https://arxiv.org/abs/1506.05751
The pyramid of section 2.2, the game of section 3 (eq. 2) at each level by itself, figure 1 for drawing, networks and
training of section 4.1 for CIFAR-10 with the widths of the authors' code. Coarsest pictures have 8 px; "paper" has
levels of 28, 14 and 8 px. A discriminator sees a band added to the picture that it belongs to. "cifar10-classes" is
the class-conditional model.

Deviations: pictures of 28 px are CIFAR's resized, not four crops of each. The momentum is constant, the paper's goes
from 0.5 to 0.8 over hundreds of epochs, while the rate falls by 4e-5 of it each. The networks of the end are kept, not
those that a Parzen window liked best. Drawn pictures are clipped to [-1, 1]. `adam` and `noise` are not in the paper:
"small" and "tiny" use Adam; "small" has a narrower G and no momentum, shows D images under noise and samples from
averaged weights.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from ...networks.adversarial.lapgan import BandDiscriminator, BandGenerator, DenseDiscriminator, DenseGenerator
from ...networks.adversarial.pyramid import pyramid, resized, sides_of
from ...objectives.adversarial import logistic_d, nonsaturating_g, wins
from ...system import Batch, Losses, Paper, Preset, Recipe, System


class LAPGAN(System):
    """A game at each level of a pyramid, from fine (0) to coarse. Levels do not know of each other until they draw."""

    paper = Paper(
        "Deep Generative Image Models using a Laplacian Pyramid of Adversarial Networks",
        "Denton et al.",
        2015,
        "https://arxiv.org/abs/1506.05751",
    )
    recipe = Recipe(data="cifar10", size=28, batch=128, steps=200_000)
    presets = {
        "paper": Preset(dict(size=28, channels=3)),
        "cifar10-classes": Preset(dict(size=28, channels=3, classes=10), dict(view="labelled")),
        "small": Preset(
            dict(z=50, ch=16, hidden=300, kernel=5, adam=True, lr=1e-3, momentum=0.0, noise=0.1),
            dict(data="digits", size=32, batch=64, steps=3_000, ema=0.995),
        ),
        "tiny": Preset(
            dict(z=8, ch=4, hidden=16, hidden_d=8, kernel=3, adam=True, lr=1e-3),
            dict(data="digits", size=16, batch=8, steps=20),
        ),
    }

    def __init__(
        self,
        z: int = 100,  # numbers in the code of a coarsest picture; finer levels have one for each pixel
        ch: int = 128,  # channels of convolutions
        hidden: int = 1200,  # units of the hidden layers of the coarsest G
        hidden_d: int = 600,  # and of its D
        kernel: int = 7,  # side of the kernels of G's hidden layers, pixels
        coarsest: int = 8,  # side of the coarsest pictures, pixels
        size: int = 28,  # image side, pixels
        channels: int = 3,
        classes: int = 0,  # classes of pictures that are asked for by their class, with --view labelled; 0 = none
        lr: float = 0.02,
        momentum: float = 0.5,  # of SGD, and the first beta of Adam
        adam: bool = False,  # Adam in the place of SGD
        noise: float = 0.0,  # standard deviation of the noise on the images that D sees
    ) -> None:
        super().__init__()
        self.classes, self.lr, self.momentum, self.adam, self.noise = classes, lr, momentum, adam, noise
        self.sides = sides_of(size, coarsest)
        self.parts = [*(side**2 for side in self.sides[:-1]), z]
        self.G, self.D = nn.ModuleList(), nn.ModuleList()
        for side in self.sides[:-1]:
            self.G.append(BandGenerator(ch, side, channels, classes, kernel))
            self.D.append(BandDiscriminator(ch, side, channels, classes))
        self.G.append(DenseGenerator(z, hidden, coarsest, channels, classes))
        self.D.append(DenseDiscriminator(hidden_d, coarsest, channels, classes))

    def optimizers(self) -> dict[str, Optimizer]:
        """One for each network of each level, alike: "D0", the finest, "D1" …, "G0" …."""
        return {
            f"{k}{i}": Adam(net.parameters(), self.lr, betas=(self.momentum, 0.999), fused=True)
            if self.adam
            else SGD(net.parameters(), self.lr, self.momentum)
            for k, nets in (("D", self.D), ("G", self.G))
            for i, net in enumerate(nets)
        }

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The turn of all discriminators, then of all generators, each on real pictures of the level below it."""
        levels, label = pyramid(batch.image, self.sides), self.label(batch)
        losses = {}
        for k, (band, low) in enumerate(levels):
            with torch.no_grad():
                fake = self.drawn(batch, k, low, label)
            real_score, fake_score = self.judge(batch, k, low + band, label), self.judge(batch, k, low + fake, label)
            losses[f"D{k}"] = logistic_d(real_score, fake_score)
            self.report(**{f"D{k} wins": wins(real_score, fake_score)})
        yield losses
        yield {
            f"G{k}": nonsaturating_g(self.judge(batch, k, low + self.drawn(batch, k, low, label), label))
            for k, (_, low) in enumerate(levels)
        }

    def drawn(self, given: Batch, k: int, low: Tensor, label: Tensor) -> Tensor:
        """Bands of a level from noise of their own: (n, channels, side, side)."""
        return self.G[k](given.rand(self.parts[k]) * 2 - 1, low, label)

    def judge(self, given: Batch, k: int, image: Tensor, label: Tensor) -> Tensor:
        """Scores of a level's pictures under noise: (n, channels, side, side) -> (n,)."""
        return self.D[k](given.noisy(image, self.noise), label)

    def label(self, given: Batch) -> Tensor:
        """The classes asked for, or drawn if none are, as one-hot: (n, classes), float32."""
        if not self.classes:
            return torch.zeros(given.n, 0, device=given.device)
        index = given.label if "label" in given else given.randint(self.classes)
        return F.one_hot(index, self.classes).float()

    def prior(self, given: Batch) -> Tensor:
        """Uniform codes in [-1, 1) of all levels, from fine to coarse, then the class: (n, pixels + z + classes)."""
        return torch.cat([given.rand(sum(self.parts)) * 2 - 1, self.label(given)], 1)

    def decode(self, code: Tensor) -> Tensor:
        """Images of codes, level by level from the coarsest: (b, …) -> (b, channels, size, size)."""
        *noise, label = code.split([*self.parts, self.classes], 1)
        image = self.G[-1](noise[-1], code, label)
        for k in reversed(range(len(self.sides) - 1)):
            low = resized(image, self.sides[k])
            image = low + self.G[k](noise[k], low, label)
        return image.clamp(-1, 1)

    def sample(self, given: Batch) -> Tensor:
        """Images (n, channels, size, size)."""
        return self.decode(self.prior(given))
