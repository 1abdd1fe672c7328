"""Growing a generator and a discriminator from small pictures to large ones: the schedule and the plain networks.

Karras et al., Progressive Growing of GANs, 2017, section 2, figure 2 and table 2. https://arxiv.org/abs/1710.10196
A level is a size: level k has the sides of the smallest one doubled k times. A whole level is trained; on the way from
one to the next a share `alpha` of what is drawn or seen comes from the new layers.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ... import aspect as shape
from ...errors import UserError
from .equalised import Conv, Linear, minibatch_std, pixel_norm, widths

LARGEST = 15  # pixels of the shorter side at the smallest level
FINE = 1 << 16  # parts of a level in which growth is kept: an integer, for averages of weights must not blur it


class Growth(nn.Module):
    """How far two networks have grown, a buffer.

    They begin at pictures whose shorter side is `start`. A share `share` of the training is for all levels but the
    last, which are alike: the first half of each is spent at that level, the second in fading in the next (appendix
    A.1).
    """

    reached: Tensor

    def __init__(self, size: int, start: int, share: float, aspect: str = shape.SQUARE) -> None:
        super().__init__()
        self.first, self.last, self.share = first_level(size, start, aspect), pyramid(size, aspect)[1], share
        self.register_buffer("reached", torch.tensor(self.first * FINE))

    def advance(self, progress: float) -> None:
        """Grow to where a training is after a share `progress` of it."""
        levels = self.last - self.first
        done = progress / self.share * levels if self.share else levels
        whole = int(done)
        level = self.first + min(whole + max(0.0, 2 * (done - whole) - 1), levels)
        self.reached.fill_(round(level * FINE))

    def level(self) -> tuple[int, Tensor | None]:
        """The level of the largest layers in use, and the share of them where they are fading in, else None."""
        if self.first == self.last:
            return self.last, None
        whole, part = divmod(int(self.reached), FINE)
        return (whole + 1, (self.reached % FINE) / FINE) if part else (whole, None)

    def shown(self, image: Tensor) -> Tensor:
        """Training pictures as they are seen at this level: (b, c, h, w) -> (b, c, ·, ·)."""
        level, alpha = self.level()
        image = F.avg_pool2d(image, 1 << (self.last - level)) if level < self.last else image
        return image if alpha is None else torch.lerp(double(F.avg_pool2d(image, 2)), image, alpha)

    def whole(self, image: Tensor) -> Tensor:
        """Drawn pictures at full size: (b, c, ·, ·) -> (b, c, h, w)."""
        times = 1 << (self.last - self.level()[0])
        return image if times == 1 else F.interpolate(image, scale_factor=float(times))


def pyramid(size: int, aspect: str = shape.SQUARE) -> tuple[tuple[int, int], int]:
    """Height and width at level 0, the shorter 4 to 7 pixels if halving leads there, and the levels above.

    Raises UserError if it ends above 15, or the size is below 4.
    """
    (high, wide), times = shape.sides(size, aspect), 0
    while min(high, wide) > 7 and high % 2 == wide % 2 == 0:
        high, wide, times = high // 2, wide // 2, times + 1
    if not 4 <= min(high, wide) <= LARGEST:
        unit = min(shape.ratio(aspect))
        better = f"size {unit << max(2, size // unit).bit_length() - 1}" if unit <= LARGEST else "a simpler aspect"
        raise UserError(
            f"size {size}: these networks double 4 to {LARGEST} pixels, and {shape.shown(size, aspect)} is halved to "
            f"{wide}×{high} and no further; take {better}"
        )
    return (high, wide), times


def first_level(size: int, start: int, aspect: str = shape.SQUARE) -> int:
    """The level at which pictures have this shorter side. Raises UserError if there is none."""
    smallest, times = pyramid(size, aspect)
    sides = [min(smallest) << k for k in range(times + 1)]
    if start not in sides:
        raise UserError(f"start {start}: pictures of {size} px can grow from {', '.join(map(str, sides))}")
    return sides.index(start)


def double(image: Tensor) -> Tensor:
    """Nearest neighbours: (b, c, h, w) -> (b, c, 2 h, 2 w)."""
    return F.interpolate(image, scale_factor=2.0)


def faded(layers: nn.ModuleList, before: Tensor, x: Tensor, at: int, alpha: Tensor | None) -> Tensor:
    """A picture of the maps x of the layer `at`, mixed with that of the maps before it where it is fading in."""
    image = layers[at](x).float()
    return image if alpha is None else torch.lerp(double(layers[at - 1](before).float()), image, alpha)


class Generator(nn.Module):
    """A linear layer, then pairs of 3×3 convolutions with normalised pixels: (b, 1, z) -> (b, channels, h, w).

    It takes and gives what the synthesis networks of the StyleGAN line do: the code is its only style, without noise.
    """

    noises: tuple[tuple[int, int], ...] = ()
    layers = 1

    def __init__(
        self, z: int, ch: int, ch_max: int, size: int, channels: int, start: int, taps: tuple[float, ...] = (1, 1),
        aspect: str = shape.SQUARE,
    ) -> None:  # fmt: skip
        super().__init__()
        (high, wide), times = pyramid(size, aspect)
        n = widths(ch, ch_max, times)
        self.first = first_level(size, start, aspect)
        self.start = nn.Sequential(Linear(z, n[0] * high * wide, leaky=True), nn.Unflatten(1, (n[0], high, wide)))
        self.convs = nn.ModuleList([Conv(n[0], n[0], 3, leaky=True)])
        for k in range(times):
            self.convs.append(Conv(n[k], n[k + 1], 3, +1, taps, leaky=True))
            self.convs.append(Conv(n[k + 1], n[k + 1], 3, leaky=True))
        self.pictures = nn.ModuleList(Conv(m, channels, 1) for m in n[self.first :])

    def styles(self, w: Tensor) -> list[Tensor]:
        """The code itself: (b, 1, z) -> (b, z)."""
        return [w[:, 0]]

    def forward(
        self, w: Tensor, noise: list[Tensor] | None = None, level: int = -1, alpha: Tensor | None = None
    ) -> Tensor:
        """Pictures of codes at a level, -1 being the largest."""
        return self.render(self.styles(w), noise, level, alpha)

    def render(
        self, styles: list[Tensor], noise: list[Tensor] | None = None, level: int = -1, alpha: Tensor | None = None
    ) -> Tensor:
        """Pictures of styles, float32."""
        x = before = pixel_norm(self.convs[0](pixel_norm(self.start(styles[0]))))
        level = len(self.convs) // 2 if level < 0 else level
        for k in range(level):
            before = x
            for layer in self.convs[2 * k + 1 : 2 * k + 3]:
                x = pixel_norm(layer(x))
        return faded(self.pictures, before, x, level - self.first, alpha)


class Discriminator(nn.Module):
    """Pairs of 3×3 convolutions from the sides of a level to the smallest ones: (b, channels, h, w) -> (b,).

    The last layers see the spread of features within `group` pictures, none if it is 0.
    """

    def __init__(
        self, ch: int, ch_max: int, size: int, channels: int, start: int, group: int = 4,
        taps: tuple[float, ...] = (1, 1), aspect: str = shape.SQUARE,
    ) -> None:  # fmt: skip
        super().__init__()
        (high, wide), times = pyramid(size, aspect)
        n = widths(ch, ch_max, times)
        self.first, self.group = first_level(size, start, aspect), group
        self.pictures = nn.ModuleList(Conv(channels, m, 1, leaky=True) for m in n[self.first :])
        self.blocks = nn.ModuleList(
            nn.Sequential(Conv(a, a, 3, leaky=True), Conv(a, b, 3, -1, taps, leaky=True)) for b, a in pairwise(n)
        )
        self.conv = Conv(n[0] + bool(group), n[0], 3, leaky=True)
        self.dense, self.score = Linear(n[0] * high * wide, n[0], leaky=True), Linear(n[0], 1)

    def forward(self, image: Tensor, level: int = -1, alpha: Tensor | None = None) -> Tensor:
        """Scores of pictures, float32, at a level; -1 is the largest."""
        level = len(self.blocks) if level < 0 else level
        x = self.pictures[level - self.first](image)
        for k in reversed(range(level)):
            x = self.blocks[k](x)
            if alpha is not None:
                x = torch.lerp(self.pictures[k - self.first](F.avg_pool2d(image, 2)), x, alpha.to(x.dtype))
                alpha = None
        x = minibatch_std(x, self.group) if self.group else x
        return self.score(self.dense(self.conv(x).flatten(1))).squeeze(1)
