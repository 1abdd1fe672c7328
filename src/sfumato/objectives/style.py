"""What makes up a style, and how far one is from another: statistics of the maps of frozen networks, (b, c, h, w).

Gatys et al., Texture Synthesis Using CNNs, 2015. https://arxiv.org/abs/1505.07376
Gatys et al., A Neural Algorithm of Artistic Style, 2015. https://arxiv.org/abs/1508.06576
Huang & Belongie, Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization, 2017.
https://arxiv.org/abs/1703.06868
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .perceptual import gram


def mean_gram(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean over places of the products of all pairs of channels, in float32: (b, c, h, w) -> (b, c, c).

    With a mask (b, r, H, W) in [0, 1] of r regions, of each region by itself: -> (b, r, c, c); a region without a
    place has zeros. Gatys et al., 2015 (texture), eq. 1, over the number of places; Gatys et al., 2017,
    https://arxiv.org/abs/1611.07865, eq. 6, for regions.
    """
    if mask is None:
        return gram(features) / features[0, 0].numel()
    weight = shares(mask, features)
    return gram((features[:, None] * weight[:, :, None].sqrt()).flatten(0, 1)).unflatten(0, (len(features), -1))


def shares(mask: Tensor, features: Tensor) -> Tensor:
    """The share of each place in its region, which sum to one: mask (b, r, H, W), maps (b, c, h, w) -> (b, r, h, w)."""
    h, w = features.shape[-2:]
    small = F.adaptive_avg_pool2d(mask.to(features), (h, w))
    return small / small.sum((2, 3), keepdim=True).clamp(min=1e-12)


def gram_distance(estimate: Tensor, target: Tensor) -> Tensor:
    """Σ (G - A)² / 4c² of matrices of `mean_gram`, added over regions: (b, …, c, c), (b, …, c, c) -> (b,).

    Gatys et al., 2015 (style), eq. 4, where the number of places is in the matrices already.
    """
    return (estimate - target).square().flatten(1).sum(1) / (4 * estimate.shape[-1] ** 2)


def style(
    maps: Sequence[Tensor],
    targets: Sequence[Tensor],
    weights: Sequence[float | Tensor] | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Distances from Gram matrices, layer by layer with a weight each, 1 / layers by default, added up: -> (b,).

    Gatys et al., 2015 (style), eq. 5. To blend styles, blend their matrices: Σ w·|G - A|² is |G - Σ w·A|² and a
    constant if the weights w sum to one.
    """
    weights = [1 / len(maps)] * len(maps) if weights is None else weights
    found = [w * gram_distance(mean_gram(m, mask), a) for m, a, w in zip(maps, targets, weights, strict=True)]
    return torch.stack(found).sum(0)


def relative(targets: Sequence[Tensor]) -> list[Tensor]:
    """Weights for `style` that make the distance of each layer 1 / layers where a network sees nothing: (b,) each.

    They let the same weights of content and style do for networks whose activations are of other sizes.
    """
    return [1 / (len(targets) * gram_distance(torch.zeros_like(a), a)).clamp(min=1e-12) for a in targets]


def content(estimate: Tensor, target: Tensor) -> Tensor:
    """Half the sum of squared differences: (b, c, h, w), (b, c, h, w) -> (b,). Gatys et al., 2015 (style), eq. 1."""
    return (estimate - target).square().flatten(1).sum(1) / 2


def excess(image: Tensor) -> Tensor:
    """The mean square by which values leave [-1, 1], where a picture will be clipped: (b, c, h, w) -> (b,)."""
    return (image.abs() - 1).clamp(min=0).square().flatten(1).mean(1)


def moments(features: Tensor, mask: Tensor | None = None, epsilon: float = 1e-5) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation √(variance + ε) of each channel, in float32: (b, c, h, w) -> (b, c), (b, c).

    With a mask (b, r, H, W) in [0, 1] of r regions, of each region: -> (b, r, c), (b, r, c). The variance is the mean
    square, not the unbiased one. Huang & Belongie, 2017, eq. 6 and 7 (their eq. 3).
    """
    with torch.autocast(features.device.type, enabled=False):
        rows = features.float().flatten(2)
        if mask is None:
            mean, variance = rows.mean(2), rows.var(2, unbiased=False)
            return mean, (variance + epsilon).sqrt()
        weight = shares(mask, features).float().flatten(2)
        mean = weight @ rows.mT
        variance = (weight[:, :, None] * (rows[:, None] - mean[..., None]).square()).sum(3)
        return mean, (variance + epsilon).sqrt()


def moments_distance(estimate: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor]) -> Tensor:
    """‖μ - μ'‖² + ‖σ - σ'‖² over the channels of one layer, their mean: (b, c) each -> (b,).

    Huang & Belongie, 2017, eq. 13, as in their code: the mean of squares, where the paper writes a norm.
    """
    return torch.stack([(a - b).square().flatten(1).mean(1) for a, b in zip(estimate, target, strict=True)]).sum(0)


def adain(features: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Maps whose channels get another mean and standard deviation: (b, c, h, w), (b, c), (b, c) -> (b, c, h, w).

    Huang & Belongie, 2017, eq. 8.
    """
    own_mean, own_std = moments(features)
    return (features - own_mean[..., None, None]) * (std / own_std)[..., None, None] + mean[..., None, None]
