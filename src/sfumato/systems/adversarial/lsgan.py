"""LSGAN: the discriminator's scores are fitted to labels by least squares, so that even confident ones leave a slope.

Mao, Li, Xie, Lau, Wang & Smolley, Least Squares Generative Adversarial Networks, ICCV 2017.
https://arxiv.org/abs/1611.04076
The losses are eq. 2 with the labels of eq. 9 (a = 0, b = c = 1) or, with a = -1, b = 1, c = 0, of eq. 8, which
minimises a Pearson χ² divergence (section 3.2.1). Networks of figure 3, training of section 4.1 for LSUN at 112 pixels.

Deviations: none known. In "small" G learns faster than D, which sees images under noise, lest it learn the few
scanned digits by heart; samples are from averaged weights.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ...networks.adversarial.dcgan import double, initialise
from ...objectives.adversarial import least_squares_d, least_squares_g, wins
from ...system import Batch, Losses, Paper, Preset, Recipe, System


class Generator(nn.Module):
    """Codes to images, four doublings, most of them followed by a layer that keeps the side: (b, z) -> (b, c, h, w)."""

    def __init__(self, z: int, ch: int, size: int, channels: int) -> None:
        super().__init__()
        n, self.side = 4 * ch, size // 16
        self.start = nn.Linear(z, n * self.side**2)
        layers: list[nn.Module] = [nn.BatchNorm2d(n), nn.ReLU()]
        for m, stride in ((4, 2), (4, 1), (4, 2), (4, 1), (2, 2), (1, 2)):
            layers.append(double(n, m * ch, 3) if stride == 2 else nn.ConvTranspose2d(n, m * ch, 3, 1, 1))
            layers += [nn.BatchNorm2d(m * ch), nn.ReLU()]
            n = m * ch
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(n, channels, 3, 1, 1))
        initialise(self)

    def forward(self, z: Tensor) -> Tensor:
        """Images of codes, float32 in [-1, 1]."""
        return torch.tanh(self.layers(self.start(z).unflatten(1, (-1, self.side, self.side))).float())


class Discriminator(nn.Module):
    """Images to scores by four strided convolutions and a linear layer: (b, c, h, w) -> (b,)."""

    def __init__(self, ch: int, size: int, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, ch, 5, 2, 2), nn.LeakyReLU(0.2)]
        for n in (ch, 2 * ch, 4 * ch):
            layers += [nn.Conv2d(n, 2 * n, 5, 2, 2), nn.BatchNorm2d(2 * n), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * ch * (size // 16) ** 2, 1), nn.Flatten(0))
        initialise(self)

    def forward(self, image: Tensor) -> Tensor:
        """Scores of images, float32."""
        return self.layers(image).float()


class LSGAN(System):
    """The least-squares game. The image side is a multiple of 16."""

    paper = Paper(
        "Least Squares Generative Adversarial Networks", "Mao et al.", 2016, "https://arxiv.org/abs/1611.04076"
    )
    recipe = Recipe(data="lsun", size=112, batch=64, steps=1_000_000)
    presets = {
        "paper": Preset(dict(size=112, channels=3)),
        "small": Preset(
            dict(z=64, ch=24, lr_d=2e-4, noise=0.2), dict(data="digits", size=16, batch=64, steps=3_000, ema=0.995)
        ),
        "tiny": Preset(dict(z=8, ch=4), dict(data="digits", size=16, batch=8, steps=20)),
    }

    def __init__(
        self,
        z: int = 1024,  # numbers in a code
        ch: int = 64,  # channels of the layers next to the picture
        size: int = 112,  # image side, pixels
        channels: int = 3,
        a: float = 0.0,  # D's label of fakes
        b: float = 1.0,  # D's label of reals
        c: float = 1.0,  # the label that G wants for fakes
        lr: float = 1e-3,  # of G
        lr_d: float = 1e-3,  # of D
        beta1: float = 0.5,  # Adam's momentum
        noise: float = 0.0,  # standard deviation of the noise on the images that D sees
    ) -> None:
        super().__init__()
        self.z, self.lr, self.lr_d, self.betas, self.noise = z, lr, lr_d, (beta1, 0.999), noise
        self.a, self.b, self.c = a, b, c
        self.G, self.D = Generator(z, ch, size, channels), Discriminator(ch, size, channels)

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
        yield {"D": least_squares_d(real_score, fake_score, self.a, self.b)}
        self.report(**{"D wins": wins(real_score, fake_score)})
        yield {"G": least_squares_g(self.judge(batch, self.sample(batch)), self.c)}

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
