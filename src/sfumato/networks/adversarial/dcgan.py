"""The generator and the discriminator of DCGAN, for any image side that is 4 to 7 doubled some times over.

Radford et al., 2015, section 3 and figure 1. https://arxiv.org/abs/1511.06434
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ...errors import UserError

Norm = Callable[[int], nn.Module]  # channels -> the layer that normalises them


def layer_norm(ch: int) -> nn.Module:
    """Normalisation over all of a picture's features, with a gain and a bias a channel."""
    return nn.GroupNorm(1, ch)


def halvings(size: int) -> tuple[int, int]:
    """The side at which a network's pyramid starts (4 to 7 pixels) and the doublings from there to `size`.

    Raises UserError if there is no such pyramid.
    """
    side, times = size, 0
    while side > 7 and side % 2 == 0:
        side, times = side // 2, times + 1
    if not 4 <= side <= 7:
        raise UserError(f"size {size}: these networks double 4, 5, 6 or 7 pixels; take {2 ** (size.bit_length() - 1)}")
    return side, times


def initialise(net: nn.Module, std: float = 0.02) -> None:
    """Weights from N(0, std), gains from N(1, std), biases zero. Section 4."""
    for m in net.modules():
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(m.weight, 0.0, std)
        elif isinstance(m, nn.BatchNorm2d | nn.BatchNorm1d | nn.GroupNorm):
            nn.init.normal_(m.weight, 1.0, std)
        else:
            continue
        if m.bias is not None:
            nn.init.zeros_(m.bias)


def double(n: int, m: int, kernel: int, bias: bool = True) -> nn.ConvTranspose2d:
    """A fractionally strided convolution that doubles the side: (b, n, h, w) -> (b, m, 2 h, 2 w)."""
    return nn.ConvTranspose2d(n, m, kernel, 2, (kernel - 1) // 2, kernel % 2, bias=bias)


class Generator(nn.Module):
    """Codes to images by transposed convolutions, ReLU and a last tanh: (b, z) -> (b, channels, size, size).

    `ch` is the width of the layer before the picture; it doubles with every halving of the side.
    `kernel` is 5 in the paper and 4 in most that came after it, which leaves less of a checkerboard.
    """

    def __init__(
        self, z: int, ch: int, size: int, channels: int, kernel: int = 4, norm: Norm | None = nn.BatchNorm2d
    ) -> None:
        super().__init__()
        side, times = halvings(size)
        widths = [ch * 2**k for k in reversed(range(times))] or [ch]
        free = norm is None  # a norm takes away what a bias would add
        layers: list[nn.Module] = [nn.ConvTranspose2d(z, widths[0], side, bias=free)]
        for n, m in zip(widths, [*widths[1:], channels], strict=True):
            layers += [*([norm(n)] if norm else []), nn.ReLU()]
            layers.append(double(n, m, kernel, free))
        self.layers = nn.Sequential(*layers)
        initialise(self)

    def forward(self, z: Tensor) -> Tensor:
        """Images of codes, float32 in [-1, 1]."""
        return torch.tanh(self.layers(z[:, :, None, None]).float())


class Discriminator(nn.Module):
    """Images to scores by strided convolutions and LeakyReLU: (b, channels, size, size) -> (b,), or (b, outputs).

    `ch` is the width of the first layer; it doubles with every halving of the side. The first layer has no norm.
    """

    def __init__(
        self,
        ch: int,
        size: int,
        channels: int,
        kernel: int = 4,
        norm: Norm | None = nn.BatchNorm2d,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        side, times = halvings(size)
        free, pad = norm is None, (kernel - 1) // 2
        layers: list[nn.Module] = [nn.Conv2d(channels, ch, kernel, 2, pad, bias=free), nn.LeakyReLU(0.2)]
        for k in range(times - 1):
            n = ch * 2**k
            layers += [nn.Conv2d(n, 2 * n, kernel, 2, pad, bias=free), *([norm(2 * n)] if norm else [])]
            layers.append(nn.LeakyReLU(0.2))
        layers.append(nn.Conv2d(ch * 2 ** (times - 1), outputs, side, bias=free))
        self.layers = nn.Sequential(*layers)
        initialise(self)

    def forward(self, image: Tensor) -> Tensor:
        """Scores of images, float32."""
        return self.layers(image).flatten(1).squeeze(1).float()
