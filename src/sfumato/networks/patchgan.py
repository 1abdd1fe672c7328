"""The discriminator of patches: convolutions alone, so that every score is about a patch of fixed size.

Isola et al., 2017, section 3.2.2 and appendix 6.1.2. https://arxiv.org/abs/1611.07004
"""

from itertools import pairwise

from torch import nn


def patchgan(channels: int, ch: int, layers: int = 3) -> nn.Sequential:
    """Images to scores of patches: (b, channels, h, w) -> (b, 1, h', w').

    As many layers that halve the side as said, `ch` channels, twice as many in each next one and at most 8 · ch, then
    two that nearly keep it. With 3 a score is about 70 × 70 pixels. The first and the last have no norm.
    """
    found: list[nn.Module] = [nn.Conv2d(channels, ch, 4, 2, 1), nn.LeakyReLU(0.2)]
    widths = [ch * min(2**k, 8) for k in range(layers + 1)]
    for k, (n, m) in enumerate(pairwise(widths), 1):
        stride = 2 if k < layers else 1
        found += [nn.Conv2d(n, m, 4, stride, 1, bias=False), nn.BatchNorm2d(m), nn.LeakyReLU(0.2)]
    return nn.Sequential(*found, nn.Conv2d(widths[-1], 1, 4, 1, 1))
