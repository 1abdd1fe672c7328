"""ResNet's part before its classes, in torchvision's layout, so that its files of weights fit.

He, Zhang, Ren & Sun, Deep Residual Learning for Image Recognition, CVPR 2016, table 1: 34 layers are blocks 3, 4, 6, 3.
https://arxiv.org/abs/1512.03385
"""

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ..pretrained.weights import fill, locate, read


class Basic(nn.Module):
    """Two 3×3 convolutions beside a shortcut: (b, n, h, w) -> (b, m, h / stride, w / stride)."""

    def __init__(self, n: int, m: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(n, m, 3, stride, 1, bias=False), nn.BatchNorm2d(m)
        self.conv2, self.bn2 = nn.Conv2d(m, m, 3, 1, 1, bias=False), nn.BatchNorm2d(m)
        self.downsample = None
        if stride > 1 or n != m:
            self.downsample = nn.Sequential(nn.Conv2d(n, m, 1, stride, bias=False), nn.BatchNorm2d(m))

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class Encoder(nn.Module):
    """What a picture is made of at 1/2, 1/4, 1/8, … of its side, `ch`, `ch`, 2 · `ch`, … channels, coarser last."""

    def __init__(self, channels: int, ch: int = 64, blocks: Sequence[int] = (3, 4, 6, 3)) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, ch, 7, 2, 3, bias=False), nn.BatchNorm2d(ch)
        self.widths = [ch, *[ch * 2**k for k in range(len(blocks))]]
        self.names = [f"layer{k + 1}" for k in range(len(blocks))]
        for k, (name, (n, m)) in enumerate(zip(self.names, pairwise(self.widths), strict=True)):
            rest = [Basic(m, m, 1) for _ in range(blocks[k] - 1)]
            self.add_module(name, nn.Sequential(Basic(n, m, 2 if k else 1), *rest))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> list[Tensor]:
        """As the class says: (b, channels, h, w) -> maps (b, c, ⌈h / 2⌉, ⌈w / 2⌉), ….."""
        found = [F.relu(self.bn1(self.conv1(x)))]
        x = F.max_pool2d(found[0], 3, 2, 1)
        for name in self.names:
            x = self.get_submodule(name)(x)
            found.append(x)
        return found


def load_encoder(encoder: Encoder, source: str) -> None:
    """Fill an encoder from a path or URL of torchvision's weights. Raises UserError if they are another network's."""
    path, _ = locate(source)
    fill(encoder, {k: v for k, v in read(path).items() if not k.startswith("fc.")}, path)
