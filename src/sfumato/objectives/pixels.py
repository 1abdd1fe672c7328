"""How far pictures are from the ones that they should be, pixel by pixel: (b, c, h, w), (b, c, h, w) -> (b,)."""

import torch
from torch import Tensor


def l1(estimate: Tensor, target: Tensor) -> Tensor:
    """The mean absolute difference of each picture."""
    return (estimate - target).abs().flatten(1).mean(1)


def mse(estimate: Tensor, target: Tensor) -> Tensor:
    """The mean squared difference of each picture."""
    return (estimate - target).square().flatten(1).mean(1)


def squared_error(estimate: Tensor, target: Tensor) -> Tensor:
    """The sum of squared differences of each picture. Dong et al., 2015, eq. 4."""
    return (estimate - target).square().flatten(1).sum(1)


def charbonnier(estimate: Tensor, target: Tensor, epsilon: float = 1e-3) -> Tensor:
    """The mean of √(difference² + ε²) of each picture, |difference| with a round tip.

    Lai et al., 2017, section 3.2. https://arxiv.org/abs/1704.03915
    """
    return ((estimate - target).square() + epsilon**2).sqrt().flatten(1).mean(1)


def total_variation(image: Tensor) -> Tensor:
    """The sum of absolute differences of neighbours, right and below, of each picture: (b, c, h, w) -> (b,)."""
    across, down = image.diff(dim=-1).abs(), image.diff(dim=-2).abs()
    return torch.cat([across.flatten(1), down.flatten(1)], 1).sum(1)
