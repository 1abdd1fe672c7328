"""The U-Net over any encoder that fast.ai builds, and the critic that goes with it, as DeOldify has them.

Howard & Gugger's dynamic U-Net: sub-pixel convolutions that begin as nearest neighbours (ICNR, Aitken et al., 2017,
https://arxiv.org/abs/1707.02937), blurred against checkerboards (Sugawara et al., 2018, https://arxiv.org/abs/1806.02658),
one layer of self-attention (Zhang et al., 2018, https://arxiv.org/abs/1805.08318) and the picture itself joined in
before the last block. DeOldify's are of spectral norm one, with a batch norm after each ReLU.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ...errors import UserError
from .resnet34 import Encoder

REACH = 3.0  # of the results, in standard deviations of photographs
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of photographs: ImageNet's, red, green and blue in [0, 1]


class Attention(nn.Module):
    """What a place takes from all others, times a gain that begins at 0, beside the map: (b, c, h, w) -> (b, c, h, w).

    Zhang et al., 2018, section 3: queries and keys have an eighth of the channels.
    """

    def __init__(self, ch: int) -> None:
        super().__init__()
        few = max(1, ch // 8)
        self.query, self.key, self.value = (spectral_norm(nn.Conv2d(ch, m, 1, bias=False)) for m in (few, few, ch))
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        q, k, v = (layer(x).flatten(2).mT for layer in (self.query, self.key, self.value))
        seen = F.scaled_dot_product_attention(q, k, v, scale=1.0)
        return x + self.gain * seen.mT.unflatten(2, x.shape[2:])


def layer(n: int, m: int, kernel: int = 3, attention: bool = False) -> nn.Sequential:
    """A convolution of spectral norm 1, a ReLU, a batch norm: (b, n, h, w) -> (b, m, h, w)."""
    convolution = nn.Conv2d(n, m, kernel, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight)
    return nn.Sequential(
        spectral_norm(convolution), nn.ReLU(), nn.BatchNorm2d(m), *([Attention(m)] if attention else [])
    )


def icnr(weight: Tensor, factor: int = 2) -> None:
    """Weights by which a sub-pixel convolution begins as an enlargement by nearest neighbours: (factor² · m, n, k, k).

    Every one of the factor² channels that make up one is the same. Aitken et al., 2017, section 3.
    """
    few = torch.empty_like(weight[:: factor**2])
    nn.init.kaiming_normal_(few)
    weight.data.copy_(few.repeat_interleave(factor**2, 0))


class Double(nn.Module):
    """Sub-pixel convolution to twice the side, blurred over 2 × 2 pixels: (b, n, h, w) -> (b, m, 2 · h, 2 · w)."""

    def __init__(self, n: int, m: int) -> None:
        super().__init__()
        convolution = nn.Conv2d(n, 4 * m, 1, bias=False)
        icnr(convolution.weight)
        self.layers = nn.Sequential(spectral_norm(convolution), nn.BatchNorm2d(4 * m), nn.ReLU(), nn.PixelShuffle(2))

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        return F.avg_pool2d(F.pad(self.layers(x), (1, 0, 1, 0), mode="replicate"), 2, stride=1)


class Up(nn.Module):
    """A step back to the picture: (b, n, h, w) and the encoder's (b, skip, 2 · h, 2 · w) -> (b, self.ch, 2 · h, …)."""

    def __init__(self, n: int, skip: int, width: float, last: bool, attention: bool) -> None:
        super().__init__()
        both = n // 2 + skip
        self.ch = max(1, int((both // 2 if last else both) * width))
        self.larger, self.norm = Double(n, n // 2), nn.BatchNorm2d(skip)
        self.layers = nn.Sequential(layer(both, self.ch), layer(self.ch, self.ch, attention=attention))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """As the class says."""
        return self.layers(F.relu(torch.cat([self.larger(x), self.norm(skip)], 1)))


class UNet(nn.Module):
    """Pictures to pictures of the same size: (b, channels, h, w) in [-1, 1] -> the same, float32, in about ±1.4.

    The third step up from the picture, or the first if there are fewer, has attention. `width` multiplies the channels
    of each step. Sides that 2^n does not divide are continued by their last pixel, n the number of the encoder's maps.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: Encoder, channels: int, width: float = 1.0) -> None:
        super().__init__()
        *skips, n = encoder.widths
        self.encoder = encoder
        self.middle = nn.Sequential(nn.BatchNorm2d(n), nn.ReLU(), layer(n, 2 * n), layer(2 * n, n))
        ups: list[Up] = []
        for left, skip in zip(reversed(range(len(skips))), reversed(skips), strict=True):
            ups.append(Up(ups[-1].ch if ups else n, skip, width, left == 0, left == min(2, len(skips) - 1)))
        self.ups = nn.ModuleList(ups)
        self.larger = Double(ups[-1].ch, ups[-1].ch)
        n = ups[-1].ch + channels
        self.block = nn.Sequential(layer(n, n), layer(n, n))
        self.last = nn.Conv2d(n, channels, 1)
        with torch.no_grad():  # the first results are the pictures themselves
            self.block.get_parameter("1.2.weight").zero_()
            self.last.weight.zero_()[:, -channels:, 0, 0] = torch.eye(channels)
            nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]
        statistics = torch.tensor([MEAN, STD]).view(2, 3, 1, 1) * 2 - torch.tensor([1.0, 0.0]).view(2, 1, 1, 1)
        mean, std = statistics if channels == 3 else statistics.mean(1, keepdim=True)
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, image: Tensor) -> Tensor:
        """As the class says."""
        h, w = image.shape[-2:]
        multiple = 2 ** len(self.encoder.widths)
        x = (image.float() - self.mean) / self.std
        if h % multiple or w % multiple:
            x = F.pad(x, (0, -w % multiple, 0, -h % multiple), mode="replicate")
        *skips, y = self.encoder(x)
        y = self.middle(y)
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            y = up(y, skip)
        y = torch.cat([self.larger(y), x], 1)
        found = self.last(y + self.block(y)).float()
        return (REACH * torch.tanh(found / REACH) * self.std + self.mean)[..., :h, :w]


class Critic(nn.Module):
    """Images to scores of their parts: (b, channels, h, w) -> (b, …), one for a side of 4 · 2^halvings, float32.

    Convolutions of spectral norm 1 and leaky ReLUs: one that halves and, for each further halving, one that keeps the
    side and one that halves; the first of these is followed by self-attention. Channels are dropped between them.
    """

    def __init__(self, channels: int, ch: int, halvings: int = 4, dropout: float = 0.15) -> None:
        super().__init__()
        self.least = 4 * 2**halvings
        layers = [*judging(channels, ch, 4, 2), nn.Dropout2d(dropout / 2)]
        for k in range(halvings - 1):
            layers += [*judging(ch, ch, 3), nn.Dropout2d(dropout), *judging(ch, 2 * ch, 4, 2)]
            layers += [Attention(2 * ch)] if k == 0 else []
            ch *= 2
        score = nn.Conv2d(ch, 1, 4, bias=False)
        nn.init.kaiming_normal_(score.weight)
        self.layers = nn.Sequential(*layers, *judging(ch, ch, 3), spectral_norm(score), nn.Flatten())

    def forward(self, image: Tensor) -> Tensor:
        """As the class says. Raises UserError for images too small for one score."""
        if min(image.shape[-2:]) < self.least:
            raise UserError(
                f"the critic needs {self.least} px, not {image.shape[-1]}: give another --size or --halvings"
            )
        return self.layers(image).float()


def judging(n: int, m: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """A layer of the critic: (b, n, h, w) -> (b, m, h / stride, w / stride)."""
    convolution = nn.Conv2d(n, m, kernel, stride, 1)
    nn.init.kaiming_normal_(convolution.weight)
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return [spectral_norm(convolution), nn.LeakyReLU(0.2)]
