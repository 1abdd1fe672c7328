"""The path-length regulariser: a step of fixed length in W should change the picture by a fixed amount.

Karras et al., 2019, section 3.2, eq. 4 and appendix B. https://arxiv.org/abs/1912.04958
"""

from math import sqrt

import torch
from torch import Tensor


def path_lengths(image: Tensor, w: Tensor, noise: Tensor) -> Tensor:
    """How far pictures move along random images, |Jᵀ y|: (b, c, h, w), (b, layers, d), (b, c, h, w) -> (b,).

    `noise` is normal and divided here by √(h w), so that the length does not depend on the side; layers are averaged
    in the square, as in the authors' code. `w` must be in the graph of `image`; the lengths are differentiable.
    """
    with torch.autocast(image.device.type, enabled=False):
        product = (image.float() * noise).sum() / sqrt(image[0, 0].numel())
        (slope,) = torch.autograd.grad(product, w, create_graph=True)
        return slope.square().sum(2).mean(1).sqrt()


def path_penalty(lengths: Tensor, mean: Tensor) -> Tensor:
    """(|Jᵀ y| - a)² of each picture, a being the running mean: (b,), () -> (b,). Eq. 4."""
    return (lengths - mean).square()
