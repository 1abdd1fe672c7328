"""The networks of StyleGAN2: modulated convolutions, pictures summed over levels, and a residual discriminator.

Karras et al., Analyzing and Improving the Image Quality of StyleGAN, 2019, sections 2 and 4, figures 2 and 7.
https://arxiv.org/abs/1912.04958
"""

from itertools import pairwise
from math import sqrt

import torch
from torch import Tensor, nn

from ... import aspect as shape
from . import fir
from .equalised import Conv, Linear, minibatch_std, widths
from .modulated import StyledConv, ToPicture
from .progressive import faded, first_level, pyramid
from .stylegan import Mapping


class Synthesis(nn.Module):
    """Points of W, one a layer, to pictures: (b, layers, w) -> (b, channels, h, w), float32.

    Each level adds its picture to that of the level before it, upsampled (figure 7b). With a `start` below `size` it
    grows and has the picture of its largest level instead, as in configurations B to D.
    """

    kernel: Tensor

    def __init__(
        self, w: int, ch: int, ch_max: int, size: int, channels: int, start: int, aspect: str = shape.SQUARE
    ) -> None:
        super().__init__()
        (high, wide), times = pyramid(size, aspect)
        n = widths(ch, ch_max, times)
        self.first, self.layers, self.grows = first_level(size, start, aspect), 2 * times + 2, start < size
        self.noises = tuple((high << (k // 2), wide << (k // 2)) for k in range(1, self.layers))
        self.constant = nn.Parameter(torch.randn(1, n[0], high, wide))
        self.convs = nn.ModuleList([StyledConv(n[0], n[0], w)])
        for k in range(times):
            self.convs.extend([StyledConv(n[k], n[k + 1], w, up=True), StyledConv(n[k + 1], n[k + 1], w)])
        self.pictures = nn.ModuleList(
            Conv(m, channels, 1) if self.grows else ToPicture(m, channels, w)
            for m in (n[self.first :] if self.grows else n)
        )
        self.register_buffer("kernel", fir.lowpass((1, 3, 3, 1)), persistent=False)

    def styles(self, w: Tensor) -> list[Tensor]:
        """What each convolution, then each level's picture is given: (b, layers, w) -> (b, n) for each."""
        made = [conv.affine(w[:, k]) for k, conv in enumerate(self.convs)]  # type: ignore[operator]
        # A level's picture shares its point of W with the convolution that follows it.
        if self.grows:
            return made
        return made + [p.affine(w[:, 2 * k + 1]) for k, p in enumerate(self.pictures)]  # type: ignore[operator]

    def forward(self, w: Tensor, noise: list[Tensor], level: int = -1, alpha: Tensor | None = None) -> Tensor:
        """Pictures of points of W at a level, -1 being the largest."""
        return self.render(self.styles(w), noise, level, alpha)

    def render(self, styles: list[Tensor], noise: list[Tensor], level: int = -1, alpha: Tensor | None = None) -> Tensor:
        """Pictures of styles; noise is (b or 1, 1, h, w) for each of `noises`."""
        level = self.layers // 2 - 1 if level < 0 else level
        tints = styles[len(self.convs) :]
        x = before = self.convs[0](self.constant.expand(styles[0].shape[0], -1, -1, -1), styles[0], noise[0])
        image = None if self.grows else self.pictures[0](x, tints[0])
        for k in range(1, level + 1):
            before = x
            for i in (2 * k - 1, 2 * k):
                x = self.convs[i](x, styles[i], noise[i])
            if image is not None:
                image = fir.up(image, self.kernel) + self.pictures[k](x, tints[k])
        return faded(self.pictures, before, x, level - self.first, alpha) if image is None else image


class Block(nn.Module):
    """Two 3×3 convolutions to half the side beside a 1×1 shortcut: (b, n, h, w) -> (b, m, h / 2, w / 2).

    What is added is divided by √2 (figure 7c); the division is in the weights. Without `residual` there is no shortcut.
    """

    def __init__(self, n: int, m: int, residual: bool) -> None:
        super().__init__()
        gain = 1.0 if residual else None
        self.convs = nn.Sequential(Conv(n, n, 3, leaky=True), Conv(n, m, 3, -1, leaky=True, gain=gain))
        self.shortcut = Conv(n, m, 1, -1, bias=False, gain=sqrt(0.5)) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        y = self.convs(x)
        return y if self.shortcut is None else y + self.shortcut(x)


class Discriminator(nn.Module):
    """Blocks that halve the side, then the spread of features in groups: (b, channels, h, w) -> (b,).

    With `classes`, scores are products of features with those that `mapping` layers make of the class (Karras et al.,
    2020, appendix C).
    """

    def __init__(
        self, ch: int, ch_max: int, size: int, channels: int, group: int = 4, residual: bool = True,
        classes: int = 0, mapping: int = 8, aspect: str = shape.SQUARE,
    ) -> None:  # fmt: skip
        super().__init__()
        (high, wide), times = pyramid(size, aspect)
        n = widths(ch, ch_max, times)
        self.group = group
        self.picture = Conv(channels, n[-1], 1, leaky=True)
        self.blocks = nn.Sequential(*reversed([Block(a, b, residual) for b, a in pairwise(n)]))
        self.conv = Conv(n[0] + bool(group), n[0], 3, leaky=True)
        self.dense = Linear(n[0] * high * wide, n[0], leaky=True)
        self.score = Linear(n[0], n[0] if classes else 1)
        self.condition = Mapping(0, n[0], mapping, classes) if classes else None

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """Scores of pictures, of one-hot classes (b, classes) if it has any, float32."""
        x = self.blocks(self.picture(image))
        x = minibatch_std(x, self.group) if self.group else x
        y = self.score(self.dense(self.conv(x).flatten(1)))
        if self.condition is None or label is None:
            return y.squeeze(1)
        return (y * self.condition(label)).sum(1) / sqrt(y.shape[1])
