"""WGAN: the discriminator becomes a critic that estimates the Wasserstein-1 distance, kept Lipschitz by clipping.

Arjovsky, Chintala & Bottou, Wasserstein GAN, ICML 2017. https://arxiv.org/abs/1701.07875
Algorithm 1, with the DCGAN networks and the settings of section 4. As in the authors' code the critic takes `early`
steps a round, not `critics`, in the first `rounds` rounds. An iteration is a step of the critic on a batch of its own.

Deviations: the authors' code takes 100 critic steps in every 500th round of the generator too. Their code takes 4-pixel
kernels and normal codes, the paper does not say. "small" clips later and learns faster, to be done in minutes, ever
slower towards its end, and samples from averaged weights.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Optimizer, RMSprop

from ...networks.adversarial.dcgan import Discriminator, Generator
from ...objectives.adversarial import wasserstein_d, wasserstein_g
from ...system import Batch, Losses, Paper, Preset, Recipe, System, linear


class WGAN(System):
    """A critic with clipped weights and a generator that follows it."""

    paper = Paper("Wasserstein GAN", "Arjovsky, Chintala & Bottou", 2017, "https://arxiv.org/abs/1701.07875")
    recipe = Recipe(data="lsun", size=64, batch=64, steps=1_185_000)
    presets = {
        "paper": Preset(dict(size=64, channels=3)),
        "small": Preset(
            dict(ch=32, lr=1e-3, clip_weights=0.02, rounds=0),
            dict(data="digits", size=16, batch=64, steps=8_000, ema=0.998, schedule=linear),
        ),
        "tiny": Preset(dict(z=8, ch=4, critics=2, rounds=0), dict(data="digits", size=16, batch=8, steps=20)),
    }

    def __init__(
        self,
        z: int = 100,  # numbers in a code
        ch: int = 64,  # channels of the layers next to the picture; twice as many at each halving of the side
        size: int = 64,  # image side, pixels
        channels: int = 3,
        critics: int = 5,  # critic steps a generator step
        early: int = 100,  # and in the first rounds
        rounds: int = 25,  # how many rounds those are
        clip_weights: float = 0.01,  # greatest absolute value of a weight of the critic
        lr: float = 5e-5,
    ) -> None:
        super().__init__()
        self.z, self.lr, self.clip_weights = z, lr, clip_weights
        self.critics, self.early, self.rounds = critics, early, rounds
        self.G, self.D = Generator(z, ch, size, channels), Discriminator(ch, size, channels)

    def optimizers(self) -> dict[str, Optimizer]:
        """RMSProp, for momentum makes the critic unstable (section 4.3)."""
        return {"G": RMSprop(self.G.parameters(), self.lr), "D": RMSprop(self.D.parameters(), self.lr)}

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The critic's turn; at the end of a round the generator's."""
        with torch.no_grad():
            fake = self.sample(batch)
        loss = wasserstein_d(self.D(batch.image), self.D(fake))
        yield {"D": loss}
        with torch.no_grad():
            for p in self.D.parameters():
                p.clamp_(-self.clip_weights, self.clip_weights)
        self.report(critic=-loss)
        if self.every(self.early if self.iteration < self.early * self.rounds else self.critics):
            yield {"G": wasserstein_g(self.D(self.sample(batch)))}

    def prior(self, given: Batch) -> Tensor:
        """Normal codes: (n, z)."""
        return given.randn(self.z)

    def decode(self, code: Tensor) -> Tensor:
        """Images of codes: (b, z) -> (b, channels, size, size)."""
        return self.G(code)

    def sample(self, given: Batch) -> Tensor:
        """Images (n, channels, size, size)."""
        return self.decode(self.prior(given))
