"""Similarity of saliency, gradient and colour.

Zhang, Shen and Li 2014, "VSI: a visual saliency-induced index for perceptual image quality assessment", IEEE
Transactions on Image Processing 23(10). Saliency: Zhang, Gu and Li 2013, "SDSP: a novel saliency detection method by
combining simple priors".
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from ...resample import imresize
from .fsim import real_power, scharr
from .pixels import scaled, similarity, thinned, viewing_factor, weighted

LMN = ((0.06, 0.63, 0.27), (0.30, 0.04, -0.35), (0.34, -0.60, 0.17))
SALIENCY, GRADIENT, CHROMA = 1.27, 386.0, 130.0  # the constants C1, C2, C3
ALPHA, BETA = 0.40, 0.02  # exponents of gradient and colour
FREQUENCY, BANDWIDTH, CENTRE, WARMTH = 0.021, 1.34, 145.0, 0.001  # ω0, σF, σD, σC of SDSP as VSI sets them
SIDE = 256  # at which saliency is found
XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
WHITE = (0.9642, 1.0, 0.8251)  # D50


def vsi(reference: Tensor, image: Tensor, *, aligned: bool = False) -> Tensor:
    """Saliency-induced similarity (eqs. 4 to 9), a grey picture taken as colour: (b, 1 | 3, h, w) in [-1, 1] -> (b,).

    Saliency is found at 256×256. To and from there the authors' code uses MATLAB's `imresize`; `aligned` lets corner
    pixels fall on corner pixels instead, which gives the check value that circulates, 1e-4 away.
    """
    x, y = (scaled(v.expand(-1, 3, -1, -1)) for v in (reference, image))
    factor = viewing_factor(x)
    salient_x, salient_y = (thinned(saliency(v, aligned), factor, None) for v in (x, y))
    x, y = thinned(x, factor, None), thinned(y, factor, None)
    (light_x, *colour_x), (light_y, *colour_y) = ([weighted(v, k) for k in LMN] for v in (x, y))
    gradients = similarity(scharr(light_x), scharr(light_y), GRADIENT)
    alike = [similarity(a, b, CHROMA) for a, b in zip(colour_x, colour_y, strict=True)]
    weight = torch.maximum(salient_x, salient_y)
    found = similarity(salient_x, salient_y, SALIENCY) * gradients**ALPHA * real_power(alike[0] * alike[1], BETA)
    return (found * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3))


def saliency(x: Tensor, aligned: bool = False) -> Tensor:
    """Where eyes go, in [0, 1]: (b, 3, h, w) in [0, 255] -> (b, 1, h, w).

    What passes a band in L*a*b*, lies near the centre and is of a warm colour. `aligned` as for `vsi`.
    """
    lab = _lab(_resized(x, (SIDE, SIDE), aligned) / 255)
    waves = torch.fft.ifft2(torch.fft.fft2(lab) * _log_gabor().to(lab)).real
    strength = waves.square().sum(1, keepdim=True).sqrt()
    place = torch.arange(1, SIDE + 1).to(lab) - SIDE / 2
    centred = (-(place[:, None].square() + place.square()) / CENTRE**2).exp()
    warm = _stretched(lab[:, 1:]).square().sum(1, keepdim=True)
    found = strength * centred * (1 - (-warm / WARMTH**2).exp())
    return _stretched(_resized(found, (x.shape[-2], x.shape[-1]), aligned))


def _resized(x: Tensor, size: tuple[int, int], aligned: bool) -> Tensor:
    if aligned:
        return F.interpolate(x, size, mode="bilinear", align_corners=True)
    return imresize(x, size=size, kernel="bilinear")


def _stretched(x: Tensor) -> Tensor:
    """Each plane from its least value to its greatest as 0 to 1; a constant one is 0."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return (x - low) / (high - low).clamp(min=torch.finfo(x.dtype).eps)


def _lab(x: Tensor) -> Tensor:
    """CIE L*a*b* of sRGB in [0, 1] with white D50: (b, 3, h, w) -> (b, 3, h, w)."""
    x = torch.where(x <= 0.04045, x / 12.92, ((x.clamp(min=0) + 0.055) / 1.055) ** 2.4)
    xyz = torch.cat([weighted(x, k) / white for k, white in zip(XYZ, WHITE, strict=True)], 1)
    root = torch.where(xyz > 0.008856, xyz.clamp(min=0) ** (1 / 3), (903.3 * xyz + 16) / 116)
    fx, fy, fz = root.split(1, 1)
    return torch.cat([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], 1)


def _log_gabor() -> Tensor:
    """The band-pass filter, the frequency zero first: (256, 256) float64."""
    steps = torch.fft.fftfreq(SIDE, dtype=torch.float64)
    radius = (steps[:, None].square() + steps.square()).sqrt()
    band = (-(radius / FREQUENCY).log().square() / (2 * BANDWIDTH**2)).exp()
    return torch.where((radius > 0) & (radius <= 0.5), band, 0.0)
