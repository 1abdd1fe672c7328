"""Distances between what frozen networks see in two pictures: maps (b, c, h, w) of one layer, twice -> (b,)."""

import torch
from torch import Tensor


def distance(estimate: Tensor, target: Tensor, power: int = 2) -> Tensor:
    """The mean of the absolute difference to a power, 1 or 2. Ledig et al., 2017, eq. 5, have the square."""
    return (estimate - target).abs().pow(power).flatten(1).mean(1)


def unit_mean(features: Tensor) -> Tensor:
    """Maps over their mean, which is one then for each picture: (b, c, h, w) -> (b, c, h, w).

    For activations after a ReLU, whose mean is positive. Sajjadi et al., 2017, section 5.3.
    """
    return features / features.mean((1, 2, 3), keepdim=True).clamp(min=1e-12)


def gram(features: Tensor) -> Tensor:
    """Inner products of all pairs of channels, in float32: (b, c, h, w) -> (b, c, c). Gatys et al., 2015, eq. 1.

    https://arxiv.org/abs/1505.07376
    """
    with torch.autocast(features.device.type, enabled=False):
        rows = features.float().flatten(2)
        return rows @ rows.mT


def texture(estimate: Tensor, target: Tensor, patch: int = 16) -> Tensor:
    """The mean squared difference of Gram matrices, patch by patch of the maps. Sajjadi et al., 2017, section 4.2.3.

    A map smaller than `patch` is one patch; what is left over at right and lower edges is ignored.
    """
    n = min(patch, *estimate.shape[-2:])
    ours, theirs = (gram(tiles(x, n)).unflatten(0, (len(x), -1)) for x in (estimate, target))
    return (ours - theirs).square().flatten(1).mean(1)


def tiles(features: Tensor, n: int) -> Tensor:
    """Squares side by side, picture by picture: (b, c, h, w) -> (b · (h // n) · (w // n), c, n, n)."""
    return features.unfold(2, n, n).unfold(3, n, n).permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
