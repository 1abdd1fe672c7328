"""Visual information fidelity in the pixel domain.

Sheikh and Bovik 2006, "Image information and visual quality", IEEE Transactions on Image Processing 15(2); the
multi-scale form in pixels that the authors released as `vifp_mscale`.
"""

import torch
from torch import Tensor

from .pixels import gaussian, luminance, scaled, windowed

NOISE = 2.0  # variance of the visual noise
TINY = 1e-10


def vif(reference: Tensor, image: Tensor) -> Tensor:
    """Information of the picture shared with the reference over the reference's own: (b, 1 | 3, h, w) -> (b,).

    Images in [-1, 1], of which luminance counts. 1 for equal pictures, more where contrast has been raised. In float64.
    Raises ValueError below 41 pixels, where the windows don't fit.
    """
    if min(reference.shape[-2:]) < 41:
        raise ValueError(f"four scales need 41 pixels or more, not {reference.shape[-1]}×{reference.shape[-2]}")
    x, y = (luminance(scaled(v.double())) for v in (reference, image))
    shared = own = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for scale in range(4):
        size = 2 ** (4 - scale) + 1
        window = gaussian(size, size / 5)
        if scale:
            x, y = (windowed(v, window)[..., ::2, ::2] for v in (x, y))
        mean_x, mean_y, xx, yy, xy = windowed(torch.stack([x, y, x * x, y * y, x * y]), window)
        variance_x, variance_y = (xx - mean_x.square()).clamp(min=0), (yy - mean_y.square()).clamp(min=0)
        covariance = xy - mean_x * mean_y
        gain, rest = _channel(variance_x, variance_y, covariance)
        variance_x = variance_x.masked_fill(variance_x < TINY, 0)
        shared = shared + torch.log10(1 + gain.square() * variance_x / (rest + NOISE)).sum((1, 2, 3))
        own = own + torch.log10(1 + variance_x / NOISE).sum((1, 2, 3))
    return torch.where(own > 0, shared / own.clamp(min=TINY), 1.0)


def _channel(variance_x: Tensor, variance_y: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Gain and variance of noise of the distortion y = gain · x + noise (section III-B), never below zero."""
    gain = covariance / (variance_x + TINY)
    rest = variance_y - gain * covariance
    flat = variance_x < TINY
    gain, rest = gain.masked_fill(flat, 0), torch.where(flat, variance_y, rest)
    flat = variance_y < TINY
    gain, rest = gain.masked_fill(flat, 0), rest.masked_fill(flat, 0)
    against = gain < 0
    return gain.masked_fill(against, 0), torch.where(against, variance_y, rest).clamp(min=TINY)
