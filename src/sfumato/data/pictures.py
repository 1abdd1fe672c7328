"""Tensors to picture files: single ones and grids."""

from math import ceil, sqrt
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def to_bytes(images: Tensor | np.ndarray) -> np.ndarray:
    """Float images in [-1, 1], (b, c, h, w) -> uint8 (b, h, w, c); uint8 (b, h, w, c) as it is. NaN is black."""
    if isinstance(images, np.ndarray) and images.dtype == np.uint8:
        return images
    tensor = torch.as_tensor(images).detach().to("cpu", torch.float32)
    scaled = tensor.nan_to_num(nan=-1.0).add(1).mul(127.5).round().clamp(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def grid(images: Tensor | np.ndarray, columns: int | None = None, gap: int = 2, zoom: int = 0) -> Image.Image:
    """Images side by side, row by row, with white gaps: (b, c, h, w) in [-1, 1] or (b, h, w, c) uint8.

    `columns` defaults to a square; `zoom` enlarges every pixel, 0: small pictures to about 64 pixels.
    """
    pixels = to_bytes(images)
    n, h, w, c = pixels.shape
    columns = min(columns or ceil(sqrt(n)), n)
    zoom = zoom or max(1, 64 // max(h, w))
    pixels = pixels.repeat(zoom, axis=1).repeat(zoom, axis=2)
    high, wide = h * zoom + gap, w * zoom + gap
    canvas = np.full((ceil(n / columns) * high + gap, columns * wide + gap, c), 255, np.uint8)
    for i, picture in enumerate(pixels):
        top, left = i // columns * high + gap, i % columns * wide + gap
        canvas[top : top + high - gap, left : left + wide - gap] = picture
    return Image.fromarray(canvas[..., 0] if c == 1 else canvas)


def save_grid(images: Tensor | np.ndarray, path: Path, columns: int | None = None) -> None:
    """Write a grid (see `grid`) as a picture; PNG is packed lightly, which is five times faster."""
    _save(grid(images, columns), Path(path))


def save_images(images: Tensor | np.ndarray, folder: Path, first: int = 0) -> list[Path]:
    """Write each image to a PNG of its own, 00000.png onwards from number `first`."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = to_bytes(images)
    paths = [folder / f"{i:05}.png" for i in range(first, first + len(pixels))]
    for picture, path in zip(pixels, paths, strict=True):
        _save(Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture), path)
    return paths


def _save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, compress_level=1)  # PNG alone heeds it
