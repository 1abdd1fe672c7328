"""From a picture to the code that a generator would draw it from.

Residual blocks that halve the side, and for each point of the code a linear layer on the map whose side suits it,
coarse points looking at coarse maps: the pyramid of Richardson et al., 2020, section 3.
https://arxiv.org/abs/2008.00951
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...aspect import SQUARE
from ..stylegan.equalised import Conv, widths
from ..stylegan.progressive import pyramid
from ..stylegan.stylegan2 import Block


class Encoder(nn.Module):
    """Pictures to codes as offsets from a mean, in spreads: (b, channels, h, w) -> (b, points, n), float32.

    `ch` is the width next to the picture; it doubles at each halving of the side, up to `ch_max`. What comes out is 0
    before training.
    """

    def __init__(
        self, points: int, n: int, ch: int, ch_max: int, size: int, channels: int, aspect: str = SQUARE
    ) -> None:
        super().__init__()
        self.tip, times = pyramid(size, aspect)
        width = widths(ch, ch_max, times)
        self.picture = Conv(channels, width[-1], 3, leaky=True)
        self.blocks = nn.ModuleList(
            Block(width[k + 1], width[k], residual=True) for k in reversed(range(times))
        )  # the last one ends at the side of the pyramid's tip
        self.level = [min(p // 2, times - 1, 2) for p in range(points)]  # 0 is the tip
        heads = [nn.Linear(width[k] * self.tip[0] * self.tip[1], n) for k in self.level]
        self.heads = nn.ModuleList(heads)
        for head in heads:
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, image: Tensor) -> Tensor:
        """As the class says."""
        x, maps = self.picture(image), []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        small = [F.adaptive_avg_pool2d(x.float(), self.tip).flatten(1) for x in reversed(maps)]
        return torch.stack([head(small[k]).float() for head, k in zip(self.heads, self.level, strict=True)], 1)
