"""What networks that see frame after frame are made of: warping by motion, rectified history, accumulated samples.

A frame rendered small, `low` (b, c, h, w), has one sample a pixel, which lies `jitter` (b, 2) pixels right and down of
its centre. Enlarged `scale` times it is (b, c, H, W), as is what is left of the frames before it, their history.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import UserError
from .blocks import conv, normal

MOST = 32.0  # samples that the history of a pixel counts as, at most: it forgets what was 32 samples ago
LEAST = 1e-3  # samples that an interpolated value counts as
NEARER, SLACK = 1.1, 0.01  # inverse depths that differ by less than this factor and sum are those of one surface


@dataclass(frozen=True)
class History:
    """What is carried from frame to frame."""

    image: Tensor  # (b, c, H, W)
    count: Tensor  # (b, 1, H, W): how many samples it is the mean of
    depth: Tensor  # (b, 1, h, w) in [-1, 1]: inverse, 1 = near, −1 = infinitely far away

    def detached(self) -> "History":
        """The same without its past: gradients end here."""
        return History(self.image.detach(), self.count.detach(), self.depth.detach())


def sampled(image: Tensor, x: Tensor, y: Tensor, mode: str = "cubic") -> Tensor:
    """Values of a map at places in pixels, 0 = the centre of the first: (b, c, h, w), (b, H, W) twice -> (b, c, H, W).

    Beyond its sides a map goes on as it ends. `mode` is cubic, bilinear or nearest. PyTorch's cubic kernel has
    a = −3/4 and bends even straight slopes, which history, sampled anew in each frame, does not survive; a = −1/2
    (Catmull & Rom) keeps them. Kernels are linear in a, and that of a = 0 is bilinear between places that are smoothed:
    two thirds of the one and a third of the other are Catmull and Rom's, exactly so along rows and columns.
    """
    if mode != "cubic":
        return _sampled(image, x, y, mode)
    left, top = x.floor(), y.floor()
    s, t = x - left, y - top
    smooth = _sampled(image, left + s * s * (3 - 2 * s), top + t * t * (3 - 2 * t), "bilinear")
    return torch.lerp(smooth, _sampled(image, x, y, "bicubic"), 2 / 3)


def _sampled(image: Tensor, x: Tensor, y: Tensor, mode: str) -> Tensor:
    h, w = image.shape[-2:]
    place = torch.stack([(2 * x + 1) / w - 1, (2 * y + 1) / h - 1], dim=-1)
    with torch.autocast(image.device.type, enabled=False):
        return F.grid_sample(image.float(), place.float(), mode=mode, padding_mode="border", align_corners=False)


def warp(image: Tensor, back: Tensor, mode: str = "cubic") -> Tensor:
    """A map of the frame before, moved to where it is now: (b, c, h, w), (b, 2, h, w) -> (b, c, h, w).

    `back` leads from each pixel to where what is seen there was, pixels right and down.
    """
    x, y = _axes(back)
    return sampled(image, x + back[:, 0], y + back[:, 1], mode)


def _axes(like: Tensor) -> tuple[Tensor, Tensor]:
    """Columns (1, 1, w) and rows (1, h, 1) of a map (b, c, h, w)."""
    h, w = like.shape[-2:]
    return torch.arange(w, device=like.device)[None, None], torch.arange(h, device=like.device)[None, :, None]


def enlarged(low: Tensor, jitter: Tensor, scale: int) -> Tensor:
    """The cubic interpolation between samples where they lie: (b, c, h, w), (b, 2) -> (b, c, H, W)."""
    h, w = (scale * side for side in low.shape[-2:])
    columns, rows = ((torch.arange(n, device=low.device) + 0.5) / scale - 0.5 for n in (w, h))
    x = columns[None, None] - jitter[:, 0, None, None]
    y = rows[None, :, None] - jitter[:, 1, None, None]
    return sampled(low, x.expand(-1, h, -1), y.expand(-1, -1, w))


def landed(jitter: Tensor, scale: int, h: int, w: int) -> Tensor:
    """1 in the pixels of an enlarged frame that a sample of the small one lies in, else 0: (b, 2) -> (b, 1, H, W)."""
    column, row = ((jitter + 0.5) * scale).long().clamp(0, scale - 1).unbind(1)
    place = F.one_hot(row * scale + column, scale**2).to(jitter.dtype)
    return F.pixel_shuffle(place[:, :, None, None].expand(-1, -1, h, w), scale)


def foremost(back: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
    """Motion and depth of what is nearest among a pixel and its eight neighbours: (b, 2, h, w), (b, 1, h, w) -> both.

    So the edge of a thing moves with the thing. Karis, High-Quality Temporal Supersampling, SIGGRAPH courses 2014.
    """
    near, at = F.max_pool2d(depth, 3, 1, 1, return_indices=True)
    return back.flatten(2).gather(2, at.flatten(2).expand(-1, 2, -1)).view_as(back), near


def appeared(depth: Tensor, back: Tensor, before: Tensor) -> Tensor:
    """Whether what is seen was out of the picture in the frame before, or behind something: -> bool (b, 1, h, w).

    `depth` and `before` (b, 1, h, w) are inverse, −1 = infinitely far away, now and in the frame before. Something
    hid it if all nine pixels around the place that `back` leads to were nearer.
    """
    x, y = _axes(back)
    x, y = x + back[:, 0], y + back[:, 1]
    h, w = back.shape[-2:]
    outside = (x < -0.5) | (y < -0.5) | (x > w - 0.5) | (y > h - 0.5)
    farthest = sampled(-F.max_pool2d(-before, 3, 1, 1), x, y, "nearest")
    return outside[:, None] | (farthest + 1 > NEARER * (depth + 1) + SLACK)


def rectified(history: Tensor, low: Tensor, scale: int) -> Tensor:
    """History clamped to what the samples around say it may be: (b, c, H, W), (b, c, h, w) -> (b, c, H, W).

    The range is that of the nearest pixel of `low` and its eight neighbours, for each channel.
    """
    least, most = -F.max_pool2d(-low, 3, 1, 1), F.max_pool2d(low, 3, 1, 1)
    least, most = (F.interpolate(bound, scale_factor=scale) for bound in (least, most))
    return torch.minimum(torch.maximum(history, least), most)


def accumulated(
    history: Tensor, count: Tensor, fresh: Tensor, landed: Tensor, doubt: Tensor | float = 0.0
) -> tuple[Tensor, Tensor]:
    """The mean of all samples of each pixel, the new ones among them, and their number: -> (b, c, H, W), (b, 1, H, W).

    history (b, c, H, W) is the mean of `count` (b, 1, H, W) samples, fresh (b, c, H, W) a new sample where `landed`
    (b, 1, H, W) is 1, and interpolated where it is 0. A sample of history counts exp(−doubt) times as much as a new
    one; where there are none, `fresh` is taken as it is.
    """
    weight = landed + LEAST
    kept = count * torch.exp(-torch.as_tensor(doubt))
    return torch.lerp(history, fresh, weight / (weight + kept)), (weight + kept).clamp(max=MOST)


def matched(clip: Tensor, low: Tensor, scale: int) -> None:
    """Raise UserError if frames (b, t, c, h, w) are not `scale` times larger than `low`."""
    made = round(clip.shape[-1] / low.shape[-1])
    if made != scale:
        raise UserError(
            f"this network enlarges {scale} times, and the frames were rendered {made} times smaller; "
            f"give --view rendered-x{scale} or --scale {made}"
        )


class Autoencoder(nn.Module):
    """Ten convolutions at three sizes with skips between them: (b, n, h, w) -> (b, m, h, w), zero at first.

    The shape of the reconstruction network of Xiao et al., 2020, a U-Net (https://arxiv.org/abs/1505.04597). What comes
    out is a tenth of what the last layer says, so that the first steps, which Adam makes large, spoil little of what is
    good without it; and negative values pass a little, as those same steps would silence rectifiers for good.
    """

    def __init__(self, n: int, m: int, ch: int) -> None:
        super().__init__()
        self.first, self.second, self.third = _pair(n, ch), _pair(ch, 2 * ch), _pair(2 * ch, 4 * ch)
        self.fourth, self.fifth = _pair(6 * ch, 2 * ch), _pair(3 * ch, ch)[:2]
        self.last = conv(ch, m)
        normal(self)
        nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        whole = self.first(x)
        half = self.second(F.max_pool2d(whole, 2, ceil_mode=True))
        quarter = self.third(F.max_pool2d(half, 2, ceil_mode=True))
        half = self.fourth(_beside(quarter, half))
        return 0.1 * self.last(self.fifth(_beside(half, whole)))


def _pair(n: int, m: int) -> nn.Sequential:
    return nn.Sequential(conv(n, m), nn.LeakyReLU(0.1), conv(m, m), nn.LeakyReLU(0.1))


def _beside(small: Tensor, skip: Tensor) -> Tensor:
    """A map enlarged to the size of another, and both together."""
    return torch.cat([F.interpolate(small, size=skip.shape[-2:]), skip], 1)
