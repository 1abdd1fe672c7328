"""Discriminators of patches, whose every layer can be looked at, alone and at several scales.

Isola et al., 2017, appendix 6.1.2. https://arxiv.org/abs/1611.07004
Wang et al., 2018, section 3.2. https://arxiv.org/abs/1711.11585
Huang et al., 2018, appendix B.2. https://arxiv.org/abs/1804.04732
Liu et al., 2019, appendix A. https://arxiv.org/abs/1905.01723
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from .generators import by_planes, halved, instance_norm

Norm = Callable[[int], nn.Module]  # channels -> the layer that normalises them
AFFINE: Norm = partial(instance_norm, affine=True)
FIELDS = {1: 0, 16: 1, 34: 2, 70: 3, 142: 4, 286: 5}  # side of a patch -> layers that halve


class PatchGAN(nn.Module):
    """Images to scores of their patches, and all maps before: (b, channels, h, w) -> [(b, c, h', w'), …].

    `layers` that halve the side, with `ch` channels, twice as many in each next one and at most 8 · ch; one that nearly
    keeps it; the scores (b, 1, h', w'), float32, are last. A score is about a patch of the side that FIELDS says; with
    no layers, of one pixel. The first and the last have no norm. `wrap` is applied to convolutions: spectral norm, say.
    """

    def __init__(
        self,
        channels: int,
        ch: int = 64,
        layers: int = 3,
        norm: Norm | None = AFFINE,
        padding: int = 1,
        wrap: Callable[[nn.Module], nn.Module] = lambda layer: layer,
    ) -> None:
        super().__init__()
        kernel, padding = (4, padding) if layers else (1, 0)
        widths = [ch * min(2**k, 8) for k in range(max(layers, 1) + 1)]
        first = nn.Conv2d(channels, ch, kernel, 2 if layers else 1, padding)
        self.stages = nn.ModuleList([nn.Sequential(wrap(first), nn.LeakyReLU(0.2, True))])
        for k, (n, m) in enumerate(pairwise(widths), 1):
            stride = 2 if k < layers else 1
            convolution = nn.Conv2d(n, m, kernel, stride, padding, bias=norm is None)
            self.stages.append(nn.Sequential(wrap(convolution), *([norm(m)] if norm else []), nn.LeakyReLU(0.2, True)))
        self.stages.append(wrap(nn.Conv2d(widths[-1], 1, kernel, 1, padding)))

    def forward(self, x: Tensor) -> list[Tensor]:
        """As the class says."""
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return [*maps[:-1], maps[-1].float()]


class Halving(nn.Module):
    """Images to scores of their patches, each layer halving the side: (b, channels, h, w) -> [(b, c, h', w'), …].

    `layers` of `kernel` pixels without norms, `ch` channels, twice as many in each next one, before each of which the
    picture is continued by reflection; the scores (b, 1, h', w'), float32, are last.
    """

    def __init__(self, channels: int, ch: int = 64, layers: int = 4, kernel: int = 4, slope: float = 0.2) -> None:
        super().__init__()
        widths = [channels, *[ch * 2**k for k in range(layers)]]
        self.stages = nn.ModuleList()
        for n, m in pairwise(widths):
            convolution = nn.Conv2d(n, m, kernel, 2)
            self.stages.append(nn.Sequential(nn.ReflectionPad2d(1), convolution, nn.LeakyReLU(slope, True)))
        self.stages.append(nn.Conv2d(widths[-1], 1, 1))

    def forward(self, x: Tensor) -> list[Tensor]:
        """As the class says."""
        maps = []
        for stage in self.stages:
            x = by_planes(stage, x)
            maps.append(x)
        return [*maps[:-1], maps[-1].float()]


class Preactivated(nn.Module):
    """Two 3×3 convolutions, each behind a leaky ReLU, beside a shortcut: (b, n, h, w) -> (b, m, h, w)."""

    def __init__(self, n: int, m: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i, o in ((n, min(n, m)), (min(n, m), m)):
            layers += [nn.LeakyReLU(0.2), nn.ReflectionPad2d(1), nn.Conv2d(i, o, 3)]
        self.layers = nn.Sequential(*layers)
        self.shortcut = nn.Conv2d(n, m, 1, bias=False) if n != m else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        return self.shortcut(x) + self.layers(x)


class ClassPatches(nn.Module):
    """As many discriminators of patches as classes in one: (b, channels, h, w), (b,) -> (b, 1, h', w'), (b, f).

    Scores are those of the class that a picture is said to be of, float32; beside them are the means of the maps before
    them. Two residual blocks at each of `levels` sides, each half the one before, `ch` channels in the first block, at
    most 16 · ch.
    """

    def __init__(self, channels: int, classes: int, ch: int = 64, levels: int = 5) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(channels, ch, 7)]
        n = ch
        for k in range(levels):
            m = min(2 * n, 16 * ch)
            layers += [Preactivated(n, n), Preactivated(n, m)]
            layers += [nn.ReflectionPad2d(1), nn.AvgPool2d(3, 2)] if k < levels - 1 else []
            n = m
        self.layers = nn.Sequential(*layers)
        self.scores = nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(n, classes, 1, bias=False))

    def forward(self, image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """As the class says."""
        maps = by_planes(self.layers, image)
        scores = self.scores(maps).float()
        return scores[torch.arange(len(label), device=label.device), label][:, None], maps.float().mean((2, 3))


class Pyramid(nn.Module):
    """The same discriminator at several scales, each half the last: (b, channels, h, w) -> their maps, finest first."""

    def __init__(self, scales: int, make: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.scales = nn.ModuleList([make() for _ in range(scales)])

    def forward(self, image: Tensor, skip: int = 0) -> list[list[Tensor]]:
        """As the class says; of an image that is smaller already, the first `skip` scales are left out."""
        found: list[list[Tensor]] = []
        for scale in list(self.scales)[skip:]:
            image = halved(image) if found else image
            found.append(scale(image))
        return found
