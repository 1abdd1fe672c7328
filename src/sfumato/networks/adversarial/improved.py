"""The networks of "Improved Techniques for Training GANs" for semi-supervised learning on CIFAR-10 and on MNIST.

Salimans et al., 2016, section 5 and the authors' code. https://arxiv.org/abs/1606.03498
A classifier gives features and has a last layer of its own.
"""

import torch
from torch import Tensor, nn

from .dcgan import double
from .normalised import Normalised


def norm(layer: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.Module:
    """A batch normalisation that learns a bias and no gain."""
    layer.weight.requires_grad_(False)
    return layer


class Noise(nn.Module):
    """Adds normal noise of spread `std` in training."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x + self.std * torch.randn_like(x) if self.training else x


class Generator(nn.Module):
    """A linear layer and three doublings: (b, z) -> (b, channels, size, size). The side is a multiple of 8."""

    def __init__(self, z: int, ch: int, size: int, channels: int) -> None:
        super().__init__()
        side = size // 8
        self.layers = nn.Sequential(
            nn.Linear(z, 4 * ch * side**2, bias=False), norm(nn.BatchNorm1d(4 * ch * side**2)), nn.ReLU(),
            nn.Unflatten(1, (4 * ch, side, side)),
            double(4 * ch, 2 * ch, 5, bias=False), norm(nn.BatchNorm2d(2 * ch)), nn.ReLU(),
            double(2 * ch, ch, 5, bias=False), norm(nn.BatchNorm2d(ch)), nn.ReLU(),
            Normalised(double(ch, channels, 5), std=0.1, gain=True),
        )  # fmt: skip
        for m in self.layers:
            if isinstance(m, nn.Linear | nn.ConvTranspose2d):
                nn.init.normal_(m.weight, 0.0, 0.05)

    def forward(self, z: Tensor) -> Tensor:
        """Images of codes, float32 in [-1, 1]."""
        return torch.tanh(self.layers(z).float())


class Classifier(nn.Module):
    """Nine convolutions and a mean: (b, channels, size, size) -> features (b, 2 ch)."""

    def __init__(self, ch: int, channels: int) -> None:
        super().__init__()
        self.width = 2 * ch
        layers: list[nn.Module] = [nn.Dropout(0.2)]
        n = channels
        for m, kernel, stride, pad in (
            (ch, 3, 1, 1), (ch, 3, 1, 1), (ch, 3, 2, 1), (2 * ch, 3, 1, 1), (2 * ch, 3, 1, 1), (2 * ch, 3, 2, 1),
            (2 * ch, 3, 1, 0), (2 * ch, 1, 1, 0), (2 * ch, 1, 1, 0),
        ):  # fmt: skip
            layers += [Normalised(nn.Conv2d(n, m, kernel, stride, pad)), nn.LeakyReLU(0.2)]
            layers += [nn.Dropout(0.5)] if stride == 2 else []
            n = m
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, image: Tensor) -> Tensor:
        """Features of images."""
        return self.layers(image)


class DenseGenerator(nn.Module):
    """Two softplus layers: (b, z) -> (b, channels, size, size)."""

    def __init__(self, z: int, hidden: int, size: int, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(z, hidden, bias=False), norm(nn.BatchNorm1d(hidden)), nn.Softplus(),
            nn.Linear(hidden, hidden, bias=False), norm(nn.BatchNorm1d(hidden)), nn.Softplus(),
            Normalised(nn.Linear(hidden, channels * size**2), std=None, gain=True),
            nn.Unflatten(1, (channels, size, size)),
        )  # fmt: skip

    def forward(self, z: Tensor) -> Tensor:
        """Images of codes, float32 in [-1, 1]."""
        return torch.tanh(self.layers(z).float() / 2)  # 2 sigmoid(x) - 1


class DenseClassifier(nn.Module):
    """Five noisy layers on pixels in [0, 1]: (b, channels, size, size) -> features (b, hidden / 4)."""

    def __init__(self, hidden: int, size: int, channels: int) -> None:
        super().__init__()
        self.width = hidden // 4
        layers: list[nn.Module] = [nn.Flatten(), Noise(0.3)]
        n = channels * size**2
        for m in (hidden, hidden // 2, hidden // 4, hidden // 4, hidden // 4):
            layers += [Normalised(nn.Linear(n, m)), nn.ReLU(), Noise(0.5)]
            n = m
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, image: Tensor) -> Tensor:
        """Features of images."""
        return self.layers((image + 1) / 2)
