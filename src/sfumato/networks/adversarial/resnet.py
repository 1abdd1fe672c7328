"""The residual generator and critic of WGAN-GP, for any image side that is 4 to 7 doubled some times over.

Gulrajani et al., 2017, section 5.3 and the appendix on its networks. https://arxiv.org/abs/1704.00028
"""

from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .dcgan import Norm, halvings


def initialise(net: nn.Module) -> None:
    """Uniform weights: He et al.'s variance for the 3×3 kernels of blocks, Glorot's for all others; biases zero."""
    for name, m in net.named_modules():
        if isinstance(m, nn.Conv2d | nn.Linear):
            fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(m.weight)
            variance = 4 / (fan_in + fan_out) if ".conv" in name else 2 / (fan_in + fan_out)
            reach = sqrt(3 * variance)
            nn.init.uniform_(m.weight, -reach, reach)
            if m.bias is not None:
                nn.init.zeros_(m.bias)


class Block(nn.Module):
    """Two 3×3 convolutions beside a shortcut, to twice (+1), half (-1) or the same (0) side: (b, n, ·) -> (b, m, ·).

    The norm and the ReLU come before each convolution, except before the first one of a block that sees the picture.
    """

    def __init__(self, n: int, m: int, scale: int, norm: Norm | None = None, first: bool = False) -> None:
        super().__init__()
        middle = m if scale >= 0 or first else n
        self.scale, self.first = scale, first
        self.norm1 = norm(n) if norm and not first else nn.Identity()
        self.norm2 = norm(middle) if norm else nn.Identity()
        self.conv1, self.conv2 = nn.Conv2d(n, middle, 3, 1, 1), nn.Conv2d(middle, m, 3, 1, 1)
        self.shortcut = nn.Conv2d(n, m, 1) if n != m or scale else nn.Identity()

    def up(self, x: Tensor) -> Tensor:
        """Nearest-neighbour doubling, in a block that doubles."""
        return F.interpolate(x, scale_factor=2.0) if self.scale > 0 else x

    def down(self, x: Tensor) -> Tensor:
        """Mean pooling, in a block that halves."""
        return F.avg_pool2d(x, 2) if self.scale < 0 else x

    def forward(self, x: Tensor) -> Tensor:
        """The shortcut plus the residual."""
        y = x if self.first else F.relu(self.norm1(x))
        y = self.down(self.conv2(F.relu(self.norm2(self.conv1(self.up(y))))))
        return self.down(self.shortcut(self.up(x))) + y


class Generator(nn.Module):
    """Codes to images, `ch` channels throughout: (b, z) -> (b, channels, size, size)."""

    def __init__(self, z: int, ch: int, size: int, channels: int) -> None:
        super().__init__()
        self.side, times = halvings(size)
        self.start = nn.Linear(z, ch * self.side**2)
        self.blocks = nn.Sequential(*[Block(ch, ch, +1, nn.BatchNorm2d) for _ in range(times)])
        self.end = nn.Sequential(nn.BatchNorm2d(ch), nn.ReLU(), nn.Conv2d(ch, channels, 3, 1, 1))
        initialise(self)

    def forward(self, z: Tensor) -> Tensor:
        """Images of codes, float32 in [-1, 1]."""
        x = self.start(z).unflatten(1, (-1, self.side, self.side))
        return torch.tanh(self.end(self.blocks(x)).float())


class Critic(nn.Module):
    """Images to scores: two blocks that halve the side, two that keep it, a mean: (b, channels, size, size) -> (b,).

    It has no norm, for the penalty on its gradient is one image's own, and no last bias, for it would cancel.
    """

    def __init__(self, ch: int, channels: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            Block(channels, ch, -1, first=True), Block(ch, ch, -1), Block(ch, ch, 0), Block(ch, ch, 0)
        )
        self.score = nn.Linear(ch, 1, bias=False)
        initialise(self)

    def forward(self, image: Tensor) -> Tensor:
        """Scores of images, float32."""
        return self.score(F.relu(self.blocks(image)).mean((2, 3))).squeeze(1).float()
