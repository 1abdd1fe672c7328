"""SRVGGNetCompact: a plain stack of convolutions at the small side, beside an enlargement by repetition.

Wang, Xie, Dong & Shan, Real-ESRGAN, ICCVW 2021 (its code and later models). https://arxiv.org/abs/2107.10833
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import conv


class Signed(nn.Module):
    """A network for images in [0, 1] that takes and gives them in [-1, 1]: (b, c, h, w) -> as the network says."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """As the class says."""
        large: Tensor = self.network((image + 1) / 2)
        return 2 * large - 1


class Compact(nn.Module):
    """The stack and the repetition: (b, c, h, w) -> (b, c, s · h, s · w). `reduction` is a last bicubic step."""

    def __init__(self, body: nn.Sequential, scale: int, reduction: int = 1) -> None:
        super().__init__()
        self.body, self.scale, self.reduction = body, scale, reduction

    def forward(self, image: Tensor) -> Tensor:
        """As the class says, the side divided by `reduction`."""
        large = F.pixel_shuffle(self.body(image), self.scale) + F.interpolate(image, scale_factor=float(self.scale))
        if self.reduction == 1:
            return large
        return F.interpolate(large, scale_factor=1 / self.reduction, mode="bicubic", align_corners=False)


def stack(channels: int, ch: int, layers: int, scale: int) -> nn.Sequential:
    """Its convolutions, each but the last with a PReLU: (b, channels, h, w) -> (b, channels · scale², h, w).

    The inner ones begin near the identity: without shortcuts between them, detail is otherwise lost at first.
    """
    inner = [layer for _ in range(layers) for layer in (conv(ch, ch), nn.PReLU(ch))]
    for layer in inner[::2]:
        identity = nn.init.dirac_(torch.empty_like(layer.weight))
        layer.weight.data.mul_(0.5).add_(identity)
    return nn.Sequential(conv(channels, ch), nn.PReLU(ch), *inner, conv(ch, channels * scale**2))


def compact_net(channels: int, ch: int, layers: int, scale: int) -> Signed:
    """The whole network for images in [-1, 1]: (b, channels, h, w) -> (b, channels, scale · h, scale · w)."""
    return Signed(Compact(stack(channels, ch, layers, scale), scale))
