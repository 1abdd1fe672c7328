"""bCR: a discriminator that says the same of a picture and of its augmentation, of real ones and of fake ones.

Zhao, Singh, Lee, Zhang, Odena & Zhang, Improved Consistency Regularization for GANs, AAAI 2021.
https://arxiv.org/abs/2002.04724
Balanced consistency regularisation of section 2 (algorithm 1) on the networks of spectral normalisation, unconditional:
https://arxiv.org/abs/1802.05957. Augmentations are mirroring and shifts. `real` and `fake` of zero leave the plain
game; `fake` alone of zero leaves CR-GAN: https://arxiv.org/abs/1910.12027

Deviations: what a shift brings in is the mirrored picture. "small" is narrower, G learns faster, and samples are from
averaged weights.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...networks.adversarial.sndcgan import Discriminator, Generator
from ...networks.stylegan.augment import blitted
from ...objectives.adversarial import consistency, logistic_d, nonsaturating_g, wins
from ...system import Batch, Losses, Paper, Preset, Recipe, System


class BCR(System):
    """The game of the GAN, with a discriminator that overlooks what an augmentation changes."""

    paper = Paper(
        "Improved Consistency Regularization for GANs", "Zhao et al.", 2020, "https://arxiv.org/abs/2002.04724"
    )
    recipe = Recipe(data="cifar10", size=32, batch=64, steps=200_000)
    presets = {
        "paper": Preset(dict(size=32, channels=3)),
        "small": Preset(
            dict(z=64, ch=16, lr=1e-3, lr_d=4e-4, shift=2),
            dict(data="faces", size=32, batch=32, steps=4_000, ema=0.995),
        ),
        "tiny": Preset(dict(z=8, ch=4, shift=1), dict(data="digits", size=16, batch=8, steps=20)),
    }

    def __init__(
        self,
        z: int = 128,  # numbers in a code
        ch: int = 64,  # channels of the layers next to the picture; twice as many at each halving of the side
        size: int = 32,  # image side, pixels
        channels: int = 3,
        real: float = 10.0,  # weight of the consistency of real pictures, 0 = none
        fake: float = 10.0,  # and of that of fakes
        shift: int = 4,  # pixels, at most, that an augmentation shifts by
        lr: float = 2e-4,  # of G
        lr_d: float = 2e-4,  # of D
        beta1: float = 0.5,  # Adam's momentum
    ) -> None:
        super().__init__()
        self.z, self.real, self.fake, self.shift = z, real, fake, shift
        self.lr, self.lr_d, self.betas = lr, lr_d, (beta1, 0.999)
        self.G, self.D = Generator(z, ch, size, channels), Discriminator(ch, size, channels)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each network."""
        return {
            "G": Adam(self.G.parameters(), self.lr, self.betas, fused=True),
            "D": Adam(self.D.parameters(), self.lr_d, self.betas, fused=True),
        }

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The discriminator's turn, on pictures and on their augmentations, then the generator's."""
        with torch.no_grad():
            fake = self.sample(batch)
        real_score, fake_score = self.D(batch.image), self.D(fake)
        losses = {"loss": logistic_d(real_score, fake_score)}
        if self.real:
            losses["real"] = self.real * consistency(real_score, self.D(self.augmented(batch, batch.image)))
        if self.fake:
            losses["fake"] = self.fake * consistency(fake_score, self.D(self.augmented(batch, fake)))
        yield {"D": losses}
        self.report(**{"D wins": wins(real_score, fake_score)})
        yield {"G": nonsaturating_g(self.D(self.sample(batch)))}

    def augmented(self, batch: Batch, image: Tensor) -> Tensor:
        """Half of the images mirrored, all shifted by whole pixels: (b, channels, size, size) -> the same."""
        flip, still = batch.rand() < 0.5, torch.zeros(batch.n, dtype=torch.long, device=image.device)
        return blitted(image, flip, still, batch.randint(2 * self.shift + 1, 2) - self.shift)

    def prior(self, given: Batch) -> Tensor:
        """Normal codes: (n, z)."""
        return given.randn(self.z)

    def decode(self, code: Tensor) -> Tensor:
        """Images of codes: (b, z) -> (b, channels, size, size)."""
        return self.G(code)

    def sample(self, given: Batch) -> Tensor:
        """Images (n, channels, size, size)."""
        return self.decode(self.prior(given))
