"""The networks of Stacked GAN: a classifier, and for each of its two upper layers a generator and a discriminator.

Huang et al., 2016, appendix A, and the authors' code for MNIST. https://arxiv.org/abs/1612.04357
Image sides are multiples of 4, from 16 on: convolutions without padding undo each other.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import UserError
from .dcgan import double


def first_side(size: int) -> int:
    """The side of the maps that pictures begin with, of which they are 4 times and 12 pixels. Raises UserError."""
    if size < 16 or size % 4:
        raise UserError(f"size {size}: these networks need a multiple of 4 from 16 on; take {max(16, size // 4 * 4)}")
    return (size - 12) // 4


class Encoder(nn.Module):
    """Two convolutions and two linear layers: (b, channels, size, size) -> (b, features), (b, classes).

    Its features are what generators learn to invert, its classes what they begin from.
    """

    def __init__(self, ch: int, features: int, size: int, channels: int, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, ch, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(ch, ch, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(ch * first_side(size) ** 2, features), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(features, classes)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Features, and logits of classes, float32."""
        features = self.body(image)
        return features.float(), self.head(features).float()


def dense(n: int, m: int) -> list[nn.Module]:
    """A linear layer, batch normalisation, ReLU."""
    return [nn.Linear(n, m, bias=False), nn.BatchNorm1d(m), nn.ReLU()]


class FeatureGenerator(nn.Module):
    """Noise and classes to features: (b, z), (b, classes) -> (b, features)."""

    def __init__(self, z: int, classes: int, features: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*dense(z + classes, hidden), *dense(hidden, hidden), nn.Linear(hidden, features))

    def forward(self, noise: Tensor, label: Tensor) -> Tensor:
        """Features, float32, none below zero."""
        return F.relu(self.layers(torch.cat([noise, label], 1)).float())


class ImageGenerator(nn.Module):
    """Noise and what lies above, features or classes, to images: (b, z), (b, d) -> (b, channels, size, size)."""

    def __init__(self, z: int, d: int, ch: int, size: int, channels: int) -> None:
        super().__init__()
        side = first_side(size)
        self.noise = nn.Sequential(*dense(z, 4 * ch))
        self.layers = nn.Sequential(
            *dense(d + 4 * ch, 4 * ch * side**2), nn.Unflatten(1, (4 * ch, side, side)),
            double(4 * ch, 4 * ch, 5, bias=False), nn.BatchNorm2d(4 * ch), nn.ReLU(),
            nn.ConvTranspose2d(4 * ch, 2 * ch, 5, bias=False), nn.BatchNorm2d(2 * ch), nn.ReLU(),
            double(2 * ch, 2 * ch, 5, bias=False), nn.BatchNorm2d(2 * ch), nn.ReLU(),
            nn.ConvTranspose2d(2 * ch, channels, 5),
        )  # fmt: skip

    def forward(self, noise: Tensor, above: Tensor) -> Tensor:
        """Images, float32 in [-1, 1]."""
        return torch.tanh(self.layers(torch.cat([above, self.noise(noise)], 1)).float())


class Judge(nn.Module):
    """A discriminator D and, on the same layers, Q, which guesses the noise: x -> (b,), (b, z)."""

    def __init__(self, body: nn.Sequential, width: int, z: int) -> None:
        super().__init__()
        self.body, self.score, self.guess = body, nn.Linear(width, 1), nn.Linear(width, z)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores, and guesses of the noise, float32."""
        h = self.body(x)
        return self.score(h).squeeze(1).float(), self.guess(h).float()


def feature_judge(features: int, hidden: int, z: int) -> Judge:
    """Two linear layers, of features."""
    layers = [nn.Linear(features, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, hidden), nn.LeakyReLU(0.2)]
    return Judge(nn.Sequential(*layers), hidden, z)


def image_judge(ch: int, hidden: int, size: int, channels: int, z: int) -> Judge:
    """Three convolutions that halve the side and a linear layer, of images."""
    layers: list[nn.Module] = []
    for n, m in ((channels, ch), (ch, 2 * ch), (2 * ch, 4 * ch)):
        layers += [nn.Conv2d(n, m, 5, 2, 2), nn.LeakyReLU(0.2)]
    side = -(-size // 8)
    layers += [nn.Flatten(), nn.Linear(4 * ch * side**2, hidden), nn.LeakyReLU(0.2)]
    return Judge(nn.Sequential(*layers), hidden, z)
