"""What JPEG does to pictures, in torch: a quality for each, to within the rounding of a decoder's integers.

ITU-T T.81 (1992): the transform of annex A.3.3, the example tables of annex K.1; colours as in JFIF; the scaling of
tables by a quality and the interpolation of colour as in libjpeg, which Pillow uses.
"""

from math import cos, pi, sqrt

import torch
import torch.nn.functional as F
from torch import Tensor

LIGHT = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
COLOUR = (
    (17, 18, 24, 47, 99, 99, 99, 99), (18, 21, 26, 66, 99, 99, 99, 99), (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99), *[(99,) * 8] * 4,
)  # fmt: skip
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))
DCT = tuple(
    tuple((sqrt(0.125) if u == 0 else 0.5) * cos((2 * x + 1) * u * pi / 16) for x in range(8)) for u in range(8)
)


def jpeg(image: Tensor, quality: Tensor) -> Tensor:
    """Images as they come back from JPEG files: (b, 1 | 3, h, w) in [-1, 1], (b,) in 1 … 100 -> (b, 1 | 3, h, w).

    Colour has half the pixels in each direction (4:2:0), as Pillow writes it unless told otherwise.
    """
    h, w = image.shape[-2:]
    with torch.autocast(image.device.type, enabled=False):
        pixels = image.float().add(1).mul(127.5).round()
        if image.shape[1] == 1:
            return _bytes(_plane(pixels, tables(LIGHT, quality)))
        ycc = _turned(pixels, TO_YCC)
        y = _plane(ycc[:, :1], tables(LIGHT, quality))
        half = F.avg_pool2d(F.pad(ycc[:, 1:], [0, w % 2, 0, h % 2], mode="replicate"), 2)
        half = _plane((half + 128).round(), tables(COLOUR, quality)) - 128
        colour = F.interpolate(half, scale_factor=2, mode="bilinear")[..., :h, :w]
        return _bytes(_turned(torch.cat([y, colour], 1), TO_RGB))


def tables(base: tuple[tuple[int, ...], ...], quality: Tensor) -> Tensor:
    """How coarse each frequency becomes: a table and qualities (b,) in 1 … 100 -> (b, 8, 8) in 1 … 255."""
    q = quality.float().clamp(1, 100)
    percent = torch.where(q < 50, (5000 / q).floor(), 200 - 2 * q)[:, None, None]
    return ((torch.tensor(base, device=quality.device) * percent + 50) / 100).floor().clamp(1, 255)


def _plane(pixels: Tensor, table: Tensor) -> Tensor:
    """Pixels of [0, 255] after their 8 × 8 blocks were quantised: (b, c, h, w), (b, 8, 8) -> (b, c, h, w)."""
    h, w = pixels.shape[-2:]
    whole = F.pad(pixels, [0, -w % 8, 0, -h % 8], mode="replicate") - 128
    blocks = whole.unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).transpose(3, 4)  # (b, c, h / 8, w / 8, 8, 8)
    basis, steps = torch.tensor(DCT, device=pixels.device), table[:, None, None, None]
    rounded = (basis @ blocks @ basis.T / steps).round() * steps
    decoded = (basis.T @ rounded @ basis).transpose(3, 4).flatten(4, 5).flatten(2, 3)
    return (decoded + 128).round().clamp(0, 255)[..., :h, :w]


def _turned(pixels: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """Every pixel's colour times a matrix: (b, 3, h, w) -> (b, 3, h, w)."""
    return torch.einsum("ij,bjhw->bihw", torch.tensor(matrix, device=pixels.device), pixels)


def _bytes(pixels: Tensor) -> Tensor:
    return pixels.round().clamp(0, 255).div(127.5).sub(1)
