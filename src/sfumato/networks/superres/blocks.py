"""What networks that enlarge pictures are made of: residual blocks, layers that enlarge, shifts of colour."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ...errors import UserError
from .pictures import LUMA

DIV2K = (0.4488, 0.4371, 0.4040)  # the mean of its pictures, red, green and blue in [0, 1]


def numbers(text: str) -> list[int]:
    """Scales from "2+3+4". Raises UserError for anything else."""
    parts = text.split("+")
    if not all(part.isdigit() and part.strip("0") for part in parts):
        raise UserError(f"scales are whole numbers like 2+3+4, not {text!r}")
    return [int(part) for part in parts]


def conv(n: int, m: int, kernel: int = 3) -> nn.Conv2d:
    """A convolution that keeps the side: (b, n, h, w) -> (b, m, h, w)."""
    return nn.Conv2d(n, m, kernel, padding=kernel // 2)


def normal(layers: nn.Module, std: float | None = None) -> None:
    """Weights of convolutions from N(0, std), by default He et al.'s for ReLU; biases zero."""
    for layer in layers.modules():
        if isinstance(layer, nn.Conv2d):
            if std is None:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            else:
                nn.init.normal_(layer.weight, 0.0, std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class Residual(nn.Sequential):
    """Adds what its layers make of a map, times `scale`, to the map: (b, c, h, w) -> (b, c, h, w)."""

    def __init__(self, *layers: nn.Module, scale: float = 1.0) -> None:
        super().__init__(*layers)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        return torch.add(x, super().forward(x), alpha=self.scale)


def block(ch: int, kernel: int = 3, scale: float = 1.0) -> Residual:
    """Two convolutions and a ReLU beside a shortcut, without normalisation. Lim et al., 2017, figure 2 (c)."""
    return Residual(conv(ch, ch, kernel), nn.ReLU(), conv(ch, ch, kernel), scale=scale)


class Shift(nn.Module):
    """Adds a colour, or takes it away, from images in [-1, 1]: (b, channels, h, w) -> the same, float32.

    The colour is of red, green and blue in [0, 1], the mean of some data for a network that is to see centred images.
    """

    colour: Tensor

    def __init__(self, channels: int, colour: tuple[float, float, float], sign: int) -> None:
        super().__init__()
        values = torch.tensor(colour) * 2 - 1
        if channels == 1:
            values = (values * torch.tensor(LUMA) / sum(LUMA)).sum(0, keepdim=True)
        self.register_buffer("colour", sign * values.view(-1, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """As the class says."""
        return image.float() + self.colour


def factors(scale: int) -> list[int]:
    """What the steps of an enlargement multiply the side by. Raises UserError for a scale that has none."""
    steps = {1: [], 2: [2], 3: [3], 4: [2, 2], 8: [2, 2, 2]}
    if scale not in steps:
        raise UserError(f"scale {scale}: these networks enlarge 2, 3, 4 or 8 times")
    return steps[scale]


def shuffled(ch: int, scale: int, activation: Callable[[], nn.Module] | None = None) -> list[nn.Module]:
    """Layers that enlarge by sub-pixel convolutions: (b, ch, h, w) -> (b, ch, scale · h, scale · w).

    Shi et al., 2016, section 3.2. https://arxiv.org/abs/1609.05158
    """
    layers: list[nn.Module] = []
    for factor in factors(scale):
        layers += [conv(ch, factor**2 * ch), nn.PixelShuffle(factor), *([activation()] if activation else [])]
    return layers


def repeated(ch: int, scale: int, activation: Callable[[], nn.Module]) -> list[nn.Module]:
    """Layers that enlarge by nearest neighbours and a convolution: (b, ch, h, w) -> (b, ch, scale · h, scale · w)."""
    layers: list[nn.Module] = []
    for factor in factors(scale):
        layers += [nn.Upsample(scale_factor=factor), conv(ch, ch), activation()]
    return layers
