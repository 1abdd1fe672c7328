"""DCGAN: the convolutional networks with which adversarial training first became stable.

Radford, Metz & Chintala, Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks,
ICLR 2016. https://arxiv.org/abs/1511.06434
The five guidelines of section 3: strided convolutions alone; batch normalisation but for G's last and D's first layer;
no hidden fully connected layer; ReLU and a last tanh in G; LeakyReLU in D. Initialisation and training of section 4,
widths and the 100 uniform numbers of a code of figure 1.

Deviations: the first layer of G is normalised by channel, in the authors' code by unit. The kernels are 5 pixels wide
in the preset "paper" as in figure 1, 4 otherwise, as in most later work. "small" has a faster G, shows D its images
under noise, lest it learn the few scanned digits by heart, and samples from averaged weights.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...networks.adversarial.dcgan import Discriminator, Generator
from ...objectives.adversarial import logistic_d, nonsaturating_g, wins
from ...system import Batch, Losses, Paper, Preset, Recipe, System


class DCGAN(System):
    """The non-saturating game between two convolutional networks."""

    paper = Paper(
        "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
        "Radford, Metz & Chintala",
        2015,
        "https://arxiv.org/abs/1511.06434",
    )
    recipe = Recipe(data="lsun", size=64, batch=128, steps=118_000)
    presets = {
        "paper": Preset(dict(ch=128, kernel=5, size=64, channels=3)),
        "small": Preset(
            dict(ch=40, lr=1e-3, noise=0.2), dict(data="digits", size=16, batch=64, steps=4_000, ema=0.998)
        ),
        "tiny": Preset(dict(z=8, ch=4), dict(data="digits", size=16, batch=8, steps=20)),
    }

    def __init__(
        self,
        z: int = 100,  # numbers in a code
        ch: int = 128,  # channels of the layers next to the picture; twice as many at each halving of the side
        kernel: int = 4,  # side of the filters, pixels
        size: int = 64,  # image side, pixels
        channels: int = 3,
        lr: float = 2e-4,  # of G
        lr_d: float = 2e-4,  # of D
        beta1: float = 0.5,  # Adam's momentum
        noise: float = 0.0,  # standard deviation of the noise on the images that D sees
    ) -> None:
        super().__init__()
        self.z, self.lr, self.lr_d, self.betas, self.noise = z, lr, lr_d, (beta1, 0.999), noise
        self.G = Generator(z, ch, size, channels, kernel)
        self.D = Discriminator(ch, size, channels, kernel)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each network."""
        return {
            "G": Adam(self.G.parameters(), self.lr, self.betas, fused=True),
            "D": Adam(self.D.parameters(), self.lr_d, self.betas, fused=True),
        }

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The discriminator's turn, then the generator's."""
        with torch.no_grad():
            fake = self.sample(batch)
        real_score, fake_score = self.judge(batch, batch.image), self.judge(batch, fake)
        yield {"D": logistic_d(real_score, fake_score)}
        self.report(**{"D wins": wins(real_score, fake_score)})
        yield {"G": nonsaturating_g(self.judge(batch, self.sample(batch)))}

    def judge(self, batch: Batch, image: Tensor) -> Tensor:
        """D's scores of images under noise: (b, channels, size, size) -> (b,)."""
        return self.D(batch.noisy(image, self.noise))

    def prior(self, given: Batch) -> Tensor:
        """Uniform codes in [-1, 1]: (n, z)."""
        return given.rand(self.z) * 2 - 1

    def decode(self, code: Tensor) -> Tensor:
        """Images of codes: (b, z) -> (b, channels, size, size)."""
        return self.G(code)

    def sample(self, given: Batch) -> Tensor:
        """Images (n, channels, size, size)."""
        return self.decode(self.prior(given))
