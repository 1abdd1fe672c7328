"""Where a pixel or a point of a file lies in the picture that `decode` makes of it."""

from dataclasses import dataclass

import numpy as np

from ..decode import Fitting, placing


@dataclass(frozen=True)
class Window:
    """How a file lies on its picture: pixels of the file times `scale` plus `shift` are sides of it, x first."""

    scale: np.ndarray  # (2,)
    shift: np.ndarray  # (2,)


def window(width: int, height: int, fitting: Fitting) -> Window:
    """The place of a file of this size, cropped, stretched or padded as `decode` does it."""
    (first, last), (start, end) = (np.array(box, np.float64).reshape(2, 2) for box in placing(width, height, fitting))
    whole, used = np.array(fitting.sides[::-1], np.float64), last - first
    if (end - start == whole).all():
        return Window(1 / used, -first / used)
    return Window((end - start) / used / whole, start / whole)


def pixels_under(width: int, height: int, fitting: Fitting) -> tuple[np.ndarray, np.ndarray]:
    """Which column and row of the file lies under the centre of each of the picture: (w,), (h,); some are outside."""
    place = window(width, height, fitting)
    centres = ((np.arange(side) + 0.5) / side for side in reversed(fitting.sides))
    x, y = (
        np.floor((at - shift) / scale).astype(np.int64)
        for at, shift, scale in zip(centres, place.shift, place.scale, strict=True)
    )
    return x, y


def nearest_pixels(values: np.ndarray, fitting: Fitting, outside: int) -> np.ndarray:
    """A map on the picture, each pixel the one of the file under its centre: (h, w, …) -> (*fitting.sides, …).

    Nothing is mixed, as the values are names; `outside` stands where padding is.
    """
    height, width = values.shape[:2]
    x, y = pixels_under(width, height, fitting)
    x_in, y_in = (x >= 0) & (x < width), (y >= 0) & (y < height)
    found = np.full((*fitting.sides, *values.shape[2:]), outside, values.dtype)
    found[np.ix_(y_in, x_in)] = values[np.ix_(y[y_in], x[x_in])]
    return found


def fitted_points(points: np.ndarray, width: int, height: int, fitting: Fitting) -> np.ndarray:
    """x, y in pixels of the file (…, 2) -> float32 in sides of the picture; NaN for those that are cut off."""
    place = window(width, height, fitting)
    found = (points * place.scale + place.shift).astype(np.float32)
    found[~((found >= 0) & (found <= 1)).all(-1)] = np.nan
    return found


def fitted_boxes(boxes: np.ndarray, width: int, height: int, fitting: Fitting) -> np.ndarray:
    """x0, y0, x1, y1 in pixels of the file (…, 4) -> float32 in sides of the picture, cut at them; NaN outside."""
    place = window(width, height, fitting)
    corners = boxes.reshape(*boxes.shape[:-1], 2, 2) * place.scale + place.shift
    found = np.clip(corners, 0, 1).reshape(boxes.shape).astype(np.float32)
    found[~((found[..., 2] > found[..., 0]) & (found[..., 3] > found[..., 1]))] = np.nan
    return found
