"""Similarity of the strength of edges.

Zhang, Feng, Wang and Xue 2013, "Edge strength similarity for image quality assessment", IEEE Signal Processing Letters
20(4).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .pixels import luminance, scaled, similarity, thinned, viewing_factor

POWER = 0.5  # the exponent α of differences between directions
CONSTANT = 10 * 255.0


def essim(reference: Tensor, image: Tensor) -> Tensor:
    """Edge-strength similarity of luminance: (b, 1 | 3, h, w) in [-1, 1] -> (b,).

    The strength of an edge is how far the derivatives along two orthogonal directions differ, axes or diagonals,
    whichever differ more in the reference. So it isn't symmetric.
    """
    x, y = (luminance(scaled(v)) for v in (reference, image))
    x, y = (_strength(thinned(v, viewing_factor(v), "mirror")) for v in (x, y))
    stronger = x.argmax(1, keepdim=True)
    return similarity(x.gather(1, stronger), y.gather(1, stronger), CONSTANT).mean((1, 2, 3))


def _strength(x: Tensor) -> Tensor:
    """For the axes and for the diagonals: (b, 1, h, w) -> (b, 2, h, w)."""
    across = x.new_zeros(5, 5)
    across[1:4, 1], across[1:4, 3] = x.new_tensor([3, 10, 3]), x.new_tensor([-3, -10, -3])
    slanted = x.new_zeros(5, 5)
    for value, row, column in ((3, 0, 2), (10, 1, 1), (3, 2, 0)):
        slanted[row, column], slanted[4 - row, 4 - column] = value, -value
    kernels = torch.stack([across.T, across, slanted, slanted.rot90()])[:, None] / 16
    slopes = F.conv2d(x, kernels, padding=2)
    return (slopes[:, 0::2] - slopes[:, 1::2]).abs() ** POWER
