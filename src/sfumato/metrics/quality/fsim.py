"""Similarity of features: phase congruency, gradient and colour.

Zhang, Zhang, Mou and Zhang 2011, "FSIM: a feature similarity index for image quality assessment", IEEE Transactions on
Image Processing 20(8).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .phase import phase_congruency
from .pixels import YIQ, luminance, scaled, similarity, thinned, viewing_factor, weighted

PHASE, GRADIENT, CHROMA = 0.85, 160.0, 200.0  # the constants T1, T2, T3 = T4
COLOUR = 0.03  # the exponent λ


def fsim(reference: Tensor, image: Tensor) -> Tensor:
    """Feature similarity of luminance (eq. 5): (b, 1 | 3, h, w) in [-1, 1] -> (b,)."""
    return _pooled(_prepared(reference), _prepared(image), colour=False)


def fsimc(reference: Tensor, image: Tensor) -> Tensor:
    """Feature similarity with the colour of YIQ (eq. 8): (b, 3, h, w) in [-1, 1] -> (b,).

    Where the colours' similarity is negative, its power is taken as the real part of the complex one.
    Raises ValueError for grey pictures.
    """
    if reference.shape[1] != 3:
        raise ValueError("fsimc compares colours, and these pictures are grey")
    return _pooled(_prepared(reference), _prepared(image), colour=True)


def _prepared(images: Tensor) -> Tensor:
    """In [0, 255], made smaller to about 256 pixels."""
    return thinned(scaled(images), viewing_factor(images), None)


def _pooled(x: Tensor, y: Tensor, colour: bool) -> Tensor:
    light_x, light_y = luminance(x), luminance(y)
    phase_x, phase_y = phase_congruency(light_x), phase_congruency(light_y)
    weight = torch.maximum(phase_x, phase_y)
    found = similarity(phase_x, phase_y, PHASE) * similarity(scharr(light_x), scharr(light_y), GRADIENT)
    if colour:
        alike = [similarity(weighted(x, k), weighted(y, k), CHROMA) for k in YIQ[1:]]
        found = found * real_power(alike[0] * alike[1], COLOUR)
    return (found * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3))


def scharr(x: Tensor) -> Tensor:
    """Magnitude of the gradient under Scharr's operator, zero outside: (b, 1, h, w) -> (b, 1, h, w)."""
    kernel = x.new_tensor([[3, 0, -3], [10, 0, -10], [3, 0, -3]]) / 16
    return F.conv2d(x, torch.stack([kernel, kernel.T])[:, None], padding=1).square().sum(1, keepdim=True).sqrt()


def real_power(x: Tensor, exponent: float) -> Tensor:
    """The real part of xᵉ."""
    power = x.abs() ** exponent
    return torch.where(x < 0, power * torch.cos(torch.tensor(torch.pi * exponent)), power)
