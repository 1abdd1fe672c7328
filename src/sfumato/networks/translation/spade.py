"""Normalisation that a map of classes says how to undo, and the generator and encoder made of it.

Park et al., Semantic Image Synthesis with Spatially-Adaptive Normalization, 2019, section 3.1 and appendix A.
https://arxiv.org/abs/1903.07291
"""

from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ...aspect import SQUARE, sides
from .generators import fitted, instance_norm


class SPADE(nn.Module):
    """Maps normalised, then scaled and shifted at every place as a layout says: (b, ch, h, w), (b, n, H, W).

    γ · (x - μ) / σ + β (eq. 1), γ - 1 and β being convolutions of the layout at the maps' size. Moments are of the
    batch, and when painting those of late.
    """

    def __init__(self, ch: int, inputs: int, hidden: int = 128) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(ch, affine=False)
        self.shared = nn.Sequential(nn.Conv2d(inputs, hidden, 3, 1, 1), nn.ReLU(True))
        self.scale, self.shift = (nn.Conv2d(hidden, ch, 3, 1, 1) for _ in range(2))

    def forward(self, x: Tensor, layout: Tensor) -> Tensor:
        """As the class says."""
        seen = self.shared(F.interpolate(layout, x.shape[-2:], mode="nearest"))
        return torch.addcmul(self.shift(seen), self.norm(x), 1 + self.scale(seen))


class SPADEBlock(nn.Module):
    """Two convolutions, each after a SPADE, beside a shortcut, which has its own if n ≠ m: (b, n, …) -> (b, m, …)."""

    def __init__(self, n: int, m: int, inputs: int, hidden: int) -> None:
        super().__init__()
        middle = min(n, m)
        self.norm1, self.norm2 = SPADE(n, inputs, hidden), SPADE(middle, inputs, hidden)
        self.conv1 = spectral_norm(nn.Conv2d(n, middle, 3, 1, 1))
        self.conv2 = spectral_norm(nn.Conv2d(middle, m, 3, 1, 1))
        self.learned = n != m
        if self.learned:
            self.norm, self.shortcut = SPADE(n, inputs, hidden), spectral_norm(nn.Conv2d(n, m, 1, bias=False))

    def forward(self, x: Tensor, layout: Tensor) -> Tensor:
        """As the class says."""
        y = self.conv1(F.leaky_relu(self.norm1(x, layout), 0.2))
        y = self.conv2(F.leaky_relu(self.norm2(y, layout), 0.2))
        return y + (self.shortcut(self.norm(x, layout)) if self.learned else x)


class SPADEGenerator(nn.Module):
    """A code, enlarged `levels` times by 2, told of the layout at each: (b, n, h, w), (b, z) -> (b, channels, h, w).

    In [-1, 1], float32. `ch` channels at last, twice as many at each level before, at most 16 · ch. Without a code
    (z = 0) it begins with the layout, made small.
    """

    def __init__(
        self, inputs: int, channels: int, ch: int = 64, levels: int = 5, z: int = 256, size: int = 256,
        hidden: int = 128, aspect: str = SQUARE,
    ) -> None:  # fmt: skip
        super().__init__()
        widths = [ch * min(2 ** (levels - 1 - k), 16) for k in range(levels)]
        self.levels = levels
        self.smallest = high, wide = tuple(max(1, side // 2**levels) for side in sides(size, aspect))
        self.start: nn.Module = nn.Linear(z, widths[0] * high * wide) if z else nn.Conv2d(inputs, widths[0], 3, 1, 1)
        self.code = bool(z)
        make = partial(SPADEBlock, inputs=inputs, hidden=hidden)
        self.first, self.middle = make(widths[0], widths[0]), make(widths[0], widths[0])
        self.blocks = nn.ModuleList([make(n, m) for n, m in zip([widths[0], *widths], widths, strict=False)])
        self.last = nn.Conv2d(widths[-1], channels, 3, 1, 1)

    def forward(self, layout: Tensor, code: Tensor | None = None) -> Tensor:
        """As the class says."""
        return fitted(partial(self.draw, code=code), layout, 2**self.levels)

    def draw(self, layout: Tensor, code: Tensor | None = None) -> Tensor:
        """The picture, of sides that suit."""
        size = tuple(side // 2**self.levels for side in layout.shape[-2:])
        if self.code:
            assert code is not None
            x = self.start(code).unflatten(1, (-1, *self.smallest))
            x = x if size == self.smallest else F.interpolate(x, size, mode="bilinear")
        else:
            x = self.start(F.interpolate(layout, size, mode="nearest"))
        x = self.first(x, layout)
        for k, block in enumerate(self.blocks):
            x = F.interpolate(x, scale_factor=2.0)
            x = block(self.middle(x, layout) if k == 0 else x, layout)
        return torch.tanh(self.last(F.leaky_relu(x, 0.2)).float())


class StyleEncoder(nn.Module):
    """What a picture looks like, as mean and log variance of a code: (b, channels, h, w) -> (b, z), (b, z)."""

    def __init__(self, channels: int, z: int, ch: int, halvings: int) -> None:
        super().__init__()
        widths = [channels, *[ch * min(2**k, 8) for k in range(halvings)]]
        layers: list[nn.Module] = []
        for n, m in pairwise(widths):
            layers += [spectral_norm(nn.Conv2d(n, m, 3, 2, 1, bias=False)), instance_norm(m), nn.LeakyReLU(0.2, True)]
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.code = nn.Linear(16 * widths[-1], 2 * z)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """As the class says."""
        mean, spread = self.code(self.layers(image)).float().chunk(2, 1)
        return mean, spread
