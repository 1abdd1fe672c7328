"""Blur kernels: what a pixel of a small picture takes from the large one; to apply, move, compose and find them.

A kernel is (k, k) and sums to 1. Applied as it lies, pixel (i, j) of the picture that is s times smaller is the sum
of kernel[a, b] · large[s·i + a − p, s·j + b − p], with p = `before(k, s)`. Its centre of mass belongs at `home(k, s)`:
then both pictures cover the same place, corner to corner, as they do after MATLAB's `imresize`.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, cos, sin

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import UserError
from ...resample import keys, resampling


def before(k: int, scale: int) -> int:
    """How many pixels a kernel of side k reaches to the left of the first of the s pixels that a small one covers."""
    return (k - scale + 1) // 2


def home(k: int, scale: int) -> float:
    """Where in a kernel of side k the middle of a small pixel lies, in entries from its first."""
    return before(k, scale) + (scale - 1) / 2


def shrink_by(image: Tensor, kernel: Tensor, scale: int) -> Tensor:
    """Images made smaller by a kernel: (b, c, h, w) -> (b, c, ⌈h / s⌉, ⌈w / s⌉), the last pixels repeated outside."""
    k, (h, w) = len(kernel), image.shape[-2:]
    p = before(k, scale)
    right, low = (scale * (ceil(n / scale) - 1) + k - p - n for n in (w, h))
    padded = F.pad(image, (p, right, p, low), mode="replicate")
    return correlate(padded, kernel, scale)


def spread_by(image: Tensor, size: tuple[int, int], kernel: Tensor, scale: int) -> Tensor:
    """The adjoint of `shrink_by`, times s² so that brightness stays: (b, c, h, w) -> (b, c, *size), float32.

    The last pixels are repeated outside.
    """
    k, (h, w) = len(kernel), size
    m = ceil(k / scale)
    padded = F.pad(image.float(), (m, m, m, m), mode="replicate").flatten(0, 1)[:, None]
    with torch.autocast(image.device.type, enabled=False):
        planes = F.conv_transpose2d(padded, scale**2 * kernel.float()[None, None], stride=scale)
    first = before(k, scale) + scale * m
    return planes[:, 0, first : first + h, first : first + w].unflatten(0, image.shape[:2])


def correlate(image: Tensor, kernel: Tensor, stride: int = 1) -> Tensor:
    """A kernel on every colour, where it lies inside: (b, c, h, w) -> (b, c, (h − k) // stride + 1, …), float32."""
    with torch.autocast(image.device.type, enabled=False):
        planes = F.conv2d(image.float().flatten(0, 1)[:, None], kernel.float()[None, None], stride=stride)
    return planes[:, 0].unflatten(0, image.shape[:2])


def bicubic_kernel(scale: int) -> Tensor:
    """The kernel by which MATLAB's bicubic `imresize` makes pictures s times smaller: (4s, 4s)."""
    row = resampling(8 * scale, 8, 1 / scale)[4].float()  # of a pixel far from both ends
    row = row[4 * scale - before(4 * scale, scale) :][: 4 * scale]
    return row[:, None] * row


def gaussian_kernel(side: int, variances: tuple[float, float], angle: float, scale: int = 2) -> Tensor:
    """A Gaussian of two variances in pixels², the first `angle` radians from the right, around home: (side, side)."""
    (c, s), (u, v) = (cos(angle), sin(angle)), variances
    at = torch.arange(side, dtype=torch.float64) - home(side, scale)
    y, x = at[:, None], at
    along, across = c * x + s * y, c * y - s * x
    kernel = (-(along**2 / u + across**2 / v) / 2).exp()
    return (kernel / kernel.sum()).float()


def centre_of_mass(kernel: Tensor) -> Tensor:
    """Row and column, in entries from the first: (k, k) -> (2,)."""
    at = torch.arange(len(kernel), dtype=kernel.dtype, device=kernel.device)
    return torch.stack([kernel.sum(1) @ at, kernel.sum(0) @ at]) / kernel.sum()


def centred(kernel: Tensor, scale: int) -> Tensor:
    """A kernel summing to 1, moved by parts of a pixel until its centre of mass is at home: (k, k) -> (k', k').

    There is no telling a kernel that moves the picture from a picture that lies elsewhere, so that none may move it.
    Keys's cubic kernel moves it, which keeps its spread too. k' − k is even, and large enough to lose nothing.
    """
    kernel = kernel.double() / kernel.sum(dtype=torch.float64)
    move = home(len(kernel), scale) - centre_of_mass(kernel)
    margin = ceil(move.abs().max().item()) + 2
    at = torch.arange(-margin, len(kernel) + margin, dtype=torch.float64, device=kernel.device)
    down, along = (keys(at[:, None] - m - at[margin:-margin]) for m in move)
    return (down @ kernel @ along.T).float()


def fitted(kernel: Tensor, side: int, scale: int) -> Tensor:
    """The same kernel in another frame, margins of nothing added or cut: (k, k) -> (side, side).

    Raises UserError if more than a hundredth of its weight does not fit.
    """
    first = before(side, scale) - before(len(kernel), scale)
    last = side - len(kernel) - first
    framed = F.pad(kernel, (first, last, first, last))
    if (kernel.abs().sum() - framed.abs().sum()) > 0.01 * kernel.abs().sum():
        raise UserError(f"a blur kernel of {len(kernel)} pixels is too large: there is room for {side}")
    return framed / framed.sum()


def bare(kernel: Tensor) -> Tensor:
    """A kernel without margins of zeros that are as wide on all sides: (k, k) -> (k', k'), k − k' even."""
    there = kernel.abs().sum(0).add(kernel.abs().sum(1)).nonzero().flatten()
    m = int(min(there[0], len(kernel) - 1 - there[-1]))
    return kernel[m : len(kernel) - m, m : len(kernel) - m]


def twice(kernel: Tensor) -> Tensor:
    """The ×4 kernel that is a ×2 kernel applied twice: (k, k) -> (3k − 2, 3k − 2), k made even.

    Bell-Kligler et al., 2019, appendix: k₄ = k₂ ∗ (k₂ with zeros between its entries).
    """
    even = F.pad(kernel, (0, len(kernel) % 2, 0, len(kernel) % 2))[None, None]
    return F.conv_transpose2d(even, even, stride=2)[0, 0]


def significant(kernel: Tensor, n: int = 40) -> Tensor:
    """What of a kernel stands out over 3/4 of its (n + 1)-th largest entry, made to sum to 1: (k, k) -> (k, k)."""
    floor = 0.75 * kernel.flatten().topk(min(n + 1, kernel.numel())).values[-1]
    rest = (kernel - floor.clamp(min=0)).clamp(min=0)
    return rest / rest.sum()


class DeepLinear(nn.ModuleList):
    """Convolutions without padding, biases or anything between them: together, one kernel for any colour."""

    def __init__(self, sides: Sequence[int], ch: int, gain: float) -> None:
        widths = [1, *[ch] * (len(sides) - 1), 1]
        super().__init__(nn.Conv2d(n, m, k, bias=False) for (n, m), k in zip(pairwise(widths), sides, strict=True))
        for weight in self.parameters():
            nn.init.xavier_normal_(weight, gain)

    def kernel(self) -> Tensor:
        """The kernel that the layers amount to, their response to an impulse: (k, k), k − 1 being the sum of theirs.

        It is composed from the last layer on, where channels are fewest, in float32.
        """
        first, *others = self.parameters()
        with torch.autocast(first.device.type, enabled=False):
            kernel: Tensor = others[-1]
            for weight in [*others[-2::-1], first]:
                kernel = F.conv_transpose2d(kernel, weight)
        return kernel[0, 0]
