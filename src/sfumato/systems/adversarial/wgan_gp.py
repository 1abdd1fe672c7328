"""WGAN-GP: a Wasserstein critic kept Lipschitz by a penalty on its gradient.

Gulrajani, Ahmed, Arjovsky, Dumoulin & Courville, Improved Training of Wasserstein GANs, NeurIPS 2017.
https://arxiv.org/abs/1704.00028
Algorithm 1 and section 4; the residual networks and the schedule of section 5.3 for CIFAR-10 without labels, or with
`residual=False` the DCGAN networks of section 5.1 with layer normalisation in the critic. An iteration is a step of
the critic on a batch of its own.

Deviations: in the authors' code the generator's batch is twice the critic's, here they are equal. The critic's score
has no bias, which would cancel. "small" takes the DCGAN networks, fewer critic steps a round, a higher learning
rate, and samples from averaged weights.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ...networks.adversarial import dcgan, resnet
from ...objectives.adversarial import interpolated, wasserstein_d, wasserstein_g
from ...system import Batch, Losses, Paper, Preset, Recipe, System, linear


class WGANGP(System):
    """A critic with a penalised gradient and a generator that follows it."""

    paper = Paper("Improved Training of Wasserstein GANs", "Gulrajani et al.", 2017, "https://arxiv.org/abs/1704.00028")
    recipe = Recipe(data="cifar10", size=32, batch=64, steps=500_000, schedule=linear)
    presets = {
        "paper": Preset(dict(size=32, channels=3)),
        "small": Preset(
            dict(ch=32, residual=False, critics=2, lr=5e-4),
            dict(data="digits", size=16, batch=64, steps=3_500, ema=0.995),
        ),
        "tiny": Preset(dict(z=8, ch=4, critics=2), dict(data="digits", size=16, batch=8, steps=20)),
    }

    def __init__(
        self,
        z: int = 128,  # numbers in a code
        ch: int = 128,  # channels: of every layer if residual, else of the layers next to the picture
        size: int = 32,  # image side, pixels
        channels: int = 3,
        residual: bool = True,  # residual networks, not DCGAN's
        critics: int = 5,  # critic steps a generator step
        gp: float = 10.0,  # weight of the gradient penalty
        lr: float = 2e-4,
        beta1: float = 0.0,  # Adam's momentum
    ) -> None:
        super().__init__()
        self.z, self.critics, self.gp, self.lr, self.betas = z, critics, gp, lr, (beta1, 0.9)
        self.G = (resnet if residual else dcgan).Generator(z, ch, size, channels)
        self.D = (
            resnet.Critic(ch, channels) if residual else dcgan.Discriminator(ch, size, channels, norm=dcgan.layer_norm)
        )

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each network."""
        return {
            "G": Adam(self.G.parameters(), self.lr, self.betas, fused=True),
            "D": Adam(self.D.parameters(), self.lr, self.betas, fused=True),
        }

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The critic's turn; at the end of a round the generator's."""
        with torch.no_grad():
            fake = self.sample(batch)
        critic = wasserstein_d(self.D(batch.image), self.D(fake))
        penalty = interpolated(self.D, batch.image, fake, batch.rand(1, 1, 1))
        yield {"D": {"critic": critic, "gp": self.gp * penalty}}
        self.report(critic=-critic)
        if self.every(self.critics):
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
