"""Fully connected networks of the first adversarial papers: rectified generators, maxout discriminators.

Goodfellow et al., Maxout Networks, 2013. https://arxiv.org/abs/1302.4389
"""

import torch
from torch import Tensor, nn


def uniform(net: nn.Module, reach: float) -> nn.Module:
    """The network with weights from U(-reach, reach) and zero biases."""
    for m in net.modules():
        if isinstance(m, nn.Linear):
            nn.init.uniform_(m.weight, -reach, reach)
            nn.init.zeros_(m.bias)
    return net


class Maxout(nn.Module):
    """Each unit is the greatest of `pieces` affine functions: (b, inputs) -> (b, units)."""

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__()
        self.units, self.linear = units, nn.Linear(inputs, units * pieces)

    def forward(self, x: Tensor) -> Tensor:
        """The units' values."""
        return self.linear(x).unflatten(1, (self.units, -1)).amax(2)


class Picture(nn.Module):
    """The last layer of a generator: a logit a pixel, through a sigmoid onto [-1, 1]: (b, inputs) -> (b, c, h, w)."""

    def __init__(self, inputs: int, channels: int, size: int) -> None:
        super().__init__()
        self.shape, self.linear = (channels, size, size), nn.Linear(inputs, channels * size * size)

    def forward(self, x: Tensor) -> Tensor:
        """Images, float32 in [-1, 1]."""
        return torch.tanh(self.linear(x).float() / 2).unflatten(1, self.shape)  # tanh(x / 2) = 2 sigmoid(x) - 1

    @torch.no_grad()
    def centre(self, image: Tensor) -> None:
        """Set the biases so that a network that knows nothing draws the mean of these images."""
        self.linear.bias.copy_(2 * torch.atanh(image.mean(0).flatten().clamp(-0.98, 0.98)))
