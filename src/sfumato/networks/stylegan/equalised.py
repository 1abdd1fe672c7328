"""Layers with an equalised learning rate, and what goes with them in progressive growing and the StyleGAN line.

Karras et al., 2017, sections 3 and 4. https://arxiv.org/abs/1710.10196
Weights are standard normal; what they are multiplied by to have He et al.'s variance is a constant of the layer, so
that Adam moves every weight at the same relative rate. The constant √2 of a layer before a leaky ReLU multiplies its
bias too, as in StyleGAN2 (Karras et al., 2019, appendix B).
"""

from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import fir

SLOPE = 0.2  # of leaky ReLUs below zero


class Linear(nn.Module):
    """A linear layer: (b, n) -> (b, m), float32; `leaky` ends it in a leaky ReLU.

    `lr` is how fast it learns beside other layers; `bias` is what its biases begin at.
    """

    def __init__(self, n: int, m: int, bias: float = 0.0, lr: float = 1.0, leaky: bool = False) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(m, n) / lr), nn.Parameter(torch.full((m,), bias / lr))
        gain = sqrt(2) if leaky else 1.0
        self.leaky, self.scale, self.shift = leaky, gain * lr / sqrt(n), gain * lr

    def forward(self, x: Tensor) -> Tensor:
        """As the class says, whatever the autocast around it: it costs little, and styles deserve the precision."""
        with torch.autocast(x.device.type, enabled=False):
            y = torch.addmm(self.bias * self.shift, x.float(), self.weight.T * self.scale)
            return F.leaky_relu_(y, SLOPE) if self.leaky else y


class Conv(nn.Module):
    """A convolution that keeps the side, doubles it (+1) or halves it (-1): (b, n, ·) -> (b, m, ·).

    `taps` are those of the filter where the side changes; `gain` multiplies what comes out, None being √2 before a
    leaky ReLU and 1 elsewhere.
    """

    kernel: Tensor

    def __init__(
        self,
        n: int,
        m: int,
        side: int,
        scale: int = 0,
        taps: tuple[float, ...] = (1, 3, 3, 1),
        leaky: bool = False,
        bias: bool = True,
        gain: float | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(m, n, side, side))
        self.bias = nn.Parameter(torch.zeros(m)) if bias else None
        self.side, self.scale, self.leaky = side, scale, leaky
        self.gain = (sqrt(2) if leaky else 1.0) if gain is None else gain
        self.register_buffer("kernel", fir.lowpass(taps), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        weight = self.weight * (self.gain / sqrt(self.weight[0].numel()))
        bias = None if self.bias is None else self.bias * self.gain
        if self.scale and self.side == 1:
            x = fir.up(x, self.kernel) if self.scale > 0 else fir.down(x, self.kernel)
        elif self.scale:
            y = (fir.conv_up if self.scale > 0 else fir.conv_down)(x, weight, self.kernel)
            y = y if bias is None else y.add_(bias.to(y.dtype)[:, None, None])
            return F.leaky_relu_(y, SLOPE) if self.leaky else y
        y = F.conv2d(x, weight, bias, padding=self.side // 2)
        return F.leaky_relu_(y, SLOPE) if self.leaky else y


def pixel_norm(x: Tensor) -> Tensor:
    """Features of mean square one at every place: (b, c, …) -> (b, c, …). Section 4.2."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def minibatch_std(x: Tensor, group: int = 4) -> Tensor:
    """The mean spread of features within groups of the batch, as one more map: (b, c, h, w) -> (b, c + 1, h, w).

    Groups are as large as `group` or the largest divisor of b below it. Section 3; groups: the authors' code.
    """
    b, _, h, w = x.shape
    size = max(k for k in range(1, min(group, b) + 1) if b % k == 0)
    with torch.autocast(x.device.type, enabled=False):
        y = x.float().unflatten(0, (size, b // size))
        spread = (y.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
    maps = spread.repeat(size)[:, None, None, None].expand(b, 1, h, w)
    return torch.cat([x, maps.to(x.dtype)], 1)


def widths(ch: int, most: int, times: int) -> list[int]:
    """Channels from the smallest side up to the picture's: `ch` there, twice as many a halving, `most` at most."""
    return [min(ch * 2**k, most) for k in reversed(range(times + 1))]
