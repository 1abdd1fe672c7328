"""Inception v3 (Szegedy et al. 2016, "Rethinking the Inception architecture for computer vision", table 1).

Two networks share its layout (torchvision's names): the one of torchvision's weights, and the one of
2015-12-05 that published Fréchet distances and Inception scores were measured with. The latter

- averages over the cells inside the picture only in its pooling branches (`count_include_pad=False`),
- has a maximum in place of the average in its last block,
- has 1008 outputs, of which Inception scores leave out the bias (Salimans et al. 2016, their code),
- takes pictures resized as TensorFlow 1 does: bilinear, corners at 0, no antialias; scaled as (byte - 128) / 128.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .base import Extractor, Observed, resize, rgb
from .weights import fill, locate, read

SIZE = 299  # pixels

Pool = Callable[[Tensor], Tensor]
Side = int | tuple[int, int]  # height and width


def average(x: Tensor) -> Tensor:
    """3×3 average that counts the padding."""
    return F.avg_pool2d(x, 3, 1, 1)


def average_inside(x: Tensor) -> Tensor:
    """3×3 average over the cells inside the picture only."""
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def maximum(x: Tensor) -> Tensor:
    """3×3 maximum."""
    return F.max_pool2d(x, 3, 1, 1)


class Unit(nn.Module):
    """Convolution, batch normalisation, ReLU: (b, i, h, w) -> (b, o, h', w'). One convolution after `fuse`."""

    def __init__(self, i: int, o: int, kernel: Side = 1, stride: int = 1, padding: Side = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(i, o, kernel, stride, padding, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(o, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        return self.bn(self.conv(x)).relu_()

    def fuse(self) -> None:
        """Fold the normalisation into the convolution."""
        assert isinstance(self.bn, nn.BatchNorm2d)
        self.conv, self.bn = fuse_conv_bn_eval(self.conv.eval(), self.bn.eval()), nn.Identity()


class BlockA(nn.Module):
    """35×35: (b, i, h, w) -> (b, 224 + pooled, h, w)."""

    def __init__(self, i: int, pooled: int, pool: Pool) -> None:
        super().__init__()
        self.pool = pool
        self.branch1x1 = Unit(i, 64)
        self.branch5x5_1, self.branch5x5_2 = Unit(i, 48), Unit(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Unit(i, 64)
        self.branch3x3dbl_2, self.branch3x3dbl_3 = Unit(64, 96, 3, padding=1), Unit(96, 96, 3, padding=1)
        self.branch_pool = Unit(i, pooled)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        five = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, double, self.branch_pool(self.pool(x))], 1)


class BlockB(nn.Module):
    """35×35 to 17×17: (b, i, h, w) -> (b, i + 480, h', w')."""

    def __init__(self, i: int) -> None:
        super().__init__()
        self.branch3x3 = Unit(i, 384, 3, 2)
        self.branch3x3dbl_1 = Unit(i, 64)
        self.branch3x3dbl_2, self.branch3x3dbl_3 = Unit(64, 96, 3, padding=1), Unit(96, 96, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, 2)], 1)


class BlockC(nn.Module):
    """17×17 with kernels 1×7 and 7×1 of ch channels inside: (b, 768, h, w) -> (b, 768, h, w)."""

    def __init__(self, ch: int, pool: Pool) -> None:
        super().__init__()
        i, o, wide, tall = 768, 192, ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))
        self.pool = pool
        self.branch1x1 = Unit(i, o)
        self.branch7x7_1, self.branch7x7_2, self.branch7x7_3 = Unit(i, ch), Unit(ch, ch, *wide), Unit(ch, o, *tall)
        self.branch7x7dbl_1, self.branch7x7dbl_2 = Unit(i, ch), Unit(ch, ch, *tall)
        self.branch7x7dbl_3, self.branch7x7dbl_4 = Unit(ch, ch, *wide), Unit(ch, ch, *tall)
        self.branch7x7dbl_5 = Unit(ch, o, *wide)
        self.branch_pool = Unit(i, o)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(self.pool(x))], 1)


class BlockD(nn.Module):
    """17×17 to 8×8: (b, i, h, w) -> (b, i + 512, h', w')."""

    def __init__(self, i: int) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = Unit(i, 192), Unit(192, 320, 3, 2)
        self.branch7x7x3_1, self.branch7x7x3_2 = Unit(i, 192), Unit(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3, self.branch7x7x3_4 = Unit(192, 192, (7, 1), padding=(3, 0)), Unit(192, 192, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([three, seven, F.max_pool2d(x, 3, 2)], 1)


class BlockE(nn.Module):
    """8×8: (b, i, h, w) -> (b, 2048, h, w)."""

    def __init__(self, i: int, pool: Pool) -> None:
        super().__init__()
        wide, tall = ((1, 3), 1, (0, 1)), ((3, 1), 1, (1, 0))
        self.pool = pool
        self.branch1x1 = Unit(i, 320)
        self.branch3x3_1 = Unit(i, 384)
        self.branch3x3_2a, self.branch3x3_2b = Unit(384, 384, *wide), Unit(384, 384, *tall)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Unit(i, 448), Unit(448, 384, 3, padding=1)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = Unit(384, 384, *wide), Unit(384, 384, *tall)
        self.branch_pool = Unit(i, 192)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        three, double = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        three = [self.branch3x3_2a(three), self.branch3x3_2b(three)]
        double = [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)]
        return torch.cat([self.branch1x1(x), *three, *double, self.branch_pool(self.pool(x))], 1)


class Inception(Extractor):
    """Inception v3: 2048 features, the mean over places of the last block, and class probabilities.

    `published` chooses the network of published Fréchet distances over torchvision's (see the module).
    """

    dim = 2048
    batch = 32
    domain = "photographs"

    def __init__(self, published: bool) -> None:
        super().__init__()
        self.published = published
        self.resize = f"bilinear of TensorFlow 1 to {SIZE}" if published else f"bilinear antialias to {SIZE}"
        mean, last = (average_inside, maximum) if published else (average, average)
        self.Conv2d_1a_3x3 = Unit(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = Unit(32, 32, 3)
        self.Conv2d_2b_3x3 = Unit(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Unit(64, 80)
        self.Conv2d_4a_3x3 = Unit(80, 192, 3)
        self.Mixed_5b = BlockA(192, 32, mean)
        self.Mixed_5c = BlockA(256, 64, mean)
        self.Mixed_5d = BlockA(288, 64, mean)
        self.Mixed_6a = BlockB(288)
        self.Mixed_6b = BlockC(128, mean)
        self.Mixed_6c = BlockC(160, mean)
        self.Mixed_6d = BlockC(160, mean)
        self.Mixed_6e = BlockC(192, mean)
        self.Mixed_7a = BlockD(768)
        self.Mixed_7b = BlockE(1280, mean)
        self.Mixed_7c = BlockE(2048, last)
        self.fc = nn.Linear(2048, 1008 if published else 1000)

    def forward(self, images: Tensor) -> Observed:
        """Features and class probabilities: (b, 1 | 3, h, w) in [-1, 1] -> (b, 2048), (b, 1008 | 1000)."""
        if self.published:
            x = (resize_tf1(rgb(images), SIZE) * 127.5 - 0.5) / 128
        else:
            x = resize(rgb(images), SIZE)
        x = x.contiguous(memory_format=torch.channels_last)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, 2))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        features = x.mean((2, 3))
        logits = F.linear(features, self.fc.weight, None if self.published else self.fc.bias)
        return Observed(features, logits.softmax(1))

    def fuse(self) -> None:
        """Fold every normalisation into its convolution, once the weights are loaded."""
        for unit in [m for m in self.modules() if isinstance(m, Unit)]:
            unit.fuse()


def resize_tf1(images: Tensor, size: int) -> Tensor:
    """`tf.image.resize_bilinear(align_corners=False)` of TensorFlow 1: (b, c, h, w) -> (b, c, size, size).

    Cell i of the result reads place i · h / size of the picture, without the half-pixel shift of today's resizers.
    """
    for axis in (-2, -1):
        n = images.shape[axis]
        if n == size:
            continue
        place = torch.arange(size, device=images.device, dtype=torch.float32) * (n / size)
        low = place.long().clamp_(max=n - 1)
        weight = place - low
        if axis == -2:
            weight = weight[:, None]
        below = images.index_select(axis, low)
        images = below.lerp(images.index_select(axis, (low + 1).clamp_(max=n - 1)), weight.to(images.dtype))
    return images


def load_inception(source: str, sha256: str | None = None, *, published: bool) -> Inception:
    """Inception v3 from a file in torchvision's layout. The auxiliary classifier is ignored if present.

    Raises UserError for weights that are missing, damaged or of another network.
    """
    path, digest = locate(source, sha256)
    network = Inception(published)
    fill(network, {k: v for k, v in read(path).items() if not k.startswith("AuxLogits.")}, path)
    network.fuse()
    network.sha256 = digest
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network
