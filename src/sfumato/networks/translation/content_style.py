"""Networks that take pictures apart, into maps of content and a code of style, and put them together again.

Huang et al., Multimodal Unsupervised Image-to-Image Translation, ECCV 2018, section 5.1 and appendix B.2.
https://arxiv.org/abs/1804.04732
Liu et al., Few-Shot Unsupervised Image-to-Image Translation, ICCV 2019, section 3.1. https://arxiv.org/abs/1905.01723
"""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..superres.winograd import Conv3x3
from .generators import block, by_planes, ending, entry, fitted, instance_norm

Norm = Callable[[int], nn.Module]


def layer_norm(ch: int) -> nn.GroupNorm:
    """All maps of each picture together to mean 0 and variance 1, a gain and a bias a channel: (b, ch, h, w)."""
    return nn.GroupNorm(1, ch)


def reflected(n: int, m: int, kernel: int, stride: int = 1, norm: Norm | None = None) -> list[nn.Module]:
    """A convolution of a picture continued by reflection, its norm, a ReLU: (b, n, h, w) -> (b, m, h / stride, …)."""
    convolution = nn.Conv2d(n, m, kernel, stride, bias=norm is None)  # a norm takes away what a bias would add
    return [nn.ReflectionPad2d((kernel - 1) // 2), convolution, *([norm(m)] if norm else []), nn.ReLU(True)]


def kaiming(*networks: nn.Module) -> None:
    """Weights of convolutions and linear layers from He et al.'s normal distribution, biases zero, in place."""
    for layer in (m for network in networks for m in network.modules()):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class ContentEncoder(nn.Module):
    """Pictures to what is where: (b, channels, h, w) -> (b, ch · s, h / s, w / s), s = 2 to the power `halvings`.

    Instance norms take away what a picture's style may be read from.
    """

    def __init__(self, channels: int, ch: int, halvings: int, blocks: int) -> None:
        super().__init__()
        widths = [ch * 2**k for k in range(halvings + 1)]
        layers = entry(channels, ch, instance_norm)
        for n, m in pairwise(widths):
            layers += reflected(n, m, 4, 2, instance_norm)
        self.layers = nn.Sequential(*layers, *[block(widths[-1]) for _ in range(blocks)])

    def forward(self, image: Tensor) -> Tensor:
        """As the class says."""
        return by_planes(self.layers, image)


class CodeEncoder(nn.Module):
    """Pictures to a code of their style, whatever lies where: (b, channels, h, w) -> (b, z), float32.

    Without norms, which would take the style away. Channels double in the first two halvings alone.
    """

    def __init__(self, channels: int, z: int, ch: int, halvings: int) -> None:
        super().__init__()
        widths = [ch * 2 ** min(k, 2) for k in range(halvings + 1)]
        layers = reflected(channels, ch, 7)
        for n, m in pairwise(widths):
            layers += reflected(n, m, 4, 2)
        self.least = max(4, 2**halvings)
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Conv2d(widths[-1], z, 1), nn.Flatten())

    def forward(self, image: Tensor) -> Tensor:
        """As the class says."""
        right, down = (max(0, self.least - side) for side in (image.shape[-1], image.shape[-2]))
        if right or down:
            image = F.pad(image, (0, right, 0, down), mode="replicate")
        return by_planes(self.layers, image).float()


class StyledDecoder(nn.Module):
    """Content in a style: (b, ch · s, h / s, w / s), (b, z) -> (b, channels, h, w) in [-1, 1], float32.

    An MLP makes of the code the gains and shifts of the residual blocks' instance norms. Gains are what it says, and 1
    more, so that a new network begins with plain norms. `norm` is that of the layers that enlarge.
    """

    def __init__(
        self, channels: int, ch: int, halvings: int, blocks: int, z: int, hidden: int, norm: Norm = layer_norm
    ) -> None:
        super().__init__()
        widths = [ch * 2**k for k in range(halvings + 1)][::-1]
        wide = widths[0]
        self.mlp = nn.Sequential(
            nn.Linear(z, hidden), nn.ReLU(True), nn.Linear(hidden, hidden), nn.ReLU(True),
            nn.Linear(hidden, 4 * blocks * wide), nn.Unflatten(1, (2 * blocks, 2, wide, 1, 1)),
        )  # fmt: skip
        self.blocks = nn.ModuleList([Conv3x3(wide, wide) for _ in range(2 * blocks)])
        layers: list[nn.Module] = []
        for n, m in pairwise(widths):
            layers += [nn.Upsample(scale_factor=2), *reflected(n, m, 5, norm=norm)]
        self.layers = nn.Sequential(*layers, ending(ch, channels))

    def forward(self, content: Tensor, code: Tensor) -> Tensor:
        """As the class says."""
        numbers = self.mlp(code).unbind(1)
        x = content
        for k in range(0, len(self.blocks), 2):
            y = adapted(self.blocks[k](padded(x)), numbers[k]).relu()
            x = x + adapted(self.blocks[k + 1](padded(y)), numbers[k + 1])
        return torch.tanh(by_planes(self.layers, x).float())


def padded(x: Tensor) -> Tensor:
    """One pixel more on each side, reflected: (b, ch, h, w) -> (b, ch, h + 2, w + 2)."""
    return F.pad(x, (1, 1, 1, 1), mode="reflect")


def adapted(x: Tensor, numbers: Tensor) -> Tensor:
    """Adaptive instance normalisation: (b, ch, h, w), gains less 1 and shifts (b, 2, ch, 1, 1) -> (b, ch, h, w).

    Huang & Belongie, 2017, eq. 8, with an MLP's numbers for the style's moments. https://arxiv.org/abs/1703.06868
    """
    gain, shift = numbers.unbind(1)
    return F.group_norm(x, x.shape[1]) * (1 + gain) + shift


def translated(
    content: Callable[[Tensor], Tensor], decode: Callable[[Tensor], Tensor], image: Tensor, halvings: int
) -> Tensor:
    """What is decoded of a picture's content: (b, c, h, w) of sides of any length -> the same."""
    return fitted(lambda x: decode(content(x)), image, 2**halvings, max(4, 2 * 2**halvings))
