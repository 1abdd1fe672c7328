"""What lies before and behind the layers that two autoencoders share.

Liu, Breuel & Kautz, Unsupervised Image-to-Image Translation Networks, NIPS 2017, section 2 and appendix.
https://arxiv.org/abs/1703.00848
"""

from torch import nn

from .generators import block

SLOPE = 0.01  # of the leaky ReLUs


def front(channels: int, ch: int, blocks: int) -> nn.Sequential:
    """Pictures of one domain to maps: (b, channels, h, w) -> (b, 4 · ch, h / 4, w / 4). Blocks alone have norms."""
    layers: list[nn.Module] = [nn.Conv2d(channels, ch, 7, padding=3), nn.LeakyReLU(SLOPE, True)]
    for n in (ch, 2 * ch):
        layers += [nn.Conv2d(n, 2 * n, 3, 2, 1), nn.LeakyReLU(SLOPE, True)]
    return nn.Sequential(*layers, *[block(4 * ch) for _ in range(blocks)])


def back(channels: int, ch: int, blocks: int) -> nn.Sequential:
    """Maps to pictures of one domain, before their tanh: (b, 4 · ch, h / 4, w / 4) -> (b, channels, h, w)."""
    layers: list[nn.Module] = [block(4 * ch) for _ in range(blocks)]
    for n in (4 * ch, 2 * ch):
        layers += [nn.ConvTranspose2d(n, n // 2, 3, 2, 1, 1), nn.LeakyReLU(SLOPE, True)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(ch, channels, 1))
