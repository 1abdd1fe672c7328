"""Histograms of oriented gradients that can be differentiated, to compare the edges of pictures.

Dalal & Triggs, Histograms of Oriented Gradients for Human Detection, CVPR 2005, section 6. Zhu, Krähenbühl, Shechtman &
Efros, Generative Visual Manipulation on the Natural Image Manifold, 2016, section 4.2. https://arxiv.org/abs/1609.03552
"""

from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor

BINS = 9  # of directions without a sign


def oriented_gradients(image: Tensor, cell: int = 4) -> Tensor:
    """How much edge of each direction there is in each cell, normalised: (b, c, h, w) -> (b, 9, h / cell, w / cell).

    A pixel's gradient is that of the mean of the channels, between the pixels on its sides, and counts by its length
    for the two nearest directions. A cell is divided by the length of it and its neighbours together, so that where
    nothing is there is nothing.
    """
    grey = F.pad(image.mean(1, keepdim=True), (1, 1, 1, 1), "replicate")
    across = (grey[..., 1:-1, 2:] - grey[..., 1:-1, :-2]) / 2
    down = (grey[..., 2:, 1:-1] - grey[..., :-2, 1:-1]) / 2
    length = (across.square() + down.square() + 1e-6).sqrt()
    place = torch.atan2(down, across + 1e-8 * (across == 0)).remainder(pi) * (BINS / pi)  # its derivative is finite
    bins = torch.arange(BINS, device=image.device).view(1, -1, 1, 1)
    away = (place - bins).abs()
    share = (1 - torch.minimum(away, BINS - away)).clamp(min=0)
    counts = F.avg_pool2d((length - 1e-3) * share, cell)
    power = F.avg_pool2d(counts.square().sum(1, keepdim=True), 3, 1, 1)
    return counts * (power + 1e-3).rsqrt()
