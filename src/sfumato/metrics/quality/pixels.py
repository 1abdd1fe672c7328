"""What the measures of quality have in common: ranges, planes, borders, windows."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from ...resample import Edge, inside

Plane = Literal["rgb", "luma", "grey"]

LUMA = (65.481 / 255, 128.553 / 255, 24.966 / 255)  # ITU-R BT.601 for RGB in [0, 255], as MATLAB's rgb2ycbcr has it
YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))


@dataclass(frozen=True)
class Convention:
    """How pictures are prepared before a measure compares their pixels. Published values differ in nothing so often."""

    plane: Plane = "rgb"  # each channel for itself; `luma`: Y of BT.601 in [16, 235]; `grey`: the same in [0, 255]
    border: int = 0  # pixels shaved off each side
    rounded: bool = True  # pictures to bytes, and the plane again, as MATLAB rounds images of class uint8

    def __call__(self, images: Tensor) -> Tensor:
        """Images in [-1, 1], (b, 1 | 3, h, w) -> (b, 1 | 3, h', w') in [0, 255].

        Raises ValueError if nothing is left inside the border.
        """
        images = scaled(shaved(images, self.border))
        if self.rounded:
            images = rounded(images)
        if self.plane == "rgb" or images.shape[1] == 1:
            return images
        plane = weighted(images, LUMA) + 16 if self.plane == "luma" else weighted(images, YIQ[0])
        return rounded(plane) if self.rounded else plane

    def __str__(self) -> str:
        plane = {"rgb": "RGB", "luma": "Y of BT.601", "grey": "grey"}[self.plane]
        return f"{plane}, {self.border or 'no'} px shaved, {'rounded to bytes' if self.rounded else 'not rounded'}"


RGB, Y = Convention(), Convention("luma")


def shaved(images: Tensor, border: int) -> Tensor:
    """Without so many pixels on each side: (…, h, w) -> (…, h - 2 border, w - 2 border).

    Raises ValueError if nothing is left.
    """
    h, w = images.shape[-2:]
    if border < 0 or 2 * border >= min(h, w):
        raise ValueError(f"a border of {border} pixels leaves nothing of {w}×{h}")
    return images[..., border : h - border, border : w - border]


def scaled(images: Tensor) -> Tensor:
    """From [-1, 1] to [0, 255]."""
    return images * 127.5 + 127.5


def rounded(values: Tensor) -> Tensor:
    """To whole numbers in [0, 255]; halves go up, as MATLAB's do."""
    return (values + 0.5).floor().clamp(0, 255)


def weighted(images: Tensor, weights: tuple[float, float, float]) -> Tensor:
    """One plane of three: (b, 3, h, w) -> (b, 1, h, w)."""
    return torch.tensordot(images, images.new_tensor(weights)[None], dims=([1], [1])).movedim(-1, 1)


def luminance(images: Tensor) -> Tensor:
    """Y of YIQ, or the only plane there is: (b, 1 | 3, h, w) -> (b, 1, h, w)."""
    return images if images.shape[1] == 1 else weighted(images, YIQ[0])


def gaussian(size: int = 11, sigma: float = 1.5, dtype: torch.dtype = torch.float64) -> Tensor:
    """A window that sums to 1: (size,)."""
    x = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    window = (-x.square() / (2 * sigma**2)).exp()
    return (window / window.sum()).to(dtype)


def windowed(x: Tensor, window: Tensor) -> Tensor:
    """Weighted sums under a symmetric window of n taps in both directions: (…, h, w) -> (…, h - n + 1, w - n + 1)."""
    taps = window.tolist()
    for axis in (-2, -1):
        n = x.shape[axis] - len(taps) + 1
        total = x.narrow(axis, 0, n) * taps[0]
        for i, weight in enumerate(taps[1:], 1):
            total.add_(x.narrow(axis, i, n), alpha=weight)
        x = total
    return x


def extended(x: Tensor, before: int, after: int, edge: Edge) -> Tensor:
    """More rows and columns, taken from within: (…, h, w) -> (…, h + before + after, w + before + after)."""
    for axis in (-2, -1):
        n = x.shape[axis]
        x = x.index_select(axis, inside(torch.arange(-before, n + after, device=x.device), n, edge))
    return x


def thinned(x: Tensor, factor: int, edge: Edge | None) -> Tensor:
    """Means of factor × factor pixels around every factor-th, as MATLAB's codes make pictures smaller.

    (b, c, h, w) -> (b, c, ⌈h / factor⌉, ⌈w / factor⌉). Outside there is zero (`conv2`) if `edge` is None.
    """
    if factor == 1:
        return x
    before, after = (factor - 1) // 2, factor // 2
    x = F.pad(x, (before, after, before, after)) if edge is None else extended(x, before, after, edge)
    return F.avg_pool2d(x, factor)


def viewing_factor(images: Tensor) -> int:
    """How much smaller a picture is made so that its shorter side is about 256 pixels (Wang et al.'s `ssim.m`)."""
    return max(1, int(min(images.shape[-2:]) / 256 + 0.5))


def similarity(x: Tensor, y: Tensor, constant: float) -> Tensor:
    """(2 x y + c) / (x² + y² + c), which is 1 where they are equal."""
    return (2 * x * y + constant) / (x.square() + y.square() + constant)
