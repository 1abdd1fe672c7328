"""Resampling that agrees with MATLAB's `imresize`, on which the published tables of super-resolution rest."""

import math
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

Kernel = Literal["bicubic", "bilinear"]
Edge = Literal["mirror", "repeat"]
KEPT = 1 << 20  # numbers of a matrix, at most, to be kept for the next call


def imresize(
    images: Tensor,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    *,
    kernel: Kernel = "bicubic",
    antialias: bool = True,
    edge: Edge = "mirror",
) -> Tensor:
    """Images enlarged or reduced: (…, h, w) of any range -> (…, h', w'), differentiable and not clipped.

    With `scale`, sides become ⌈scale · side⌉; with `size`, exactly (h', w'). A reduction widens the kernel by the
    factor unless `antialias` is off. Beyond its edge a picture is mirrored, as MATLAB does today, or its last pixel
    repeated, as it did when the tables of Set5 and Set14 were made. What MATLAB gives for bytes, rounded after the
    first of the two directions as well as at the end, is given for uint8 images; their result is uint8. Floats of less
    than 32 bits give float32, and autocast changes nothing.
    Raises ValueError unless exactly one of `scale` and `size` is given and asks for one pixel at least.
    """
    if (scale is None) == (size is None):
        raise ValueError("imresize needs either a scale or a size")
    sides = images.shape[-2:]
    if scale is not None:
        size = (math.ceil(scale * sides[0]), math.ceil(scale * sides[1])) if scale > 0 else (0, 0)
    assert size is not None
    if min(*size, *sides) < 1:
        raise ValueError(f"imresize can't make {size[0]}×{size[1]} pixels of {sides[0]}×{sides[1]}")
    rounded = images.dtype == torch.uint8
    result = images.double() if rounded else images.to(torch.promote_types(images.dtype, torch.float32))
    scales = [scale or m / n for m, n in zip(size, sides, strict=True)]
    held = type(images) is Tensor  # and not what a tracer passes, which must not outlive it
    with torch.autocast(images.device.type, enabled=False):
        for axis in sorted((0, 1), key=scales.__getitem__):  # the smaller scale first, which leaves less to do
            make = _kept if held and sides[axis] * size[axis] <= KEPT else _matrix
            shape = sides[axis], size[axis], scales[axis], kernel, antialias, edge
            weights = make(*shape, result.dtype, result.device)
            result = weights @ result if axis == 0 else result @ weights.T
            if rounded:
                result = result.add_(0.5).floor_().clamp_(0, 255)
    return result.to(torch.uint8) if rounded else result


def _matrix(
    n: int, m: int, scale: float, kernel: Kernel, antialias: bool, edge: Edge, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """`resampling` as a product needs it; no matter who asks first, fit to be used by autograd later."""
    with torch.inference_mode(False):
        return resampling(n, m, scale, kernel=kernel, antialias=antialias, edge=edge).to(device, dtype)


_kept = lru_cache(maxsize=32)(_matrix)


def resampling(
    n: int, m: int, scale: float, *, kernel: Kernel = "bicubic", antialias: bool = True, edge: Edge = "mirror"
) -> Tensor:
    """What each of n pixels in a line gives to each of m: (m, n) float64, rows sum to 1."""
    shape, reach = (keys, 2) if kernel == "bicubic" else (triangle, 1)
    stretch = max(1 / scale, 1.0) if antialias else 1.0
    centre = (torch.arange(m, dtype=torch.float64) + 0.5) / scale - 0.5
    first = (centre - reach * stretch).floor()
    taps = first[:, None] + torch.arange(math.ceil(2 * reach * stretch) + 2)
    weights = shape((centre[:, None] - taps) / stretch)
    matrix = torch.zeros(m, n, dtype=torch.float64).scatter_add_(1, inside(taps.long(), n, edge), weights)
    return matrix / matrix.sum(1, keepdim=True)


def inside(places: Tensor, n: int, edge: Edge) -> Tensor:
    """Places in a line of n pixels for places anywhere, of one shape; a mirror shows the last pixel itself too."""
    if edge == "repeat":
        return places.clamp(0, n - 1)
    places = places.remainder(2 * n)
    return torch.minimum(places, 2 * n - 1 - places)


def keys(x: Tensor) -> Tensor:
    """The cubic kernel of Keys 1981, "Cubic convolution interpolation for digital image processing", eq. 15."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x <= 1, near, torch.where(x < 2, far, 0.0))


def triangle(x: Tensor) -> Tensor:
    """The kernel of linear interpolation."""
    return (1 - x.abs()).clamp(min=0)
