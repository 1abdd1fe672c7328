"""InfoGAN: some numbers of the code are made to mean something, by keeping them readable in the picture.

Chen, Duan, Houthooft, Schulman, Sutskever & Abbeel, InfoGAN: Interpretable Representation Learning by Information
Maximizing Generative Adversarial Nets, NeurIPS 2016. https://arxiv.org/abs/1606.03657
The bound on the information of the code in the image is eq. 4 and 5, the game eq. 6; codes of section 7.2 and networks
of appendix C.1 for MNIST. Q shares D's body; as in the authors' code D learns the information too, and the posterior
of a continuous code is normal with standard deviation 1.

Deviations: pixels go through tanh, the authors' through a sigmoid. λ is 1 for continuous codes too, as in their code.
"small" weighs the information less, which found the classes more often, and samples from averaged weights."""

from collections.abc import Iterator
from math import log, pi

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ...networks.adversarial.dcgan import initialise
from ...objectives.adversarial import logistic_d, nonsaturating_g, wins
from ...system import Batch, Losses, Paper, Preset, Recipe, System


class Generator(nn.Module):
    """Two linear layers, two doublings: (b, code) -> (b, channels, size, size)."""

    def __init__(self, code: int, ch: int, size: int, channels: int) -> None:
        super().__init__()
        side = size // 4
        self.layers = nn.Sequential(
            nn.Linear(code, 16 * ch), nn.BatchNorm1d(16 * ch), nn.ReLU(),
            nn.Linear(16 * ch, 2 * ch * side**2), nn.BatchNorm1d(2 * ch * side**2), nn.ReLU(),
            nn.Unflatten(1, (2 * ch, side, side)),
            nn.ConvTranspose2d(2 * ch, ch, 4, 2, 1), nn.BatchNorm2d(ch), nn.ReLU(),
            nn.ConvTranspose2d(ch, channels, 4, 2, 1),
        )  # fmt: skip
        initialise(self)

    def forward(self, code: Tensor) -> Tensor:
        """Images, float32 in [-1, 1]."""
        return torch.tanh(self.layers(code).float())


class Discriminator(nn.Module):
    """A body with two heads, D and Q: (b, channels, size, size) -> (b,), (b, outputs)."""

    def __init__(self, ch: int, size: int, channels: int, outputs: int) -> None:
        super().__init__()
        leaky = nn.LeakyReLU(0.1)
        self.body = nn.Sequential(
            nn.Conv2d(channels, ch, 4, 2, 1), leaky,
            nn.Conv2d(ch, 2 * ch, 4, 2, 1), nn.BatchNorm2d(2 * ch), leaky, nn.Flatten(),
            nn.Linear(2 * ch * (size // 4) ** 2, 16 * ch), nn.BatchNorm1d(16 * ch), leaky,
        )  # fmt: skip
        self.score = nn.Linear(16 * ch, 1)
        self.Q = nn.Sequential(nn.Linear(16 * ch, 2 * ch), nn.BatchNorm1d(2 * ch), leaky, nn.Linear(2 * ch, outputs))
        initialise(self)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of realness; logits of the categorical code and means of the continuous ones. float32."""
        h = self.body(image)
        return self.score(h).squeeze(1).float(), self.Q(h).float()


class InfoGAN(System):
    """The game with a categorical code, continuous codes and noise. The image side is a multiple of 4."""

    paper = Paper(
        "InfoGAN: Interpretable Representation Learning by Information Maximizing Generative Adversarial Nets",
        "Chen et al.", 2016, "https://arxiv.org/abs/1606.03657",
    )  # fmt: skip
    recipe = Recipe(data="mnist", size=28, batch=128, steps=5_000)
    presets = {
        "paper": Preset(dict(size=28, channels=1)),
        "small": Preset(
            dict(ch=16, info=0.4, info_continuous=0.2), dict(data="digits", size=16, batch=64, steps=1_200, ema=0.995)
        ),
        "tiny": Preset(dict(z=8, ch=4), dict(data="digits", size=16, batch=8, steps=20)),
    }

    def __init__(
        self,
        z: int = 62,  # numbers of incompressible noise
        categories: int = 10,  # values of the categorical code
        continuous: int = 2,  # continuous codes, uniform in [-1, 1]
        ch: int = 64,  # channels of the layers next to the picture; the other layers' widths are multiples of it
        size: int = 28,  # image side, pixels
        channels: int = 1,
        info: float = 1.0,  # weight λ of the categorical code's information
        info_continuous: float = 1.0,  # and of the continuous codes'
        lr: float = 1e-3,  # of G
        lr_d: float = 2e-4,  # of D and Q
        beta1: float = 0.5,  # Adam's momentum
    ) -> None:
        super().__init__()
        self.parts, self.lr, self.lr_d, self.betas = (z, categories, continuous), lr, lr_d, (beta1, 0.999)
        self.weights = {"categorical": info, "continuous": info_continuous}
        self.G = Generator(sum(self.parts), ch, size, channels)
        self.D = Discriminator(ch, size, channels, categories + continuous)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for G, and for D with Q."""
        return {
            "G": Adam(self.G.parameters(), self.lr, self.betas, fused=True),
            "D": Adam(self.D.parameters(), self.lr_d, self.betas, fused=True),
        }

    def information(self, code: Tensor, posterior: Tensor) -> dict[str, Tensor]:
        """The bound L_I = E log Q(c | x) + H(c) in nats, of the categorical and the continuous codes. Eq. 5."""
        _, category, continuous = code.split(self.parts, 1)
        logits, mean = posterior.split(self.parts[1:], 1)
        likelihood = -0.5 * (continuous - mean).square() - 0.5 * log(2 * pi)
        return {
            "categorical": log(self.parts[1]) - F.cross_entropy(logits, category),
            "continuous": self.parts[2] * log(2) + likelihood.sum(1).mean(),
        }

    def step(self, batch: Batch) -> Iterator[Losses]:
        """D and Q's turn, then G's; all of them want the code to be readable."""
        code = self.prior(batch)
        with torch.no_grad():
            fake = self.decode(code)
        (real_score, _), (fake_score, posterior) = self.D(batch.image), self.D(fake)
        bound = self.information(code, posterior)
        yield {"D": {"game": logistic_d(real_score, fake_score)} | {k: -self.weights[k] * v for k, v in bound.items()}}
        self.report(**{"D wins": wins(real_score, fake_score)})
        code = self.prior(batch)
        score, posterior = self.D(self.decode(code))
        bound = self.information(code, posterior)
        yield {"G": {"game": nonsaturating_g(score)} | {k: -self.weights[k] * v for k, v in bound.items()}}
        self.report(**{f"{k} nats": v for k, v in bound.items()})

    def prior(self, given: Batch) -> Tensor:
        """Noise, a one-hot category and continuous codes: (n, z + categories + continuous)."""
        z, k, c = self.parts
        return torch.cat([given.rand(z) * 2 - 1, F.one_hot(given.randint(k), k).float(), given.rand(c) * 2 - 1], 1)

    def decode(self, code: Tensor) -> Tensor:
        """Images of codes: (b, z + categories + continuous) -> (b, channels, size, size)."""
        return self.G(code)

    def sample(self, given: Batch) -> Tensor:
        """Images (n, channels, size, size)."""
        return self.decode(self.prior(given))

    def encode(self, image: Tensor) -> Tensor:
        """Probabilities of categories, means of continuous codes: (b, c, h, w) -> (b, categories + continuous)."""
        logits, mean = self.D(image)[1].split(self.parts[1:], 1)
        return torch.cat([logits.softmax(1), mean], 1)
