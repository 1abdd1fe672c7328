"""Progressive GAN: both networks begin with small pictures, and grow as they learn.

Karras, Aila, Laine & Lehtinen, Progressive Growing of GANs for Improved Quality, Stability, and Variation, ICLR 2018.
https://arxiv.org/abs/1710.10196
Growing of section 2 and figure 2, spread of the minibatch of section 3, equalised learning rate and normalised pixels
of section 4, networks of table 2, training of appendix A.1: the loss of WGAN-GP and a small cost of a score's drift.

Deviations: the batch stays what it is, the paper's shrinks at the largest sides. Halving comes before the nonlinearity
of its convolution, as in the authors' code. Pictures are drawn clipped to [-1, 1]. "small" learns faster and begins at
8 px; its schedule is a share of its steps.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...networks.stylegan.equalised import pixel_norm
from ...networks.stylegan.progressive import Discriminator, Generator, Growth
from ...objectives.adversarial import interpolated, wasserstein_d, wasserstein_g
from ...system import Batch, Losses, Paper, Preset, Recipe, System


class ProGAN(System):
    """A generator and a critic that grow."""

    paper = Paper(
        "Progressive Growing of GANs for Improved Quality, Stability, and Variation",
        "Karras et al.",
        2017,
        "https://arxiv.org/abs/1710.10196",
    )
    recipe = Recipe(data="celeba-hq", size=1024, batch=16, steps=1_000_000, ema=0.999)
    presets = {
        "paper": Preset(dict(size=1024, channels=3)),
        "cifar10": Preset(dict(ch=128, size=32), dict(data="cifar10", size=32)),
        "small": Preset(
            dict(z=64, ch=16, ch_max=64, start=8, growing=0.4, lr=2e-3),
            dict(data="faces", size=32, batch=16, steps=8_000, ema=0.998),
        ),
        "tiny": Preset(dict(z=8, ch=4, start=8, growing=0.6), dict(data="digits", size=16, batch=8, steps=20)),
    }

    def __init__(
        self,
        z: int = 512,  # numbers in a code
        ch: int = 16,  # channels next to the largest picture; twice as many at each halving of the side
        ch_max: int = 512,  # but no more than these
        size: int = 1024,  # shorter side of the image, pixels
        aspect: str = "1:1",  # shape of pictures, width:height
        channels: int = 3,
        start: int = 4,  # shorter side of the first pictures, pixels
        growing: float = 0.8,  # share of the training until the last side has come, 0 = all sides from the start
        gp: float = 10.0,  # weight of the gradient penalty
        drift: float = 1e-3,  # weight of the square of a real picture's score
        group: int = 4,  # pictures whose spread the critic sees, 0 = none
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        self.z, self.gp, self.drift, self.lr = z, gp, drift, lr
        self.growth = Growth(size, start, growing, aspect)
        self.G = Generator(z, ch, ch_max, size, channels, start, aspect=aspect)
        self.D = Discriminator(ch, ch_max, size, channels, start, group, aspect=aspect)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam without momentum for each network."""
        return {
            "G": Adam(self.G.parameters(), self.lr, (0.0, 0.99), eps=1e-8, fused=True),
            "D": Adam(self.D.parameters(), self.lr, (0.0, 0.99), eps=1e-8, fused=True),
        }

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The critic's turn, then the generator's, at the side that they have grown to."""
        self.growth.advance(self.progress)
        level = self.growth.level()
        real = self.growth.shown(batch.image)
        with torch.no_grad():
            fake = self.draw(self.prior(batch))
        score = self.D(real, *level)
        penalty = interpolated(lambda x: self.D.forward(x, *level), real, fake, batch.rand(1, 1, 1))
        critic = wasserstein_d(score, self.D(fake, *level))
        yield {"D": {"critic": critic, "gp": self.gp * penalty, "drift": self.drift * score.square()}}
        self.report(critic=-critic, side=torch.tensor(float(min(real.shape[-2:]))))
        yield {"G": wasserstein_g(self.D(self.draw(self.prior(batch)), *level))}

    def draw(self, code: Tensor) -> Tensor:
        """Pictures at the side that is grown to: (b, z) -> (b, channels, ·, ·), float32, not clipped."""
        return self.G(pixel_norm(code)[:, None], None, *self.growth.level())

    def prior(self, given: Batch) -> Tensor:
        """Normal codes: (n, z)."""
        return given.randn(self.z)

    def decode(self, code: Tensor) -> Tensor:
        """Images of codes: (b, z) -> (b, channels, h, w)."""
        return self.growth.whole(self.draw(code)).clamp(-1, 1)

    def sample(self, given: Batch) -> Tensor:
        """Images (n, channels, h, w)."""
        return self.decode(self.prior(given))
