"""Losses of inversion: how far a picture is from another, and what keeps noise from carrying the picture."""

from collections.abc import Sequence
from math import cos, pi

import torch
import torch.nn.functional as F
from torch import Tensor


def feature_distance(maps: Sequence[Tensor], targets: Sequence[Tensor], mask: Tensor | None = None) -> Tensor:
    """How far apart the directions of features are, place by place: lists of (b, c, h, w) -> (b,), 0 to 4.

    The squared difference of vectors of length one, averaged over places and layers: LPIPS without learned weights
    (Zhang et al., 2018, eq. 1, https://arxiv.org/abs/1801.03924). A mask (b or 1, 1, H, W) in [0, 1] weights places;
    where it has none, a layer adds nothing.
    """
    found = []
    for ours, theirs in zip(maps, targets, strict=True):
        apart = (F.normalize(ours, dim=1, eps=1e-6) - F.normalize(theirs, dim=1, eps=1e-6)).square().sum(1)
        found.append(weighted(apart[:, None], mask))
    return torch.stack(found).mean(0)


def masked_mse(estimate: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean squared difference, where a mask (b or 1, 1, h, w) in [0, 1] says: (b, c, h, w) twice -> (b,)."""
    return weighted((estimate - target).square().mean(1, keepdim=True), mask)


def weighted(values: Tensor, mask: Tensor | None) -> Tensor:
    """The mean over places, weighted by a mask of any size: (b, 1, h, w) -> (b,)."""
    if mask is None:
        return values.flatten(1).mean(1)
    small = F.adaptive_avg_pool2d(mask.to(values), (values.shape[2], values.shape[3])).expand_as(values)
    return (values * small).flatten(1).sum(1) / small.flatten(1).sum(1).clamp(min=1e-6)


def noise_correlation(maps: Sequence[Tensor]) -> Tensor:
    """How much neighbours in noise say of one another, at all sizes down to 8: lists of (b, 1, h, w) -> (b,).

    The square of the mean product with the next to the left and above, summed over a pyramid whose levels keep unit
    variance. Karras et al., 2019, appendix D, https://arxiv.org/abs/1912.04958. Maps below 8 pixels count as they are.
    """
    total = maps[0].new_zeros(len(maps[0]))
    for level in maps:
        while True:
            for axis in (2, 3):
                total = total + (level * level.roll(1, axis)).mean((1, 2, 3)).square()
            if min(level.shape[-2:]) <= 8:
                break
            level = F.avg_pool2d(level, 2) * 2
    return total


def ramp(progress: float, up: float = 0.05, down: float = 0.25) -> float:
    """The factor of a learning rate: up on a line, down on half a cosine (ibid.); progress in [0, 1]."""
    falling = min(1.0, (1 - progress) / down)
    return (0.5 - 0.5 * cos(falling * pi)) * min(1.0, progress / up if up else 1.0)


def psnr_of(mse: Tensor) -> Tensor:
    """Decibels of the mean squared error of pictures in [-1, 1]: (b,) -> (b,)."""
    return 10 * (4 / mse.clamp(min=1e-10)).log10()
