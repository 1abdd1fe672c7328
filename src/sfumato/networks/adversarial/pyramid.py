"""The Laplacian pyramid: what each halving of a picture loses, from fine to coarse, and a coarse picture that is left.

Burt & Adelson, 1983; Denton et al., 2015, section 2.2. https://arxiv.org/abs/1506.05751
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import UserError


def sides_of(size: int, coarsest: int) -> list[int]:
    """Sides from `size` down, each half of the one before, until the coarsest, which may be a little more than half.

    Raises UserError if a picture is no larger than the coarsest.
    """
    if size <= coarsest:
        raise UserError(f"size {size}: a pyramid whose coarsest pictures have {coarsest} px needs larger ones")
    sides = [size]
    while sides[-1] // 2 > coarsest:
        sides.append(sides[-1] // 2)
    return [*sides, coarsest]


def resized(image: Tensor, side: int) -> Tensor:
    """Blurred and decimated, or smoothed and expanded: (b, c, h, w) -> (b, c, side, side), float32."""
    smaller = side < image.shape[-1]
    return F.interpolate(image.float(), (side, side), mode="bilinear", align_corners=False, antialias=smaller)


def pyramid(image: Tensor, sides: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
    """Bands, and beside each what it is added to: (b, c, h, h) -> (b, c, side, side) twice for each side.

    The last band is the coarsest picture, which is added to nothing.
    """
    found = []
    for side in sides[1:]:
        small = resized(image, side)
        low = resized(small, image.shape[-1])
        found.append((image - low, low))
        image = small
    return [*found, (image, torch.zeros_like(image))]


def collapsed(bands: Sequence[Tensor]) -> Tensor:
    """The picture of bands from fine to coarse: (b, c, side, side) each -> (b, c, h, h). Undoes `pyramid`."""
    image = bands[-1]
    for band in reversed(bands[:-1]):
        image = resized(image, band.shape[-1]) + band
    return image
