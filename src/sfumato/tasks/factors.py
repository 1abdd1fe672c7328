"""What can be read off an image of one object without a network: where it is, how large, how light, how slanted."""

from collections.abc import Callable

import torch
from torch import Tensor


def ink(images: Tensor) -> Tensor:
    """How much each pixel differs from the background, which is the median of the border: (b, c, h, w) -> (b, h, w)."""
    border = torch.cat([images[..., 0, :], images[..., -1, :], images[..., :, 0], images[..., :, -1]], -1)
    far = (images - border.median(-1).values[..., None, None]).abs().amax(1)
    return (far - 0.25).clamp(min=0)  # soft backgrounds differ a little from themselves


def _moments(images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Ink, its coordinates' grids in [-1, 1], and its centre. Images without ink give NaN."""
    w = ink(images)
    down, across = (torch.linspace(-1, 1, side, device=images.device) for side in images.shape[-2:])
    x, y = across[None, None, :], down[None, :, None]
    total = w.sum((1, 2))
    return w / total[:, None, None], x, y, (w * x).sum((1, 2)) / total, (w * y).sum((1, 2)) / total


def horizontal(images: Tensor) -> Tensor:
    """The centre of the object from left, -1, to right, 1: (b, c, h, w) -> (b,)."""
    return _moments(images)[3]


def vertical(images: Tensor) -> Tensor:
    """The centre of the object from top, -1, to bottom, 1: (b, c, h, w) -> (b,)."""
    return _moments(images)[4]


def area(images: Tensor) -> Tensor:
    """The share of pixels that are the object: (b, c, h, w) -> (b,)."""
    return (ink(images) > 0).float().mean((1, 2))


def lightness(images: Tensor) -> Tensor:
    """Mean value in [-1, 1]: (b, c, h, w) -> (b,)."""
    return images.mean((1, 2, 3))


def slant(images: Tensor) -> Tensor:
    """Shear to the right: covariance of x and height over the variance of height: (b, c, h, w) -> (b,)."""
    w, x, y, cx, cy = _moments(images)
    dx, dy = x - cx[:, None, None], cy[:, None, None] - y
    return (w * dx * dy).sum((1, 2)) / (w * dy * dy).sum((1, 2)) * (images.shape[-1] / images.shape[-2])


def saturation(images: Tensor) -> Tensor:
    """Mean difference of the largest and the smallest channel, in [0, 2]: (b, c, h, w) -> (b,)."""
    return (images.amax(1) - images.amin(1)).mean((1, 2))


FACTORS: dict[str, Callable[[Tensor], Tensor]] = {
    "x": horizontal,
    "y": vertical,
    "area": area,
    "lightness": lightness,
    "slant": slant,
    "saturation": saturation,
}
