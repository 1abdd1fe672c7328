"""Colours of one picture in another, for styles that keep them: images (b, 3, h, w) in [-1, 1].

Gatys et al., Preserving Color in Neural Artistic Style Transfer, 2016. https://arxiv.org/abs/1606.05897
"""

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue: Y of YIQ


def luma(image: Tensor) -> Tensor:
    """How bright images are: (b, 1 | 3, h, w) -> (b, 1, h, w) in [-1, 1]."""
    if image.shape[1] == 1:
        return image
    weight = torch.tensor(LUMA, device=image.device, dtype=image.dtype).view(1, 3, 1, 1)
    return (image * weight).sum(1, keepdim=True)


def with_chroma(brightness: Tensor, image: Tensor) -> Tensor:
    """Images as bright as others, with their own chroma: (b, 1 | 3, h, w), (b, 3, h, w) -> (b, 3, h, w) in [-1, 1].

    The chroma I and Q of YIQ are a difference from luma. Where a brightness would leave the colours that exist it gives
    way, and the chroma stays. Section 4.
    """
    chroma = image - luma(image)
    low, high = -1 - chroma.amin(1, keepdim=True), 1 - chroma.amax(1, keepdim=True)
    return chroma + luma(brightness).clamp(low, high)


def as_bright(image: Tensor, other: Tensor) -> Tensor:
    """Images of the mean and standard deviation of others, as wholes: section 4, its last equation."""
    mean, std = (image.flatten(1).mean(1), image.flatten(1).std(1)), (other.flatten(1).mean(1), other.flatten(1).std(1))
    (a, b), (c, d) = ([x.view(-1, 1, 1, 1) for x in pair] for pair in zip(mean, std, strict=True))
    return (image - a) * (d / c.clamp(min=1e-6)) + b


def matched(image: Tensor, other: Tensor) -> Tensor:
    """Images whose colours get the mean and covariance of others: (b, c, h, w), (b, c, h', w') -> (b, c, h, w).

    By the symmetric matrix A = Σ'^½ Σ^-½ ("image analogies"); the result may leave [-1, 1]. Section 3.
    """
    mean, _, inverse = _spread(image)
    other_mean, other_root, _ = _spread(other)
    rows = image.flatten(2) - mean
    return ((other_root @ inverse) @ rows + other_mean).view_as(image)


def _spread(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (b, c, 1), and the covariance's root and inverse root (b, c, c), of colours."""
    rows = image.flatten(2)
    mean = rows.mean(2, keepdim=True)
    values, vectors = torch.linalg.eigh((rows - mean) @ (rows - mean).mT / rows.shape[2])
    roots = values.clamp(min=1e-5).sqrt()[:, None]
    return mean, (vectors * roots) @ vectors.mT, (vectors / roots) @ vectors.mT
