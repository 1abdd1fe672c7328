"""AC-GAN: the generator is told the class, the discriminator has to tell it.

Odena, Olah & Shlens, Conditional Image Synthesis With Auxiliary Classifier GANs, ICML 2017.
https://arxiv.org/abs/1610.09585
The losses are eq. 2 and 3; networks, initialisation and training are the appendix's for CIFAR-10, where a code is 100
numbers and a one-hot class. Many classes are split among several models of ten classes each (section 4).

Deviations: the paper searched over learning rates of 1e-4 to 3e-4 and noise on activations of 0 to 0.2; here 2e-4 and
none. G's loss is the non-saturating one. Layers before a norm have no bias. "small" drops out less, and samples from
averaged weights.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ...networks.adversarial.dcgan import double, initialise
from ...objectives.adversarial import logistic_d, nonsaturating_g, wins
from ...system import Batch, Losses, Paper, Preset, Recipe, System


class Generator(nn.Module):
    """Noise and class to images by a linear layer and three doublings: (b, inputs) -> (b, channels, size, size)."""

    def __init__(self, inputs: int, ch: int, size: int, channels: int) -> None:
        super().__init__()
        self.side = size // 8
        self.start = nn.Linear(inputs, 24 * ch * self.side**2)
        self.layers = nn.Sequential(
            nn.ReLU(),
            double(24 * ch, 12 * ch, 5, bias=False), nn.BatchNorm2d(12 * ch), nn.ReLU(),
            double(12 * ch, 6 * ch, 5, bias=False), nn.BatchNorm2d(6 * ch), nn.ReLU(),
            double(6 * ch, channels, 5),
        )  # fmt: skip
        initialise(self)

    def forward(self, code: Tensor) -> Tensor:
        """Images, float32 in [-1, 1]."""
        return torch.tanh(self.layers(self.start(code).unflatten(1, (-1, self.side, self.side))).float())


class Discriminator(nn.Module):
    """Images to scores and class logits by six convolutions: (b, channels, size, size) -> (b,), (b, classes)."""

    def __init__(self, ch: int, size: int, channels: int, classes: int, drop: float) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, ch, 3, 2, 1), nn.LeakyReLU(0.2), nn.Dropout(drop)]
        for k in range(5):
            n = ch * 2**k
            layers += [nn.Conv2d(n, 2 * n, 3, 1 + k % 2, 1, bias=False), nn.BatchNorm2d(2 * n)]
            layers += [nn.LeakyReLU(0.2), nn.Dropout(drop)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * ch * (size // 8) ** 2, 1 + classes))
        initialise(self)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of realness and logits of classes, float32."""
        out = self.layers(image).float()
        return out[:, 0], out[:, 1:]


class ACGAN(System):
    """The game of the GAN with a classifier beside the discriminator. The image side is a multiple of 8."""

    paper = Paper(
        "Conditional Image Synthesis With Auxiliary Classifier GANs",
        "Odena, Olah & Shlens",
        2016,
        "https://arxiv.org/abs/1610.09585",
    )
    recipe = Recipe(
        data="cifar10", size=32, batch=100, steps=50_000, view="labelled", metrics=("frechet", "class-accuracy")
    )
    presets = {
        "paper": Preset(dict(size=32, channels=3, classes=10)),
        "small": Preset(
            dict(z=50, ch=10, drop=0.2, lr=5e-4), dict(data="digits", size=16, batch=32, steps=1_200, ema=0.995)
        ),
        "tiny": Preset(dict(z=8, ch=4), dict(data="digits", size=16, batch=8, steps=20)),
    }

    def __init__(
        self,
        z: int = 100,  # numbers in a code, beside its class
        ch: int = 16,  # channels of D's first layer; the other layers' widths are multiples of it
        size: int = 32,  # image side, pixels
        channels: int = 3,
        classes: int = 10,
        drop: float = 0.5,  # chance that a unit of D is dropped
        lr: float = 2e-4,
        beta1: float = 0.5,  # Adam's momentum
    ) -> None:
        super().__init__()
        self.z, self.classes, self.lr, self.betas = z, classes, lr, (beta1, 0.999)
        self.G = Generator(z + classes, ch, size, channels)
        self.D = Discriminator(ch, size, channels, classes, drop)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each network."""
        return {
            "G": Adam(self.G.parameters(), self.lr, self.betas, fused=True),
            "D": Adam(self.D.parameters(), self.lr, self.betas, fused=True),
        }

    def step(self, batch: Batch) -> Iterator[Losses]:
        """D learns the source and the class of reals and fakes; G to be taken for real and for its class."""
        with torch.no_grad():
            fake = self.sample(batch)
        (real_score, real_class), (fake_score, fake_class) = self.D(batch.image), self.D(fake)
        known = F.cross_entropy(real_class, batch.label) + F.cross_entropy(fake_class, batch.label)
        yield {"D": {"source": logistic_d(real_score, fake_score), "class": known}}
        self.report(**{"D wins": wins(real_score, fake_score)})
        score, logits = self.D(self.sample(batch))
        yield {"G": {"source": nonsaturating_g(score), "class": F.cross_entropy(logits, batch.label)}}

    def sample(self, given: Batch) -> Tensor:
        """Images of the classes `given.label`, from normal codes: (n, channels, size, size)."""
        return self.G(torch.cat([given.randn(self.z), F.one_hot(given.label, self.classes).float()], 1))

    def classify(self, image: Tensor) -> Tensor:
        """Log-probabilities of the classes: (b, channels, size, size) -> (b, classes)."""
        return self.D(image)[1].log_softmax(1)
