"""The mean squared error and the peak signal-to-noise ratio."""

import torch
from torch import Tensor

from .pixels import RGB, Convention


def mse(reference: Tensor, image: Tensor, convention: Convention = RGB) -> Tensor:
    """Mean squared difference, in squared steps of 8 bits, over all planes: (b, c, h, w) in [-1, 1] -> (b,)."""
    return (convention(reference) - convention(image)).square().flatten(1).mean(1)


def psnr(reference: Tensor, image: Tensor, convention: Convention = RGB) -> Tensor:
    """10 log₁₀ (255² / MSE) in decibels, infinite for equal pictures: (b, c, h, w) in [-1, 1] -> (b,).

    The peak is 255 for `luma` too, though Y ends at 235: so do the published tables.
    """
    return 10 * torch.log10(255**2 / mse(reference, image, convention))
