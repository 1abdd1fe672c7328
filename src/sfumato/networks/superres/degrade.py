"""How pictures lose quality: blur, fewer pixels, noise. Each picture of a batch in its own way, in float32.

Kernels and noise come from pools. Ji et al., CVPRW 2020, "Kernel Estimation and Downsampling", "Noise Injection".
"""

from math import ceil, pi
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import UserError
from ..pretrained.base import grey
from ..pretrained.weights import read
from .kernels import before, bicubic_kernel, centred, fitted, gaussian_kernel

NARROWEST = 0.15  # standard deviation of a default kernel, pixels of the picture made smaller: hardly a blur


def shrink_each(image: Tensor, kernels: Tensor, scale: int) -> Tensor:
    """Images made smaller, each by a kernel of its own as `kernels.shrink_by` applies it.

    (b, c, h, w), (b, k, k) -> (b, c, ⌈h / scale⌉, ⌈w / scale⌉), the last pixels repeated outside.
    """
    (b, c, h, w), side = image.shape, kernels.shape[-1]
    first = before(side, scale)
    right, low = (scale * (ceil(n / scale) - 1) + side - first - n for n in (w, h))
    with torch.autocast(image.device.type, enabled=False):
        planes = F.pad(image.float(), (first, right, first, low), mode="replicate").flatten(0, 1)[None]
        weights = kernels.float().repeat_interleave(c, 0)[:, None]
        return F.conv2d(planes, weights, stride=scale, groups=b * c)[0].unflatten(0, (b, c))


def coarse(image: Tensor, scale: int) -> Tensor:
    """Images made smaller and brought back to their size, both bilinear: (b, c, h, w) -> (b, c, h, w)."""
    h, w = image.shape[-2:]
    with torch.autocast(image.device.type, enabled=False):
        small = F.interpolate(image.float(), (ceil(h / scale), ceil(w / scale)), mode="bilinear", antialias=True)
        return F.interpolate(small, (h, w), mode="bilinear")


def colourless(image: Tensor) -> Tensor:
    """Images without colour in as many channels: (b, c, h, w) -> (b, c, h, w)."""
    return grey(image).expand_as(image)


def default_kernels(m: int, scale: int, widest: float) -> Tensor:
    """A pool for cameras that nobody has measured: (m, 10 · scale, 10 · scale).

    The first is bicubic, as are all if `widest` is 0. The others are Gaussians at any angle, whose two standard
    deviations are uniform between 0.15 and `widest` pixels of the picture made smaller.
    """
    side = 10 * scale
    bicubic = fitted(bicubic_kernel(scale), side, scale)
    if not widest:
        return bicubic.repeat(m, 1, 1)
    widths, angles = scale * (NARROWEST + (widest - NARROWEST) * torch.rand(m - 1, 2)), pi * torch.rand(m - 1)
    bells = [
        gaussian_kernel(side, (u, v), angle, scale)
        for (u, v), angle in zip(widths.square().tolist(), angles.tolist(), strict=True)
    ]
    return torch.stack([bicubic, *bells])


def default_noise(m: int, channels: int, side: int, strongest: float) -> Tensor:
    """A pool of noise for cameras that nobody has measured: (m, channels, side, side), of images in [-1, 1], mean 0.

    Normal, with standard deviations that are uniform between 0 and `strongest`, of pixels in [0, 255]. In one patch of
    two it is averaged over 2 × 2 pixels, as a camera that interpolates its colours does.
    """
    noise = torch.randn(m, channels, side, side)
    noise[::2] += noise[::2].roll(1, -1)
    noise[::2] += noise[::2].roll(1, -2)
    noise = noise - noise.mean((2, 3), keepdim=True)
    return strongest / 127.5 * torch.rand(m, 1, 1, 1) * noise / noise.std((1, 2, 3), keepdim=True)


def smooth_patches(image: Tensor, side: int, variance: float, mean: float = 0.0) -> Tensor:
    """What patches without structure are beside their mean colour: (b, c, h, w) -> (n, c, side, side).

    Patches lie side by side. Those count whose grey varies by less than `variance` and is lighter than `mean`, both of
    pixels in [0, 255]: what varies there is noise. The bound of the mean is that of the authors' code.
    """
    found = tiles(image, side)
    seen = (grey(found) + 1).flatten(1) * 127.5
    light = seen.mean(1, keepdim=True)
    found = found[((seen - light).square().mean(1) < variance) & (light[:, 0] > mean)]
    return found - found.mean((2, 3), keepdim=True)


def tiles(image: Tensor, side: int) -> Tensor:
    """Squares side by side, what is left over at right and below ignored: (b, c, h, w) -> (n, c, side, side)."""
    if min(image.shape[2:]) < side:
        return image.new_empty(0, image.shape[1], side, side)
    return image.unfold(2, side, side).unfold(3, side, side).permute(0, 2, 3, 1, 4, 5).flatten(0, 2)


def injected(image: Tensor, noise: Tensor, chance: Tensor) -> Tensor:
    """Images with noise added, not clipped: (b, c, h, w), (b, c, n, n) -> (b, c, h, w).

    `chance` (b, 2), uniform in [0, 1), says where a patch is cut; one that is too small is repeated. What is cut has a
    mean of zero then.
    """
    n, lines = noise.shape[-1], []
    for axis, side in enumerate(image.shape[-2:]):
        first = (chance[:, axis] * (n - side + 1 if side <= n else n)).long()
        lines.append((first[:, None] + torch.arange(side, device=image.device)) % n)
    b, c = (torch.arange(k, device=image.device) for k in image.shape[:2])
    down, along = lines[0][:, None, :, None], lines[1][:, None, None, :]
    patch = noise[b[:, None, None, None], c[:, None, None], down, along]
    return image + patch - patch.mean((2, 3), keepdim=True)


def as_bytes(image: Tensor) -> Tensor:
    """Images as a file of bytes would hold them, in [-1, 1]."""
    return image.add(1).mul(127.5).round().clamp(0, 255).div(127.5).sub(1)


def read_pools(path: str, m: int, scale: int, channels: int, side: int) -> tuple[Tensor, Tensor]:
    """Kernels (m, 10 · scale, 10 · scale), brought home, and noise (m, channels, side, side), from a file.

    A safetensors file holds "kernels" (l, k, k) and "noise" (n, 1 | 3, s, s) of images in [-1, 1], s not below `side`.
    The first m of each are taken, or all in turns if there are fewer. Raises UserError for any other file.
    """
    held = read(Path(path))
    kernels, noise = (held.get(k, torch.empty(0)).float() for k in ("kernels", "noise"))
    if kernels.ndim != 3 or kernels.shape[1] != kernels.shape[2] or noise.ndim != 4 or noise.shape[1] not in (1, 3):
        raise UserError(f"{path} holds no pools: kernels (m, k, k) and noise (n, 1 or 3, s, s) are looked for")
    if not len(kernels) or not len(noise) or min(noise.shape[2:]) < side:
        raise UserError(f"{path} holds {len(kernels)} kernels and {len(noise)} patches of noise, of {side} px at least")
    if not (kernels.isfinite().all() and noise.isfinite().all() and (kernels.sum((1, 2)) > 0.01).all()):
        raise UserError(f"{path} holds kernels or noise that are no numbers, or kernels that sum to nothing")
    noise = grey(noise) if channels == 1 else noise.expand(-1, channels, -1, -1)
    pool, turns = tiles(noise, side), torch.arange(m)
    homely = [fitted(centred(k, scale), 10 * scale, scale) for k in kernels[:m]]
    return torch.stack(homely)[turns % len(homely)], pool[turns % len(pool)]
