"""What makes up a texture, without a network: statistics of a pyramid of oriented waves.

Portilla & Simoncelli, A Parametric Texture Model Based on Joint Statistics of Complex Wavelet Coefficients, IJCV 2000.
https://doi.org/10.1023/A:1026553619983
The pyramid is that of section 2.1 and figure 1, the statistics those of section 2.5.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import factorial, pi, sqrt

import torch
from torch import Tensor

from ..errors import UserError


@dataclass(frozen=True)
class Pyramid:
    """Images (b, h, w) in parts by scale and orientation; scale n has the sides h / 2ⁿ, w / 2ⁿ."""

    high: Tensor  # (b, h, w), finer than all waves
    waves: list[Tensor]  # scale n: (b, k, …) complex; the real parts are the symmetric waves
    lows: list[Tensor]  # scale n: (b, …), what this scale and all coarser ones hold together; the last is what remains


def pyramid(image: Tensor, scales: int = 4, orientations: int = 4) -> Pyramid:
    """Take images apart: (b, h, w) with sides that are multiples of 2^scales, into 2 orientations or more.

    Raises UserError for other sides.
    """
    if any(n % 2**scales for n in image.shape[-2:]):
        h, w = image.shape[-2:]
        raise UserError(f"{scales} scales need sides that are multiples of {2**scales}, not {h}×{w} pixels")
    spectrum = torch.fft.fft2(image)
    low, high = (x.to(image) for x in _split(*image.shape[-2:], 1.0))
    rest, waves, lows = spectrum * low, [], []
    for _ in range(scales):
        lows.append(torch.fft.ifft2(rest).real)
        low, band = (x.to(image) for x in _split(*rest.shape[-2:], 2.0))
        fans = _fans(*rest.shape[-2:], orientations).to(spectrum)
        waves.append(torch.fft.ifft2(rest[:, None] * band * fans))
        rest = _halved(rest * low)
    return Pyramid(torch.fft.ifft2(spectrum * high).real, waves, [*lows, torch.fft.ifft2(rest).real])


def assembled(parts: Pyramid) -> Tensor:
    """The images that a pyramid is of: -> (b, h, w)."""
    rest = torch.fft.fft2(parts.lows[-1])
    for wave in reversed(parts.waves):
        h, w = wave.shape[-2:]
        low, band = (x.to(wave.real) for x in _split(h, w, 2.0))
        fans = _fans(h, w, wave.shape[1]).to(wave)
        fans = (fans + _turned(fans).conj()) / 2  # of the real parts
        rest = _doubled(rest) * low + (torch.fft.fft2(wave.real) * fans.conj() * band).sum(1)
    low, high = (x.to(parts.high) for x in _split(*parts.high.shape[-2:], 1.0))
    return torch.fft.ifft2(rest * low + torch.fft.fft2(parts.high) * high).real


def statistics(image: Tensor, scales: int = 4, orientations: int = 4, reach: int = 7) -> dict[str, Tensor]:
    """All groups of section 2.5 of images (b, h, w), each (b, number), none with a unit but mean and range.

    Variances and kurtoses are given as logarithms, correlations over the root of their pictures' own variances. `reach`
    is the side of the square of shifts that autocorrelations are taken over, pixels.
    """
    parts = pyramid(image, scales, orientations)
    sizes = [w.abs() for w in parts.waves]
    sizes = [s - s.mean((2, 3), keepdim=True) for s in sizes]
    found = {
        "range": torch.stack([image.mean((1, 2)), image.amin((1, 2)), image.amax((1, 2))], 1),
        "marginals": torch.cat([_shape(image), *[_shape(x) for x in parts.lows], _log(parts.high)[:, None]], 1),
        "mean magnitudes": torch.cat([_log(w) for w in parts.waves], 1),
        "autocorrelation": torch.cat([_autocorrelation(x[:, None], reach).flatten(1) for x in parts.lows], 1),
        "magnitudes alike": torch.cat([_autocorrelation(s, reach).flatten(1) for s in sizes], 1),
        "orientations": torch.cat([_upper(_correlation(s, s)) for s in sizes], 1),
    }
    if scales > 1:
        coarser = [_larger(w) for w in parts.waves[1:]]
        means = [c.abs() - c.abs().mean((2, 3), keepdim=True) for c in coarser]
        found["scales"] = torch.cat([_correlation(a, b).flatten(1) for a, b in zip(sizes, means, strict=False)], 1)
        doubled = [c * c / c.abs().clamp(min=1e-8) for c in coarser]
        pairs = [torch.cat([d.real, d.imag], 1) for d in doubled]
        found["phases"] = torch.cat(
            [_correlation(w.real, p).flatten(1) for w, p in zip(parts.waves, pairs, strict=False)], 1
        )
    return found


def mismatch(found: dict[str, Tensor], target: dict[str, Tensor]) -> Tensor:
    """The sum of squared differences of all statistics: -> (b,)."""
    return torch.stack([(found[k] - target[k]).square().sum(1) for k in target]).sum(0)


def _shape(x: Tensor) -> Tensor:
    """Logarithms of variance and kurtosis, and between them the skewness over the kurtosis' root: (b, h, w) -> (b, 3).

    So no heavy tail outweighs all else. |skewness|² is less than the kurtosis.
    """
    rows = x.flatten(1) - x.flatten(1).mean(1, keepdim=True)
    std = (rows.square().mean(1, keepdim=True) + 1e-8).sqrt()
    skewness, kurtosis = ((rows / std).pow(k).mean(1, keepdim=True) for k in (3, 4))
    return torch.cat([2 * std.log(), skewness / (kurtosis + 1e-4).sqrt(), (kurtosis + 1e-4).log()], 1)


def _log(x: Tensor) -> Tensor:
    """Logarithm of the mean square over places: (…, h, w) -> (…)."""
    return (x.abs().square().mean((-2, -1)) + 1e-8).log()


def _autocorrelation(x: Tensor, reach: int) -> Tensor:
    """Correlation with itself shifted by up to (reach - 1) / 2 pixels, half of it, by symmetry: (b, k, h, w) -> …"""
    half = min(reach // 2, (min(x.shape[-2:]) - 1) // 2)
    spectrum = torch.fft.fft2(x - x.mean((-2, -1), keepdim=True))
    whole = torch.fft.ifft2(spectrum.abs().square()).real / x[0, 0].numel()
    square = whole.roll((half, half), (-2, -1))[..., : 2 * half + 1, : 2 * half + 1].flatten(-2)
    middle = square.shape[-1] // 2
    return square[..., :middle] / (square[..., middle : middle + 1] + 1e-8)


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    """Of every band of one with every band of the other: (b, k, h, w), (b, l, h, w) -> (b, k, l)."""
    a, b = ((x - x.mean((2, 3), keepdim=True)).flatten(2) for x in (a, b))
    a, b = (x / (x.square().sum(2, keepdim=True) + 1e-8).sqrt() for x in (a, b))
    return a @ b.mT


def _upper(square: Tensor) -> Tensor:
    """Above the diagonal: (b, k, k) -> (b, k (k - 1) / 2)."""
    k = square.shape[1]
    row, column = torch.triu_indices(k, k, 1)
    return square[:, row, column]


def _larger(x: Tensor) -> Tensor:
    """Twice as high and wide, by zeros in the spectrum: (…, h, w) -> (…, 2h, 2w)."""
    return torch.fft.ifft2(_doubled(torch.fft.fft2(x)))


def _halved(spectrum: Tensor) -> Tensor:
    """The lower half of the frequencies, for images half as high and wide."""
    h, w = spectrum.shape[-2:]
    middle = torch.fft.fftshift(spectrum, (-2, -1))[..., h // 4 : h - h // 4, w // 4 : w - w // 4]
    return torch.fft.ifftshift(middle, (-2, -1)) / 4


def _doubled(spectrum: Tensor) -> Tensor:
    """Zeros around the frequencies, for images twice as high and wide."""
    h, w = spectrum.shape[-2:]
    wide = torch.nn.functional.pad(torch.fft.fftshift(spectrum, (-2, -1)), (w // 2, w // 2, h // 2, h // 2))
    return torch.fft.ifftshift(wide, (-2, -1)) * 4


def _turned(spectrum: Tensor) -> Tensor:
    """At the opposite frequencies."""
    return spectrum.flip((-2, -1)).roll((1, 1), (-2, -1))


@lru_cache(maxsize=32)
def _polar(h: int, w: int) -> tuple[Tensor, Tensor]:
    """Radius, radians a pixel, and angle of each frequency: (h, w) twice."""
    y, x = (2 * pi * torch.fft.fftfreq(n, dtype=torch.float64) for n in (h, w))
    return torch.hypot(y[:, None], x[None]), torch.atan2(y[:, None], x[None])


@lru_cache(maxsize=32)
def _split(h: int, w: int, octave: float) -> tuple[Tensor, Tensor]:
    """Windows L and H of low and high frequencies, L² + H² = 1, that change between π/2 and π, over `octave`."""
    turn = (_polar(h, w)[0].clamp(min=1e-9) * octave / pi).log2().clamp(-1, 0) * pi / 2
    return (-turn).sin(), turn.cos()


@lru_cache(maxsize=32)
def _fans(h: int, w: int, orientations: int) -> Tensor:
    """Windows of orientations over the half plane of their angle: (k, h, w), complex, so that waves are symmetric."""
    k = orientations
    angles = _polar(h, w)[1][None] - pi * torch.arange(k, dtype=torch.float64)[:, None, None] / k
    near = angles.cos().clamp(min=0) ** (k - 1)
    alpha = 2 ** (k - 1) * factorial(k - 1) / sqrt(k * factorial(2 * (k - 1)))
    return 2 * alpha * near * 1j ** (k - 1)
