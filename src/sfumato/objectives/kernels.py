"""What a blur kernel should be like, whatever the picture: (k, k) -> (). Bell-Kligler et al., 2019, section 4.

https://arxiv.org/abs/1909.06581
"""

import torch
from torch import Tensor


def off_one(kernel: Tensor) -> Tensor:
    """How far the sum of its entries is from 1."""
    return (1 - kernel.sum()).abs()


def at_border(kernel: Tensor) -> Tensor:
    """The mean absolute entry, weighed by `border`."""
    return (kernel * border(len(kernel)).to(kernel)).abs().mean()


def spread_out(kernel: Tensor, power: float = 0.2) -> Tensor:
    """The mean of |entry|^power: many small entries cost more than a few large ones."""
    return kernel.abs().clamp(min=1e-12).pow(power).mean()  # at 0 the slope would be infinite


def off_centre(kernel: Tensor, home: float) -> Tensor:
    """The mean squared distance of row and column of the centre of mass from `home`, in entries from the first."""
    at = torch.arange(len(kernel), dtype=kernel.dtype, device=kernel.device)
    mass = torch.stack([kernel.sum(1) @ at, kernel.sum(0) @ at]) / kernel.sum()
    return (mass - home).square().mean()


def border(k: int, weight: float = 30.0) -> Tensor:
    """Weights of the entries of the outer rings, 0 within and growing outwards: (k, k)."""
    at = torch.arange(k) - (k - 1) / 2
    from_middle = at[:, None] ** 2 + at**2
    rings = max((k // 2) // 2 - 1, 1)
    outside = at.abs() > (k - 1) / 2 - rings
    return weight * (1 - (-from_middle / (2 * k * k)).exp()) * (outside[:, None] | outside)
