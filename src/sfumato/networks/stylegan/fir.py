"""Resampling by two with a low-pass filter, alone and folded with a convolution, as the StyleGAN line does it.

Karras et al., 2018, appendix C (filtering); 2019, appendix B. https://arxiv.org/abs/1812.04948
The formulas are those of inserting zeros, padding with zeros and convolving. What is computed is one depthwise
convolution, strided or transposed: no zero is multiplied. Taps (1, 3, 3, 1) are the papers' filter; (1, 1) doubles by
nearest neighbours and halves by means, as progressive growing does.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from ...errors import UserError


def lowpass(taps: Sequence[float]) -> Tensor:
    """The filter of rows and columns, of sum one: n taps, symmetric, n even -> (n, n). Raises UserError for others."""
    if len(taps) % 2 or list(taps) != list(reversed(taps)):
        raise UserError(f"filter {tuple(taps)}: an even number of taps is needed, and the same from both ends")
    line = torch.tensor([float(t) for t in taps])
    return torch.outer(line, line) / line.sum().square()


def up(x: Tensor, kernel: Tensor) -> Tensor:
    """Twice the side: (b, c, h, w) -> (b, c, 2 h, 2 w), with zeros outside of x."""
    h, w = x.shape[-2:]
    return _filter(x, 4 * kernel, 2, len(kernel) // 2 - 1, (2 * h, 2 * w), True)


def down(x: Tensor, kernel: Tensor) -> Tensor:
    """Half the side: (b, c, 2 h, 2 w) -> (b, c, h, w), with zeros outside of x."""
    h, w = x.shape[-2:]
    return _filter(x, kernel, 2, len(kernel) // 2 - 1, (h // 2, w // 2), False)


def blur(x: Tensor, kernel: Tensor, pad: int) -> Tensor:
    """The filter at every place, after `pad` zeros on each side: (b, c, h, w) -> (b, c, h + 2 pad - n + 1, …)."""
    h, w = (s + 2 * pad - len(kernel) + 1 for s in x.shape[-2:])
    return _filter(x, kernel, 1, pad, (h, w), False)


def conv_up(x: Tensor, weight: Tensor, kernel: Tensor) -> Tensor:
    """Zeros between the pixels, a 3×3 convolution, the filter: (b, n, h, w), (m, n, 3, 3) -> (b, m, 2 h, 2 w).

    The convolution is a transposed one, so that it costs a quarter of one at the full side.
    """
    y = F.conv_transpose2d(x, weight.flip(2, 3).transpose(0, 1), stride=2)
    return blur(y, 4 * kernel, len(kernel) // 2 - 1)


def conv_down(x: Tensor, weight: Tensor, kernel: Tensor) -> Tensor:
    """The filter, then every second place of a 3×3 convolution: (b, n, 2 h, 2 w), (m, n, 3, 3) -> (b, m, h, w)."""
    return F.conv2d(blur(x, kernel, len(kernel) // 2), weight, stride=2)


def _filter(x: Tensor, kernel: Tensor, stride: int, pad: int, sides: tuple[int, int], transposed: bool) -> Tensor:
    if torch.compiler.is_compiling() or not torch.is_grad_enabled():
        return _depthwise(x, kernel, stride, pad, sides, transposed)
    return _Filter.apply(x, kernel, stride, pad, sides, transposed)


class _Filter(Function):
    """A filter whose gradient is the transposed filter, whose gradient is the filter: penalties on gradients cost
    three filters. PyTorch's second derivative of a depthwise convolution is ten times slower."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, kernel: Tensor, stride: int, pad: int, sides: tuple[int, int], transposed: bool
    ) -> Tensor:
        """The filtered maps."""
        ctx.save_for_backward(kernel)
        ctx.how = stride, pad, tuple(x.shape[-2:]), not transposed
        return _depthwise(x, kernel, stride, pad, sides, transposed)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        """The adjoint; the kernel is a constant."""
        (kernel,) = ctx.saved_tensors
        return _Filter.apply(slopes[0], kernel, *ctx.how), None, None, None, None, None


def _depthwise(x: Tensor, kernel: Tensor, stride: int, pad: int, sides: tuple[int, int], transposed: bool) -> Tensor:
    """The filter of each channel, in the precision of x whatever the autocast around it."""
    c, n = x.shape[1], len(kernel)
    weight = kernel.to(x.dtype).expand(c, 1, n, n)
    with torch.autocast(x.device.type, enabled=False):
        if not transposed:
            return F.conv2d(x, weight, None, stride, pad, groups=c)
        if stride == 1:  # the kernel is symmetric
            return F.conv2d(x, weight, None, 1, n - 1 - pad, groups=c)
        h, w = ((s - 1) * stride - 2 * pad + n for s in x.shape[-2:])
        return F.conv_transpose2d(x, weight, None, stride, pad, (sides[0] - h, sides[1] - w), groups=c)
