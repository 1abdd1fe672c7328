"""The networks of BigGAN: residual blocks whose norms are told the class and a part of the code, and self-attention.

Brock et al., Large Scale GAN Training, 2018, appendix B (figure 15, tables 4 to 6). https://arxiv.org/abs/1809.11096
Self-attention: Zhang et al., 2018, section 3. https://arxiv.org/abs/1805.08318
"""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import UserError
from .dcgan import halvings
from .spectral import spectral

# Widths from the smallest maps to the picture's, in multiples of ch, by how often the side doubles: 64 to 512 px.
WIDTHS = {4: (16, 16, 8, 4, 2), 5: (16, 16, 8, 4, 2, 1), 6: (16, 16, 8, 8, 4, 2, 1), 7: (16, 16, 8, 8, 4, 2, 1, 1)}


def widths(ch: int, size: int) -> list[int]:
    """Channels of the maps from the smallest to those of the picture's side; below 64 px all alike, as for CIFAR."""
    times = halvings(size)[1]
    return [ch * k for k in WIDTHS.get(times, (4,) * (times + 1))]


def truncated(draw: Callable[[], Tensor], threshold: float) -> Tensor:
    """Normal numbers of which those beyond a threshold are drawn again until none is; 0 leaves them. Section 3.1."""
    code = draw()
    while threshold and (far := code.abs() > threshold).any():
        code = torch.where(far, draw(), code)
    return code


def ready(net: nn.Module, *free: nn.Module) -> None:
    """Orthogonal weights, then spectral norms of one for all layers but the `free`; biases zero. Sections 3 and 4."""
    for m in list(net.modules()):
        if isinstance(m, nn.Conv2d | nn.Linear):
            nn.init.orthogonal_(m.weight)
            if m.bias is not None:
                nn.init.zeros_(m.bias)
            if all(m is not f for f in free):
                spectral(m)


class ConditionalNorm(nn.Module):
    """Batch normalisation, its gains and biases linear in a condition: (b, n, h, w), (b, d) -> (b, n, h, w)."""

    def __init__(self, n: int, d: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(n, affine=False)
        self.gain, self.bias = nn.Linear(d, n, bias=False), nn.Linear(d, n, bias=False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """As the class says; a condition of zero leaves gains of one."""
        return self.norm(x) * (1 + self.gain(y))[:, :, None, None] + self.bias(y)[:, :, None, None]


class Attention(nn.Module):
    """What other places have to say, weighted by how they fit, added to each place: (b, n, h, w) -> (b, n, h, w).

    Keys and values are halved in side; what is added begins at nothing.
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        few, half = max(1, n // 8), max(1, n // 2)
        self.query, self.key = nn.Conv2d(n, few, 1, bias=False), nn.Conv2d(n, few, 1, bias=False)
        self.value, self.out = nn.Conv2d(n, half, 1, bias=False), nn.Conv2d(half, n, 1, bias=False)
        self.strength = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        key, value = (F.max_pool2d(layer(x), 2).flatten(2) for layer in (self.key, self.value))
        weights = (self.query(x).flatten(2).mT @ key).softmax(-1)
        return x + self.strength * self.out((value @ weights.mT).unflatten(2, x.shape[2:]))


class Up(nn.Module):
    """A residual block to twice the side: (b, n, h, w), (b, d) -> (b, m, 2 h, 2 w). Figure 15b."""

    def __init__(self, n: int, m: int, d: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = ConditionalNorm(n, d), ConditionalNorm(m, d)
        self.conv1, self.conv2 = nn.Conv2d(n, m, 3, 1, 1), nn.Conv2d(m, m, 3, 1, 1)
        self.shortcut = nn.Conv2d(n, m, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """As the class says."""
        h = self.conv1(F.interpolate(F.relu(self.norm1(x, y)), scale_factor=2.0))
        return F.interpolate(self.shortcut(x), scale_factor=2.0) + self.conv2(F.relu(self.norm2(h, y)))


class Down(nn.Module):
    """A residual block to half the side, or the same: (b, n, h, w) -> (b, m, ·, ·). Figure 15c.

    The `first` sees the picture, and so has no ReLU before it.
    """

    def __init__(self, n: int, m: int, halve: bool, first: bool = False) -> None:
        super().__init__()
        self.halve, self.first = halve, first
        self.conv1, self.conv2 = nn.Conv2d(n, m, 3, 1, 1), nn.Conv2d(m, m, 3, 1, 1)
        self.shortcut = nn.Conv2d(n, m, 1) if halve or n != m else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        h = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x)))) + self.shortcut(x)
        return F.avg_pool2d(h, 2) if self.halve else h


class Generator(nn.Module):
    """Codes in equal parts, one for the first layer and for each block, and classes: (b, z), (b, classes) -> images.

    Every block's norms are told its part of the code and the class, which is embedded once for all in `shared` numbers.
    Maps of side `attention` attend to themselves.
    """

    def __init__(self, z: int, ch: int, size: int, channels: int, classes: int, shared: int, attention: int) -> None:
        super().__init__()
        n = widths(ch, size)
        if z % len(n):
            raise UserError(f"z {z}: pictures of {size} px take codes in {len(n)} equal parts; take {z - z % len(n)}")
        self.part, self.side = z // len(n), halvings(size)[0]
        self.embed = nn.Linear(classes, shared, bias=False) if classes else None
        self.start = nn.Linear(self.part, n[0] * self.side**2)
        d = self.part + (shared if classes else 0)
        self.blocks = nn.ModuleList(Up(a, b, d) for a, b in pairwise(n))
        at = [k for k in range(len(n)) if self.side << k == attention]
        self.attention = nn.ModuleDict({str(k - 1): Attention(n[k]) for k in at if k})
        self.norm, self.end = nn.BatchNorm2d(n[-1]), nn.Conv2d(n[-1], channels, 3, 1, 1)
        ready(self, *([] if self.embed is None else [self.embed]))

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Images, float32 in [-1, 1]; label is one-hot, or a mixture of classes."""
        first, *parts = z.split(self.part, 1)
        x = self.start(first).unflatten(1, (-1, self.side, self.side))
        known = [] if self.embed is None else [self.embed(label)]
        for k, (block, part) in enumerate(zip(self.blocks, parts, strict=True)):
            x = block(x, torch.cat([*known, part], 1))
            x = self.attention[str(k)](x) if str(k) in self.attention else x
        return torch.tanh(self.end(F.relu(self.norm(x))).float())


class Discriminator(nn.Module):
    """Images and one-hot classes to scores, with a projection on the class: (b, c, size, size), (b, classes) -> (b,).

    Miyato & Koyama, 2018. https://arxiv.org/abs/1802.05637
    Below 64 px the side is halved twice, as for CIFAR. Maps of side `attention` attend to themselves.
    """

    def __init__(self, ch: int, size: int, channels: int, classes: int, attention: int) -> None:
        super().__init__()
        n = widths(ch, size)[::-1]
        times = len(n) - 1 if len(n) - 1 in WIDTHS else 2
        layers: list[nn.Module] = []
        for k, (a, b) in enumerate(pairwise([channels, *n])):
            layers.append(Down(a, b, k < times, first=not k))
            if k < times and size >> (k + 1) == attention:
                layers.append(Attention(b))
        self.layers = nn.Sequential(*layers)
        self.score = nn.Linear(n[-1], 1)
        self.embed = nn.Linear(classes, n[-1], bias=False) if classes else None
        ready(self)

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """Scores of images, float32."""
        x = F.relu(self.layers(image)).float().sum((2, 3))
        score = self.score(x).squeeze(1)
        return (score if self.embed is None else score + (self.embed(label) * x).sum(1)).float()
