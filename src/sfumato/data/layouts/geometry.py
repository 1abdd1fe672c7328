"""Where a pixel or a point of a file lies in the square that `decode` makes of it."""

from dataclasses import dataclass

import numpy as np

from ..decode import Fitting


@dataclass(frozen=True)
class Window:
    """How a picture lies on the square: pixels of the file times `scale` plus `shift` are sides of the square."""

    scale: np.ndarray  # (2,)
    shift: np.ndarray  # (2,)


def window(width: int, height: int, fitting: Fitting) -> Window:
    """The place of a picture of this size, cropped, stretched or padded as `decode` does it."""
    sides = np.array([width, height], np.float64)
    if fitting.fit == "crop":
        side = min(width, height)
        return Window(np.full(2, 1 / side), -((sides - side) // 2) / side)
    if fitting.fit == "pad" and width != height:
        inner = np.array([max(1, round(s * fitting.size / max(width, height))) for s in (width, height)])
        return Window(inner / sides / fitting.size, (fitting.size - inner) // 2 / fitting.size)
    return Window(1 / sides, np.zeros(2))


def pixels_under(width: int, height: int, fitting: Fitting) -> tuple[np.ndarray, np.ndarray]:
    """Which column and row of the file lies under the centre of each of the square: (size,) each; some are outside."""
    place = window(width, height, fitting)
    centres = (np.arange(fitting.size) + 0.5) / fitting.size
    x, y = np.floor((centres - place.shift[:, None]) / place.scale[:, None]).astype(np.int64)
    return x, y


def nearest_pixels(values: np.ndarray, fitting: Fitting, outside: int) -> np.ndarray:
    """A map on the square, each pixel the one of the file under its centre: (h, w, …) -> (size, size, …).

    Nothing is mixed, as the values are names; `outside` stands where padding is.
    """
    height, width = values.shape[:2]
    x, y = pixels_under(width, height, fitting)
    x_in, y_in = (x >= 0) & (x < width), (y >= 0) & (y < height)
    found = np.full((fitting.size, fitting.size, *values.shape[2:]), outside, values.dtype)
    found[np.ix_(y_in, x_in)] = values[np.ix_(y[y_in], x[x_in])]
    return found


def fitted_points(points: np.ndarray, width: int, height: int, fitting: Fitting) -> np.ndarray:
    """x, y in pixels of the file (…, 2) -> float32 in sides of the square; NaN for those that are cut off."""
    place = window(width, height, fitting)
    found = (points * place.scale + place.shift).astype(np.float32)
    found[~((found >= 0) & (found <= 1)).all(-1)] = np.nan
    return found


def fitted_boxes(boxes: np.ndarray, width: int, height: int, fitting: Fitting) -> np.ndarray:
    """x0, y0, x1, y1 in pixels of the file (…, 4) -> float32 in sides of the square, cut at its border; NaN outside."""
    place = window(width, height, fitting)
    corners = boxes.reshape(*boxes.shape[:-1], 2, 2) * place.scale + place.shift
    found = np.clip(corners, 0, 1).reshape(boxes.shape).astype(np.float32)
    found[~((found[..., 2] > found[..., 0]) & (found[..., 3] > found[..., 1]))] = np.nan
    return found
