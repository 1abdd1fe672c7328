"""Perceptual path length: how much pictures change on a small step between two codes.

Karras et al., A Style-Based Generator Architecture for GANs, 2018, section 4.1. https://arxiv.org/abs/1812.04948
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..networks.pretrained.features import Features

EPSILON = 1e-4  # length of the step, as a share of the way from one code to the other
LARGEST = 256  # shorter side that larger pictures are reduced to, pixels
TAIL = 0.01  # share of the shortest and of the longest steps that a mean leaves out


def lerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Points on straight lines, float64: (n, d), (n, d), (n,) -> (n, d)."""
    return torch.lerp(a.double(), b.double(), t.double()[:, None])


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Points on great circles, whose norms change on a straight line, float64: (n, d), (n, d), (n,) -> (n, d).

    Shoemake, 1985. Normal codes lie near a sphere, which a straight line would leave.
    """
    a, b, t = a.double(), b.double(), t.double()[:, None]
    start, end = (x.norm(dim=1, keepdim=True).clamp(min=1e-30) for x in (a, b))
    first, second = a / start, b / end
    across = second - (first * second).sum(1, keepdim=True) * first
    length = across.norm(dim=1, keepdim=True)
    angle = torch.atan2(length, (first * second).sum(1, keepdim=True)) * t
    return (first * angle.cos() + across / length.clamp(min=1e-30) * angle.sin()) * torch.lerp(start, end, t)


def path_lengths(
    picture: Callable[[Tensor], Tensor],
    distance: Callable[[Tensor, Tensor], Tensor],
    ends: tuple[Tensor, Tensor],
    t: Tensor,
    between: Callable[[Tensor, Tensor, Tensor], Tensor] = lerp,
    crop: bool = False,
) -> Tensor:
    """The distance of the pictures at t and t + ε, over ε²: ends (n, d), t (n,) in [0, 1] -> (n,) float64.

    `picture` maps codes (n, d) float32 to (n, c, h, w) in [-1, 1], `distance` pictures twice to (n,), of second order
    in their difference. Codes are found in float64 and rounded once; pictures above 256 px are reduced to that by
    means. With `crop`, of each picture its middle half from 3/8 of the height down, where FFHQ and CelebA-HQ have the
    face. Pictures in float32 are exact enough: means are within 0.1 % of those with everything in float64.
    """
    codes = torch.cat([between(*ends, t), between(*ends, t + EPSILON)])
    return distance(*_prepared(picture(codes.float()), crop).chunk(2)).double() / EPSILON**2


def _prepared(image: Tensor, crop: bool) -> Tensor:
    if crop:
        h, w = (s // 8 for s in image.shape[-2:])
        image = image[..., 3 * h : 7 * h, 2 * w : 6 * w]
    factor = min(image.shape[-2:]) // LARGEST
    return F.avg_pool2d(image, factor) if factor > 1 else image


def path_length(lengths: Tensor) -> float:
    """The mean without the hundredth of the shortest and of the longest, as published values have it: (n,) -> float.

    Raises ValueError if there are none.
    """
    if len(lengths) == 0:
        raise ValueError("there are no paths")
    low = torch.quantile(lengths.double(), TAIL, interpolation="lower")
    high = torch.quantile(lengths.double(), 1 - TAIL, interpolation="higher")
    return lengths[(lengths >= low) & (lengths <= high)].double().mean().item()


def unit_distance(features: Features) -> Callable[[Tensor, Tensor], Tensor]:
    """LPIPS' form with all weights one: squared differences of unit vectors of features, (n, c, h, w) twice -> (n,).

    The mean over places, the sum over channels and layers; float64 from the features on. Zhang et al., 2018, eq. 1.
    """

    def distance(x: Tensor, y: Tensor) -> Tensor:
        total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        for maps in features(torch.cat([x, y])):
            unit = F.normalize(maps.double(), dim=1, eps=1e-10)
            first, second = unit.chunk(2)
            total += (first - second).square().sum(1).mean((1, 2))
        return total

    return distance
