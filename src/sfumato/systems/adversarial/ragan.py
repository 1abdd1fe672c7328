"""RaGAN: the discriminator judges how much more real a picture is than the average picture of the other kind.

Jolicoeur-Martineau, The relativistic discriminator: a key element missing from standard GAN, ICLR 2019.
https://arxiv.org/abs/1807.00734
RaSGAN of section 4.2 (algorithm 2) on the CIFAR-10 networks of section 5.1 and the appendix, which are those of
spectral normalisation: https://arxiv.org/abs/1802.05957

Deviations: the generator's step sees the reals of the discriminator's step, in algorithm 2 others. The score has no
bias, which would cancel. In "small" G learns faster than D, which sees images under noise; samples are from averaged
weights.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...networks.adversarial.sndcgan import Discriminator, Generator
from ...objectives.adversarial import relativistic_d, relativistic_g, wins
from ...system import Batch, Losses, Paper, Preset, Recipe, System


class RaGAN(System):
    """The relativistic average game."""

    paper = Paper(
        "The relativistic discriminator: a key element missing from standard GAN",
        "Jolicoeur-Martineau",
        2018,
        "https://arxiv.org/abs/1807.00734",
    )
    recipe = Recipe(data="cifar10", size=32, batch=32, steps=100_000)
    presets = {
        "paper": Preset(dict(size=32, channels=3)),
        "small": Preset(
            dict(z=64, ch=16, lr=1e-3, noise=0.2), dict(data="digits", size=16, batch=32, steps=3_000, ema=0.995)
        ),
        "tiny": Preset(dict(z=8, ch=4), dict(data="digits", size=16, batch=8, steps=20)),
    }

    def __init__(
        self,
        z: int = 128,  # numbers in a code
        ch: int = 64,  # channels of the layers next to the picture; twice as many at each halving of the side
        size: int = 32,  # image side, pixels
        channels: int = 3,
        lr: float = 2e-4,  # of G
        lr_d: float = 2e-4,  # of D
        beta1: float = 0.5,  # Adam's momentum
        noise: float = 0.0,  # standard deviation of the noise on the images that D sees
    ) -> None:
        super().__init__()
        self.z, self.lr, self.lr_d, self.betas, self.noise = z, lr, lr_d, (beta1, 0.999), noise
        self.G, self.D = Generator(z, ch, size, channels), Discriminator(ch, size, channels, absolute=False)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each network."""
        return {
            "G": Adam(self.G.parameters(), self.lr, self.betas, fused=True),
            "D": Adam(self.D.parameters(), self.lr_d, self.betas, fused=True),
        }

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The discriminator's turn, then the generator's, which sees the reals too."""
        with torch.no_grad():
            fake = self.sample(batch)
        real_score, fake_score = self.judge(batch, batch.image), self.judge(batch, fake)
        yield {"D": relativistic_d(real_score, fake_score)}
        self.report(**{"D wins": wins(real_score, fake_score)})
        with torch.no_grad():
            real_score = self.judge(batch, batch.image)
        yield {"G": relativistic_g(real_score, self.judge(batch, self.sample(batch)))}

    def judge(self, batch: Batch, image: Tensor) -> Tensor:
        """D's scores of images under noise: (b, channels, size, size) -> (b,)."""
        return self.D(batch.noisy(image, self.noise))

    def prior(self, given: Batch) -> Tensor:
        """Normal codes: (n, z)."""
        return given.randn(self.z)

    def decode(self, code: Tensor) -> Tensor:
        """Images of codes: (b, z) -> (b, channels, size, size)."""
        return self.G(code)

    def sample(self, given: Batch) -> Tensor:
        """Images (n, channels, size, size)."""
        return self.decode(self.prior(given))
