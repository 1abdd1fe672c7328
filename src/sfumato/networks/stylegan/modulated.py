"""A convolution whose input channels are scaled by a style, and whose output is normalised by what is expected of it.

Karras et al., Analyzing and Improving the Image Quality of StyleGAN, 2019, section 2.2. https://arxiv.org/abs/1912.04958
The paper scales the weights, anew for each picture (eq. 1), and divides them by their norm (eq. 3). A convolution is
linear, so that it is the same to scale the input by the style and the output by one over the norm: one convolution
for the whole batch. Where there are fewer weights than pixels, as before a picture, the weights are scaled after all.
"""

from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import fir
from .equalised import SLOPE, Linear


def modulated(x: Tensor, weight: Tensor, style: Tensor, kernel: Tensor | None = None) -> Tensor:
    """A convolution by weights times style, not yet demodulated: (b, n, h, w), (m, n, k, k), (b, n) -> (b, m, h, w).

    With a `kernel` (see `fir.lowpass`) twice the side.
    """
    x = x * style.to(x.dtype)[:, :, None, None]
    return F.conv2d(x, weight, padding=weight.shape[-1] // 2) if kernel is None else fir.conv_up(x, weight, kernel)


def demodulation(weight: Tensor, style: Tensor) -> Tensor:
    """One over the norms of weights times style, float32: (m, n, k, k), (b, n) -> (b, m). Eq. 3."""
    with torch.autocast(weight.device.type, enabled=False):
        return (style.float().square() @ weight.float().square().sum((2, 3)).T + 1e-8).rsqrt()


class StyledConv(nn.Module):
    """Modulated 3×3 convolution, noise, bias, leaky ReLU: (b, n, h, w), style (b, n) -> (b, m, ·).

    Figure 2d; `up` to twice the side. `affine` makes styles from w, (b, w) -> (b, n).
    """

    kernel: Tensor | None

    def __init__(self, n: int, m: int, w: int, up: bool = False, taps: tuple[float, ...] = (1, 3, 3, 1)) -> None:
        super().__init__()
        self.affine = Linear(w, n, bias=1.0)
        self.weight, self.bias = nn.Parameter(torch.randn(m, n, 3, 3)), nn.Parameter(torch.zeros(m))
        self.strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("kernel", fir.lowpass(taps) if up else None, persistent=False)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        """Maps of maps, a style, and noise (b or 1, 1, h, w). The √2 of the leaky ReLU is in its terms."""
        weight = self.weight / sqrt(self.weight[0].numel())
        y = modulated(x, weight, style, self.kernel)
        gain = (sqrt(2) * demodulation(weight, style)).to(y.dtype)[:, :, None, None]
        y = torch.addcmul((sqrt(2) * self.bias).to(y.dtype)[:, None, None], y, gain)
        return F.leaky_relu_(y.add_((sqrt(2) * self.strength * noise).to(y.dtype)), SLOPE)


class ToPicture(nn.Module):
    """A modulated 1×1 convolution without demodulation: (b, n, h, w), style (b, n) -> (b, channels, h, w)."""

    def __init__(self, n: int, channels: int, w: int) -> None:
        super().__init__()
        self.affine = Linear(w, n, bias=1.0)
        self.weight, self.bias = nn.Parameter(torch.randn(channels, n)), nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Pictures of maps: each picture's own weights times its pixels, in float32 at the end."""
        weight = self.weight * (style / sqrt(style.shape[1]))[:, None]
        pixels = weight.to(x.dtype) @ x.permute(0, 2, 3, 1).flatten(1, 2).mT  # no copy of maps in channels-last
        return (pixels.float() + self.bias[:, None]).unflatten(2, x.shape[-2:])
