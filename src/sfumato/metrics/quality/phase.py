"""Phase congruency: how far the waves of a picture agree at a place, whatever their strength.

Kovesi 1999, "Image features from phase congruency", Videre 1(3), as FSIM uses it: four scales, four orientations.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

SCALES, ORIENTATIONS = 4, 4
SHORTEST, FACTOR = 6, 2  # pixels of the shortest wave, and ratio of one scale's to the last's
WIDTH = 0.55  # of a log-Gabor filter, as a ratio to its frequency
ANGLE = math.pi / ORIENTATIONS / 1.2  # standard deviation of a filter's angle
DEVIATIONS = 2.0  # how far above the mean of noise an energy has to be
EXCESS = 1.7  # by which the noise is overestimated, found by Kovesi
SMALL = 1e-4


def phase_congruency(x: Tensor) -> Tensor:
    """Phase congruency of one plane in [0, 255]: (b, 1, h, w) -> (b, 1, h, w) in [0, 1]."""
    filters, noise = (v.to(x) for v in _bank(*x.shape[-2:]))
    seen = torch.fft.ifft2(torch.fft.fft2(x)[:, None] * filters)  # (b, orientations, scales, h, w), complex
    amplitude = seen.abs()
    total = seen.sum(2, keepdim=True)
    direction = total / (total.abs() + SMALL)  # the weighted mean phase
    turned = seen * direction.conj()
    energy = (turned.real - turned.imag.abs()).sum(2)
    threshold = noise * _median(amplitude[:, :, 0].flatten(2))
    energy = (energy - threshold[..., None, None]).clamp(min=0)
    return (energy.sum(1) / amplitude.sum((1, 2)).clamp(min=torch.finfo(x.dtype).tiny))[:, None]


def _median(x: Tensor) -> Tensor:
    """The root of the median of squares; of an even number, the mean of the middle two: (b, o, n) -> (b, o)."""
    squares, n = x.square(), x.shape[-1]
    low = squares.kthvalue((n + 1) // 2).values
    high = low if n % 2 else squares.kthvalue(n // 2 + 1).values
    return ((low + high) / 2).sqrt()


@lru_cache(maxsize=4)
def _bank(h: int, w: int) -> tuple[Tensor, Tensor]:
    """The filters, and by what the median response to the shortest waves tells how much energy noise alone would have.

    (orientations, scales, h, w), (orientations,), float64. Squared responses to Gaussian noise are exponential, whose
    median is their mean times log 2; the energy over the scales is Rayleigh.
    """
    filters = _filters(h, w)
    waves = torch.fft.ifft2(filters).real * math.sqrt(h * w)
    products = torch.einsum("oshw,othw->ost", waves, waves)
    energy = 2 * products.sum((1, 2))  # each scale with itself, and each pair twice
    power = 1 / (math.log(2) * filters[:, 0].square().sum((1, 2)))
    scale = (energy * power / 2).sqrt()
    return filters, scale * (math.sqrt(math.pi / 2) + DEVIATIONS * math.sqrt(2 - math.pi / 2)) / EXCESS


def _filters(h: int, w: int) -> Tensor:
    """Log-Gabor filters, the frequency zero first: (orientations, scales, h, w) float64."""
    y, x = torch.meshgrid(frequencies(h), frequencies(w), indexing="ij")
    radius = (x.square() + y.square()).sqrt()
    angle = torch.atan2(-y, x)
    below = 1 / (1 + (radius / 0.45) ** 30)  # keeps the corners out
    radius[0, 0] = 1
    waves = [SHORTEST * FACTOR**s for s in range(SCALES)]
    rings = torch.stack([(-(radius * n).log().square() / (2 * math.log(WIDTH) ** 2)).exp() * below for n in waves])
    rings[:, 0, 0] = 0
    wedges = []
    for i in range(ORIENTATIONS):
        away = angle - i * math.pi / ORIENTATIONS
        away = torch.atan2(away.sin(), away.cos())
        wedges.append((-away.square() / (2 * ANGLE**2)).exp())
    return torch.stack(wedges)[:, None] * rings


def frequencies(n: int) -> Tensor:
    """Cycles a pixel, zero first: (n,) float64. An odd n reaches 1/2 too, as in Kovesi's code."""
    steps = torch.arange(n, dtype=torch.float64) - n // 2
    return torch.fft.ifftshift(steps / (n if n % 2 == 0 else n - 1))
