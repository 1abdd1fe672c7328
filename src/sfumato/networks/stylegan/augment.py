"""The augmentations of StyleGAN2-ADA: what a discriminator sees of a picture, differentiable with respect to it.

Karras et al., Training Generative Adversarial Networks with Limited Data, 2020, appendix B, algorithm 1 and table 2.
https://arxiv.org/abs/2006.06676

Each function does one thing by given numbers: pictures (b, c, h, w) -> (b, c, h, w), of 1, 3 or 4 channels.
Lines of pixels go on beyond the border as if mirrored there. Filters, with that border, are products with small
constant matrices, which is exact, quick at these sides, and as quick in every derivative.
"""

from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor

SYM6 = (  # the low-pass filter of the wavelet, orthonormal to its shifts by two
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
    0.787641141030194, 0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578,
    0.0017677118642428036, -0.007800708325034148,
)  # fmt: skip
SYM2 = tuple((a + b * sqrt(3)) / (4 * sqrt(2)) for a, b in ((1, 1), (3, 1), (3, -1), (1, -1)))
MIDDLE = sum(k * a for k, a in enumerate(SYM6)) / sum(SYM6)  # where the filter puts what it is given
FIRST = int(MIDDLE)  # doubling spreads a pixel at i over 2 i - FIRST …
OFFSET = MIDDLE - FIRST  # so that its middle is at 2 i + OFFSET
POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # of a natural picture in each band of `filtered`, its expectation
Wavelet = tuple[Tensor, Tensor]  # of `wavelet_matrices`, for one side
MARGIN = 6  # pixels beyond the border at which `warped` still filters before it mirrors


def mirrored(at: Tensor, n: int) -> Tensor:
    """Coordinates beyond a line of n pixels, mirrored at its first and last one, as often as it takes."""
    period = 2 * (n - 1)
    at = at.remainder(period)
    return torch.where(at < n, at, period - at) if not at.is_floating_point() else (n - 1) - (at - (n - 1)).abs()


def blitted(image: Tensor, flip: Tensor, turns: Tensor, shift: Tensor) -> Tensor:
    """Mirrored where `flip`, turned left `turns` times by 90°, moved down and right by `shift` pixels.

    (b,) bool, (b,) int, (b, 2) int. Pixels are moved, never mixed. What is turned keeps its middle, to half a pixel,
    and the sides of the picture; what it leaves empty is mirrored.
    """
    h, w = image.shape[-2:]
    i, j = (torch.arange(n, device=image.device) - shift[:, k, None] for k, n in enumerate((h, w)))
    i, j = i[:, :, None].expand(-1, h, w), j[:, None].expand(-1, h, w)
    k, d = turns[:, None, None], (h - w) // 2  # how far the middle's row is from its column
    rows = torch.where(k == 0, i, torch.where(k == 1, j + d, torch.where(k == 2, h - 1 - i, h - 1 - d - j)))
    columns = torch.where(k == 0, j, torch.where(k == 1, w - 1 + d - i, torch.where(k == 2, w - 1 - j, i - d)))
    columns = torch.where(flip[:, None, None], w - 1 - columns, columns)
    return taken(image, mirrored(rows, h) * w + mirrored(columns, w))


def taken(image: Tensor, index: Tensor) -> Tensor:
    """Pixels by their number: (b, c, h, w), (b, ·, ·) -> (b, c, ·, ·)."""
    b, c = image.shape[:2]
    pixels = index.flatten(1)[:, None].expand(b, c, -1)
    return image.flatten(2).gather(2, pixels).unflatten(2, index.shape[1:])


def warped(image: Tensor, back: Tensor, down: Wavelet, across: Wavelet) -> Tensor:
    """A picture seen through an affine map: (b, c, h, w), (b, 2, 3) -> (b, c, h, w).

    `back` leads from where a pixel is to where it comes from: x right, y down, in pixels from the middle. The picture
    is doubled by the wavelet's filter (see `wavelet_matrices`), sampled between the four nearest pixels, and halved.
    """
    large = down[0] @ image @ across[0].T
    sides, middles = image.shape[-2:], [(n - 1) / 2 for n in image.shape[-2:]]
    rows, columns = (
        (torch.arange(halving.shape[1], device=image.device) - OFFSET - len(SYM6)) / 2 - middle
        for (_, halving), middle in zip((down, across), middles, strict=True)
    )
    x, y = (
        back[:, k, 0, None, None] * columns
        + back[:, k, 1, None, None] * rows[:, None]
        + back[:, k, 2, None, None]
        + middles[1 - k]
        for k in (0, 1)
    )
    y, x = (
        torch.where((t < -MARGIN) | (t > n - 1 + MARGIN), mirrored(t, n), t) for t, n in zip((y, x), sides, strict=True)
    )
    seen = sampled(large, *(2 * (t + MARGIN) + OFFSET for t in (y, x)))
    return down[1] @ seen @ across[1].T


def sampled(image: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Bilinear samples at pixels y, x: (b, c, h, w), (b, ·, ·) twice -> (b, c, ·, ·). They must be inside."""
    h, w = image.shape[-2:]
    top, left = y.floor().clamp(0, h - 2), x.floor().clamp(0, w - 2)
    corner, v, u = (top * w + left).long(), (y - top)[:, None], (x - left)[:, None]
    upper = torch.lerp(taken(image, corner), taken(image, corner + 1), u)
    return torch.lerp(upper, torch.lerp(taken(image, corner + w), taken(image, corner + w + 1), u), v)


def recoloured(image: Tensor, matrix: Tensor) -> Tensor:
    """An affine map of each pixel's red, green and blue: (b, 3, 4).

    Grey is a colour of equal parts, and stays grey. Transparency stays as it is.
    """
    if image.shape[1] == 1:
        gain, shift = matrix[:, :, :3].sum(2).mean(1), matrix[:, :, 3].mean(1)
        return image * gain[:, None, None, None] + shift[:, None, None, None]
    colour = torch.baddbmm(matrix[:, :, 3:], matrix[:, :, :3], image[:, :3].flatten(2)).unflatten(2, image.shape[2:])
    return torch.cat([colour, image[:, 3:]], 1)


def filtered(image: Tensor, gains: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Bands of frequencies, an octave each from low to high, times gains: (b, 4), and `band_matrices` of both sides."""
    rows, columns = (torch.einsum("bk,kij->bij", gains, bands)[:, None] for bands in (down, across))
    return rows @ image @ columns.mT


def cut(image: Tensor, centre: Tensor, on: Tensor) -> Tensor:
    """Zeros in a part of half the sides around `centre`, (b, 2) of y and x in [0, 1), where `on`: (b,) bool."""
    lines = [(torch.arange(n, device=image.device) + 0.5) / n for n in image.shape[-2:]]
    far = [((line - centre[:, k, None]).abs() >= 0.25) | ~on[:, None] for k, line in enumerate(lines)]
    return image * (far[0][:, None, :, None] | far[1][:, None, None, :])


def wavelet_matrices(n: int) -> tuple[Tensor, Tensor]:
    """What doubles n pixels and the margin beyond them, and what halves: (2 (n + 2 margin), n), (n, 2 n + 24).

    Their product is the identity where one stands on the other: the filter is orthonormal to its shifts by two.
    """
    taps, k = torch.tensor(SYM6, dtype=torch.float64), len(SYM6)
    pixels = torch.arange(-2 * MARGIN, n + 2 * MARGIN)
    at = 2 * (pixels[:, None] + MARGIN) + torch.arange(k) - FIRST
    doubling = _taps(at, pixels, taps, n, 2 * (n + 2 * MARGIN))
    own = torch.arange(n)
    halving = _taps(2 * own[:, None] + torch.arange(k) - FIRST + k, own, taps, n, 2 * n + 2 * k).T
    return doubling.float(), halving.float()


def band_matrices(n: int) -> Tensor:
    """Four filters that each pass an octave, from low to high, and sum to one: (4, n, n)."""
    taps = torch.tensor(SYM2, dtype=torch.float64)
    low = _product(taps, taps.flip(0)) / 2  # without phase: one at frequency zero, zero at the highest
    high = -low
    high[len(low) // 2] += 1
    filters, passed = [], torch.ones(1, dtype=torch.float64)
    for octave in range(3):
        filters.append(_product(passed, _spread(high, 2**octave)))
        passed = _product(passed, _spread(low, 2**octave))
    made = []
    for f in (passed, *reversed(filters)):
        reach = len(f) // 2
        beyond = torch.arange(-reach, n + reach)
        made.append(_taps(beyond[:, None] + torch.arange(len(f)) - reach, beyond, f, n, n))
    return torch.stack(made).float()


def _taps(at: Tensor, pixels: Tensor, taps: Tensor, n: int, count: int) -> Tensor:
    """A matrix (count, n) that adds each pixel times the taps at the places `at`, (pixels, taps), where they exist."""
    inside = (at >= 0) & (at < count)
    columns = mirrored(pixels, n)[:, None].expand_as(at)
    matrix = torch.zeros(count, n, dtype=torch.float64)
    return matrix.index_put_((at[inside], columns[inside]), taps.expand_as(at)[inside], accumulate=True)


def _spread(f: Tensor, by: int) -> Tensor:
    out = f.new_zeros((len(f) - 1) * by + 1)
    out[::by] = f
    return out


def _product(f: Tensor, g: Tensor) -> Tensor:
    """The convolution of two filters."""
    return F.conv1d(f[None, None], g.flip(0)[None, None], padding=len(g) - 1)[0, 0]
