"""What is done to pictures around networks that enlarge them: bicubic bases, pairs, random squares, luma."""

from collections.abc import Callable

import torch
from torch import Tensor

from ...errors import UserError
from ...resample import imresize

LUMA = (65.481, 128.553, 24.966)  # of 255, from red, green and blue in [0, 1]: ITU-R BT.601, MATLAB's rgb2ycbcr


def enlarge(image: Tensor, scale: int) -> Tensor:
    """The bicubic enlargement, in float32 whatever the precision around it: -> (b, c, scale · h, scale · w)."""
    with torch.autocast(image.device.type, enabled=False):
        return imresize(image.float(), scale)


def shrink(image: Tensor, scale: int) -> Tensor:
    """The bicubic reduction of images in [-1, 1], rounded as bytes are: (b, c, h, w) -> (b, c, h / scale, w / scale).

    The sides must be multiples of the scale.
    """
    h, w = image.shape[-2:]
    with torch.autocast(image.device.type, enabled=False):
        small = imresize(image.float(), size=(h // scale, w // scale))
    return small.add(1).mul(127.5).round().clamp(0, 255).div(127.5).sub(1)


def trimmed(image: Tensor, multiple: int) -> Tensor:
    """Less the last rows and columns, so that `multiple` divides the sides."""
    h, w = (side // multiple * multiple for side in image.shape[-2:])
    return image[..., :h, :w]


def pair(image: Tensor, low: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """Both as they are: (b, c, scale · h, scale · w), (b, c, h, w). Raises UserError if `low` is of another scale."""
    if image.shape[-2:] != (scale * low.shape[-2], scale * low.shape[-1]):
        made = round(image.shape[-1] / low.shape[-1])
        raise UserError(
            f"this network enlarges {scale} times, and the pictures were made {made} times smaller; "
            f"give --view superres-x{scale} or --scale {made}"
        )
    return image, low


def patches(image: Tensor, low: Tensor, side: int, chance: Tensor, *, turn: bool = True) -> tuple[Tensor, Tensor]:
    """The same random square of both, turned and mirrored alike if `turn`: -> (b, c, side, side), (b, c, side / s, …).

    `low` is s ≥ 1 times smaller than `image`; `chance` (b, 3), uniform in [0, 1), decides. Smaller pictures give
    their largest squares.
    """
    scale = image.shape[-1] // low.shape[-1]
    n = min(side // scale, *low.shape[-2:])
    top = (chance[:, 0] * (low.shape[-2] - n + 1)).long()
    left = (chance[:, 1] * (low.shape[-1] - n + 1)).long()
    turns = (chance[:, 2] * 8).long() if turn else torch.zeros_like(top)
    return (
        turned(squares(image, top * scale, left * scale, n * scale), turns),
        turned(squares(low, top, left, n), turns),
    )


def squares(image: Tensor, top: Tensor, left: Tensor, side: int) -> Tensor:
    """A square of each image: (b, c, h, w), (b,), (b,) -> (b, c, side, side)."""
    at = torch.arange(side, device=image.device)
    b, c = (torch.arange(n, device=image.device) for n in image.shape[:2])
    rows, columns = top[:, None] + at, left[:, None] + at
    return image[b[:, None, None, None], c[:, None, None], rows[:, None, :, None], columns[:, None, None, :]]


def turned(image: Tensor, turns: Tensor) -> Tensor:
    """Square images in one of eight positions each: mirrored, upended and transposed as three bits say."""
    moves: list[Callable[[Tensor], Tensor]] = [lambda x: x.flip(-1), lambda x: x.flip(-2), lambda x: x.mT]
    for bit, move in enumerate(moves):
        image = torch.where((turns >> bit & 1).bool()[:, None, None, None], move(image), image)
    return image


def self_ensemble(network: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """The mean of what a network makes of the eight positions of an image. Lim et al., 2017, section 3.4."""
    total = torch.zeros(())
    for sides in ([], [-1], [-2], [-1, -2]):
        x = image.flip(sides)
        total = total.to(image) + (network(x) + network(x.mT).mT).flip(sides)
    return total / 8


def luma(image: Tensor) -> Tensor:
    """Y of images in [-1, 1]: (b, 1 | 3, h, w) -> (b, 1, h, w) in [16 / 255, 235 / 255], float32."""
    weights = torch.tensor(LUMA, device=image.device).view(1, 3, 1, 1) / 255
    return 16 / 255 + ((image.float() + 1) / 2 * weights).sum(1, keepdim=True)


def with_luma(image: Tensor, y: Tensor) -> Tensor:
    """Images with another Y and their own chroma: (b, 1 | 3, h, w) in [-1, 1], (b, 1, h, w) -> (b, 1 | 3, h, w).

    Y enters red, green and blue with the same weight, so that the difference is added to each.
    """
    return image + 2 * 255 / sum(LUMA) * (y.float() - luma(image))
