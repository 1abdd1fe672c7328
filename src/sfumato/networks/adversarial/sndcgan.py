"""The generator and the discriminator of spectral normalisation for CIFAR-10, as others took them over.

Miyato et al., Spectral Normalization for GANs, 2018, table 3. https://arxiv.org/abs/1802.05957
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from .dcgan import double, halvings, initialise


class Generator(nn.Module):
    """A linear layer, doublings by transposed convolutions, a convolution: (b, z) -> (b, channels, size, size)."""

    def __init__(self, z: int, ch: int, size: int, channels: int) -> None:
        super().__init__()
        self.side, times = halvings(size)
        n = ch * 2**times
        self.start = nn.Linear(z, n * self.side**2)
        layers: list[nn.Module] = []
        for _ in range(times):
            layers += [double(n, n // 2, 4), nn.BatchNorm2d(n // 2), nn.ReLU()]
            n //= 2
        self.layers = nn.Sequential(*layers, nn.Conv2d(n, channels, 3, 1, 1))
        initialise(self)

    def forward(self, z: Tensor) -> Tensor:
        """Images of codes, float32 in [-1, 1]."""
        return torch.tanh(self.layers(self.start(z).unflatten(1, (-1, self.side, self.side))).float())


class Discriminator(nn.Module):
    """Pairs of convolutions that keep and halve the side, of spectral norm 1: (b, channels, size, size) -> (b,).

    For games that compare scores, which need no bias, the last layer has neither a bias nor a norm if not `absolute`.
    """

    def __init__(self, ch: int, size: int, channels: int, absolute: bool = True) -> None:
        super().__init__()
        side, times = halvings(size)
        layers: list[nn.Module] = []
        n = channels
        for k in range(times):
            m = ch * 2**k
            layers += [nn.Conv2d(n, m, 3, 1, 1), nn.LeakyReLU(0.1), nn.Conv2d(m, m, 4, 2, 1), nn.LeakyReLU(0.1)]
            n = m
        layers += [nn.Conv2d(n, 2 * n, 3, 1, 1), nn.LeakyReLU(0.1), nn.Flatten()]
        self.layers = nn.Sequential(*layers, nn.Linear(2 * n * side**2, 1, bias=absolute), nn.Flatten(0))
        initialise(self)
        for m in self.layers:
            if isinstance(m, nn.Conv2d) or (absolute and isinstance(m, nn.Linear)):
                spectral_norm(m)

    def forward(self, image: Tensor) -> Tensor:
        """Scores of images, float32."""
        return self.layers(image).float()
