"""What is no picture as a picture: maps, depth, directions and edges in colours, (b, …) -> uint8 (b, h, w, 3)."""

import numpy as np
from torch import Tensor

from ...data.pictures import to_bytes

FAR_TO_NEAR = np.array([(18, 16, 46), (62, 30, 110), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191)])
GREY, PAPER, INK = (232, 234, 238), (249, 247, 242), (40, 42, 54)


def pictures(values: Tensor) -> np.ndarray:
    """Pictures, grey or in colour."""
    pixels = to_bytes(values)
    return np.repeat(pixels, 3 // pixels.shape[-1], axis=-1)


def classes(values: Tensor, palette: np.ndarray) -> np.ndarray:
    """Indices of classes in the colours of the legend, unknown ones in grey."""
    colours = np.full((256, 3), GREY, np.uint8)
    colours[: len(palette)] = palette
    return colours[values.numpy()]


def objects(values: Tensor) -> np.ndarray:
    """Numbers of objects, each in a colour of its own, a golden section of the wheel after the last; none in grey."""
    ids = values.numpy()
    turns = ids * 0.618034
    found = np.rint(255 * hue(turns - np.floor(turns), np.full(ids.shape, 0.62))).astype(np.uint8)
    found[ids == 0] = GREY
    return found


def edges(values: Tensor) -> np.ndarray:
    """Outlines in dark ink on paper."""
    return np.where(values[:, 0, :, :, None].numpy() > 0, INK, PAPER).astype(np.uint8)


def depth(values: Tensor) -> np.ndarray:
    """Disparity (b, 1, h, w) in [-1, 1], from the darkness of what is far to the light of what is near."""
    place = (values[:, 0].numpy() + 1) / 2 * (len(FAR_TO_NEAR) - 1)
    low = np.clip(place.astype(int), 0, len(FAR_TO_NEAR) - 2)
    t = (place - low)[..., None]
    return np.rint(FAR_TO_NEAR[low] * (1 - t) + FAR_TO_NEAR[low + 1] * t).astype(np.uint8)


def normals(values: Tensor) -> np.ndarray:
    """Directions of surfaces: x in red, y in green, z in blue; grey where there is no surface."""
    vectors = np.moveaxis(values.numpy(), 1, -1)
    found = np.rint((vectors + 1) * 127.5).astype(np.uint8)
    found[(vectors == 0).all(axis=-1)] = GREY
    return found


def matte(values: Tensor) -> np.ndarray:
    """Coverage (b, 1, h, w) in [0, 1]: white on black."""
    return np.rint(values[:, 0, :, :, None].numpy() * 255).astype(np.uint8).repeat(3, axis=-1)


def motion(values: Tensor, most: float) -> np.ndarray:
    """Arrows (b, 2, h, w), pixels right and down: hue is the direction, red up; slower than `most` is paler."""
    x, y = values[:, 0].numpy(), values[:, 1].numpy()
    turns = np.arctan2(x, -y) / (2 * np.pi) % 1.0
    strength = np.minimum(np.sqrt(x * x + y * y) / most, 1)
    return np.rint(248 * hue(turns, strength)).astype(np.uint8)


def hue(turns: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """A colour of the wheel, mixed with white: (…) in [0, 1) and (…) in [0, 1] -> (…, 3) in [0, 1]."""
    pure = np.clip(np.abs((turns[..., None] * 6 + [0, 4, 2]) % 6 - 3) - 1, 0, 1)
    return 1 + (pure - 1) * strength[..., None]
