"""Structural similarity weighted by how much information a place holds.

Wang and Li 2011, "Information content weighting for perceptual image quality assessment", IEEE Transactions on Image
Processing 20(5). The pyramid is Burt and Adelson's with binomial filters and reflected edges.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .pixels import gaussian, luminance, scaled, windowed
from .ssim import WEIGHTS, moments

NOISE = 0.4  # variance of the visual noise, section III
BINOMIAL = (0.0625, 0.25, 0.375, 0.25, 0.0625)
TINY = 1e-15


def iw_ssim(reference: Tensor, image: Tensor) -> Tensor:
    """Information-weighted structural similarity of five scales, of luminance: (b, 1 | 3, h, w) in [-1, 1] -> (b,).

    Eqs. 25 to 28, computed in float64. It isn't symmetric: the weights model the reference.
    Raises ValueError below 161 pixels, where the window doesn't fit into the coarsest scale.
    """
    if min(reference.shape[-2:]) <= 10 * 2 ** (len(WEIGHTS) - 1):
        raise ValueError(f"five scales need 161 pixels or more, not {reference.shape[-1]}×{reference.shape[-2]}")
    x, y = (_pyramid(luminance(scaled(v.double()))) for v in (reference, image))
    window = gaussian()
    result = torch.ones(len(reference), dtype=torch.float64, device=reference.device)
    for scale, weight in enumerate(WEIGHTS):
        # bands have mean zero, so that the moments are taken about nothing
        m = moments(x[scale] + 128, y[scale] + 128, window)
        if scale == len(WEIGHTS) - 1:
            m = moments(x[scale], y[scale], window)
            found = m.similarity().mean((1, 2, 3))
        else:
            parent = x[scale + 1] if scale < len(WEIGHTS) - 2 else None
            information = _information(x[scale], y[scale], parent)[..., 4:-4, 4:-4]
            found = (m.contrast_structure() * information).sum((1, 2, 3)) / information.sum((1, 2, 3))
        result = result * found.abs() ** (weight / sum(WEIGHTS))  # which sum to 1.0001
    return result


def _pyramid(x: Tensor) -> list[Tensor]:
    """Four band-pass pictures and what is left: (b, 1, h, w) -> five of (b, 1, h / 2ˢ, w / 2ˢ)."""
    bands = []
    for _ in range(len(WEIGHTS) - 1):
        low = _filtered(x)[..., ::2, ::2] * 2
        spread = x.new_zeros(*x.shape[:2], 2 * low.shape[-2], 2 * low.shape[-1])
        spread[..., ::2, ::2] = low
        bands.append(x - 2 * _filtered(spread[..., : x.shape[-2], : x.shape[-1]]))
        x = low
    return [*bands, x]


def _filtered(x: Tensor) -> Tensor:
    """Under the binomial window, reflected about its outer pixels: (b, 1, h, w) -> (b, 1, h, w)."""
    return windowed(F.pad(x, (2, 2, 2, 2), mode="reflect"), x.new_tensor(BINOMIAL))


def _information(x: Tensor, y: Tensor, parent: Tensor | None) -> Tensor:
    """Bits that both pictures share with what the eye sees: (b, 1, h, w) twice -> (b, 1, h - 2, w - 2).

    Section III: neighbourhoods of 3×3 coefficients and the parent's are a Gaussian scale mixture in the reference
    (eqs. 7 to 9), of which the distorted picture is a part g and noise of variance v (eq. 11); eq. 24.
    """
    b, _, h, w = x.shape
    third = x.new_full((3,), 1 / 3)
    mean_x, mean_y, xx, yy, xy = windowed(torch.stack([x, y, x * x, y * y, x * y]), third)
    variance_x, variance_y = (xx - mean_x * mean_x).clamp(min=0), (yy - mean_y * mean_y).clamp(min=0)
    covariance = xy - mean_x * mean_y
    flat_x, flat_y = variance_x < TINY, variance_y < TINY
    g = (covariance / (variance_x + TINY)).masked_fill(flat_x | flat_y, 0)
    v = torch.where(flat_x, variance_y, variance_y - covariance.square() / (variance_x + TINY)).masked_fill(flat_y, 0)

    rows = F.unfold(x, 3).mT  # (b, n, 9)
    if parent is not None:
        inner = _enlarged(parent)[..., 1 : h - 1, 1 : w - 1]
        rows = torch.cat([rows, inner.reshape(b, -1, 1)], 2)
    covariances = rows.mT @ rows / rows.shape[1]
    values, vectors = torch.linalg.eigh(covariances)
    positive = values.clamp(min=0)
    values = positive * values.sum(1, keepdim=True) / positive.sum(1, keepdim=True).clamp(min=TINY)
    inverse = torch.linalg.inv(vectors @ torch.diag_embed(values) @ vectors.mT)
    s = ((rows @ inverse) * rows).sum(2).view(b, 1, h - 2, w - 2) / rows.shape[2]
    found = torch.zeros_like(s)
    for value in values.unbind(1):
        power = s * value.view(-1, 1, 1, 1)
        found += torch.log2(1 + ((v + (1 + g * g) * NOISE) * power + NOISE * v) / NOISE**2)
    return found.masked_fill(found < TINY, 0)


def _enlarged(x: Tensor) -> Tensor:
    """Twice as large, linearly and with edges continued: (b, 1, h, w) -> (b, 1, 2 h, 2 w)."""
    h, w = x.shape[-2:]
    fine = F.interpolate(x, (4 * h - 3, 4 * w - 3), mode="bilinear", align_corners=False)
    fine = torch.cat([2 * fine[..., :1, :] - fine[..., 1:2, :], fine, 2 * fine[..., -1:, :] - fine[..., -2:-1, :]], -2)
    fine = torch.cat([2 * fine[..., :1] - fine[..., 1:2], fine, 2 * fine[..., -1:] - fine[..., -2:-1]], -1)
    return fine[..., ::2, ::2]
