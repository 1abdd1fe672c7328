"""The network of residual-in-residual dense blocks.

Wang et al., 2018, section 3.1 and figure 4. https://arxiv.org/abs/1809.00219
"""

import torch
from torch import Tensor, nn

from .blocks import Residual, conv, repeated

SHARE = 0.2  # of a residual that is added, the paper's β


class Dense(nn.Module):
    """Five convolutions that each see the map and what all before them found: (b, ch, h, w) -> (b, ch, h, w).

    Weights begin at a tenth of He et al.'s (section 3.1: smaller initialisation), biases at zero.
    """

    def __init__(self, ch: int, growth: int) -> None:
        super().__init__()
        outputs = [growth] * 4 + [ch]
        layers = [conv(ch + k * growth, m) for k, m in enumerate(outputs)]
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight)
            layer.weight.data *= 0.1
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.layers, self.activation = nn.ModuleList(layers), nn.LeakyReLU(0.2)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        found = [x]
        for layer in self.layers[:-1]:
            found.append(self.activation(layer(torch.cat(found, 1))))
        return self.layers[-1](torch.cat(found, 1))


def rrdb(ch: int, growth: int) -> Residual:
    """Three dense blocks, a shortcut beside each and one beside all: (b, ch, h, w) -> (b, ch, h, w)."""
    return Residual(*[Residual(Dense(ch, growth), scale=SHARE) for _ in range(3)], scale=SHARE)


def rrdb_net(channels: int, ch: int, blocks: int, growth: int, scale: int) -> nn.Sequential:
    """The whole network: (b, channels, h, w) -> (b, channels, scale · h, scale · w)."""
    return nn.Sequential(
        conv(channels, ch),
        Residual(*[rrdb(ch, growth) for _ in range(blocks)], conv(ch, ch)),
        *repeated(ch, scale, lambda: nn.LeakyReLU(0.2)),
        conv(ch, ch),
        nn.LeakyReLU(0.2),
        conv(ch, channels),
    )
