"""Semi-supervised GAN: a classifier of K classes and "fake" learns from few labels and from all pictures.

Salimans, Goodfellow, Zaremba, Cheung, Radford & Chen, Improved Techniques for Training GANs, NeurIPS 2016.
https://arxiv.org/abs/1606.03498 (feature matching: section 3.1; K + 1 classes: section 5)
Odena, Semi-Supervised Learning with Generative Adversarial Networks, 2016. https://arxiv.org/abs/1606.01583
Networks and training are those of the authors' code for CIFAR-10 and, with `dense`, for MNIST: weight normalisation
begun from the data (https://arxiv.org/abs/1602.07868), feature matching on the last features.

Deviations: the learning rate of the preset "paper" falls on a line from the start, the authors' is constant for two
thirds of the training. G sees the reals of D's step. `unlabelled=False` is not in the papers: it is the same classifier
trained on the labels alone, to compare with. "small" works at 16 pixels, twice the side of the scanned digits.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ...networks.adversarial.improved import Classifier, DenseClassifier, DenseGenerator, Generator, Noise
from ...networks.adversarial.normalised import Normalised
from ...objectives.adversarial import feature_matching, logistic_d, realness, wins
from ...system import Batch, Losses, Paper, Preset, Recipe, System, constant, linear


class SSGAN(System):
    """The game of the GAN against a classifier. The image side is a multiple of 8, unless dense."""

    paper = Paper("Improved Techniques for Training GANs", "Salimans et al.", 2016, "https://arxiv.org/abs/1606.03498")
    recipe = Recipe(data="cifar10", size=32, batch=100, steps=600_000, view="semi", schedule=linear, ema=0.9999)
    presets = {
        "paper": Preset(dict(size=32, channels=3, classes=10)),
        "paper-mnist": Preset(
            dict(dense=True, lr=3e-3, size=28, channels=1, classes=10),
            dict(data="mnist", size=28, steps=180_000, schedule=constant),
        ),
        "small": Preset(
            dict(dense=True, hidden=400, lr=2e-3), dict(data="digits", size=16, batch=64, steps=3_000, ema=0.99)
        ),
        "tiny": Preset(dict(z=8, ch=4, ch_g=4), dict(data="digits", size=16, batch=8, steps=20)),
    }

    def __init__(
        self,
        z: int = 100,  # numbers in a code
        dense: bool = False,  # fully connected networks, not convolutional ones
        ch: int = 96,  # channels of D's first layers, unless dense
        ch_g: int = 128,  # channels of G's last layer but one, unless dense
        hidden: int = 1000,  # units of D's first layer, if dense; G's have half as many
        size: int = 32,  # image side, pixels
        channels: int = 3,
        classes: int = 10,
        unlabelled: bool = True,  # learn from unlabelled and generated pictures too
        lr: float = 3e-4,
        beta1: float = 0.5,  # Adam's momentum
    ) -> None:
        super().__init__()
        self.z, self.dense, self.unlabelled, self.lr, self.betas = z, dense, unlabelled, lr, (beta1, 0.999)
        self.G = DenseGenerator(z, hidden // 2, size, channels) if dense else Generator(z, ch_g, size, channels)
        self.features = DenseClassifier(hidden, size, channels) if dense else Classifier(ch, channels)
        self.head = Normalised(nn.Linear(self.features.width, classes), std=1.0 if dense else 0.1, gain=True)
        self.noise = Noise(0.5 if dense else 0.0)  # on the last features

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for the classifier, and for the generator if there is a game."""
        nets = {"D": nn.ModuleList([self.features, self.head])} | ({"G": self.G} if self.unlabelled else {})
        return {
            k: Adam([p for p in net.parameters() if p.requires_grad], self.lr, self.betas, fused=True)
            for k, net in nets.items()
        }

    @torch.no_grad()
    def start(self, batch: Batch) -> None:
        """Gains and biases such that every layer's outputs are standardised on the first batch."""
        with Normalised.fitting(self):
            self.logits(batch.labelled)
            self.sample(batch)

    def logits(self, image: Tensor) -> Tensor:
        """Logits of the classes, that of "fake" being zero: (b, channels, size, size) -> (b, classes), float32."""
        return self.head(self.noise(self.features(image))).float()

    def step(self, batch: Batch) -> Iterator[Losses]:
        """The classifier's turn; the generator's is to match the mean features of the reals."""
        known = F.cross_entropy(self.logits(batch.labelled), batch.label)
        if not self.unlabelled:
            yield {"D": {"labelled": known}}
            return
        with torch.no_grad():
            fake = self.sample(batch)
        real_score, fake_score = realness(self.logits(batch.image)), realness(self.logits(fake))
        yield {"D": {"labelled": known, "unlabelled": 0.5 * logistic_d(real_score, fake_score)}}
        self.report(**{"D wins": wins(real_score, fake_score)})
        with torch.no_grad():
            real = self.features(batch.image)
        yield {"G": feature_matching(real, self.features(self.sample(batch)), power=2 if self.dense else 1)}

    def prior(self, given: Batch) -> Tensor:
        """Uniform codes in [0, 1): (n, z)."""
        return given.rand(self.z)

    def decode(self, code: Tensor) -> Tensor:
        """Images of codes: (b, z) -> (b, channels, size, size)."""
        return self.G(code)

    def sample(self, given: Batch) -> Tensor:
        """Images (n, channels, size, size)."""
        return self.decode(self.prior(given))

    def classify(self, image: Tensor) -> Tensor:
        """Log-probabilities of the classes, given that an image is real: (b, c, h, w) -> (b, classes)."""
        return self.logits(image).log_softmax(1)
