"""Discriminators of patches, whose every layer can be looked at, alone and at several scales.

Isola et al., 2017, appendix 6.1.2. https://arxiv.org/abs/1611.07004
Wang et al., 2018, section 3.2. https://arxiv.org/abs/1711.11585
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from .generators import halved, instance_norm

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
