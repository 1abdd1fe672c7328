"""Frames as a renderer makes them for supersampling: small, one sample a pixel, jittered; what they should become."""

from functools import partial

import numpy as np
from torch import Tensor

from ..prepare import Pictures
from .draw import Draw, arrows, ask, disparity, pixels, planes, tensor

FINER = 2  # renders are so many times larger than the pictures that they are averaged to


def rendered(scale: int, pictures: Pictures, draw: Draw) -> dict[str, Tensor]:
    """low (b, 8, c, h / s, w / s), frames with one sample a pixel, and clip (b, 8, c, h, w), what they should become.

    All is sampled from a render of (2 h, 2 w): `clip` is the mean of 2×2 pixels; a pixel of `low` is one of the (2 s)²
    that it covers, the same in a whole frame and another in the next, in the order of Bayer's matrix. jitter (b, 8, 2)
    says where it lies, pixels of `low` right and down from its centre. back (b, 8, 2, h / s, w / s) leads to where what
    is sampled was in the frame before, pixels of `low`, and depth (b, 8, 1, h / s, w / s) is as in the view `depth`.
    image (b, c, h, w) is the last of `clip`.
    """
    side = FINER * (pictures.size // scale * scale)
    fine, metres, back = ask(pictures, draw.rows, "clip", "clip depth", "back", size=side)
    return sampled(fine, metres, back, scale, pictures.truth.near, draw)


x2, x4 = (partial(rendered, scale) for scale in (2, 4))


def sampled(
    fine: np.ndarray, metres: np.ndarray, back: np.ndarray, scale: int, near: float, draw: Draw
) -> dict[str, Tensor]:
    """The fields of `rendered` from renders of frames, t of each row of the draw, whose bits say where jitter begins.

    fine uint8 (b, t, 2 h, 2 w, c), metres (b, t, 2 h, 2 w), back (b, t, 2 h, 2 w, 2) in its own pixels; 2 · scale must
    be a power of two that divides their sides.
    """
    every, (n, t) = FINER * scale, fine.shape[:2]
    turn = (draw.bits % np.uint64(every**2)).astype(np.int64)[:, None] + np.arange(t)
    offset = bayer(every)[turn % every**2]  # (b, t, 2): which of the pixels that one of `low` covers, x first
    columns, rows = (np.arange(fine.shape[3 - k] // every) * every + offset[..., k, None] for k in (0, 1))
    pick = np.arange(n)[:, None, None, None], np.arange(t)[:, None, None], rows[..., None], columns[..., None, :]
    whole = fine.reshape(n, t, fine.shape[2] // FINER, FINER, fine.shape[3] // FINER, FINER, fine.shape[4])
    clip = pixels(whole.mean(axis=(3, 5), dtype=np.float32), draw)
    jitter = ((offset + 0.5) / every - 0.5).astype(np.float32)
    if draw.flip is not None:
        jitter[draw.flip, :, 0] *= -1
    return {
        "image": clip[:, -1].contiguous(),
        "clip": clip,
        "low": pixels(fine[pick], draw),
        "jitter": tensor(jitter, draw),
        "back": arrows(back[pick] / np.float32(every), draw),
        "depth": planes(disparity(metres[pick], near)[:, :, None], draw),
    }


def bayer(k: int) -> np.ndarray:
    """The places in a square of k×k pixels, k a power of two, in the order of Bayer's matrix: (k², 2) x, y.

    Each is far from those just before it: the first four lie in the four quarters.
    """
    place, half, step = np.zeros((k * k, 2), np.int64), k // 2, np.arange(k * k)
    while half:
        place += half * np.array([(0, 0), (1, 1), (1, 0), (0, 1)])[step % 4]
        step, half = step // 4, half // 2
    return place
