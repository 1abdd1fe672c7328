"""Maps of classes and objects as files: their values as they are, what the values are called, and where they change."""

import colorsys
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from ...errors import UserError
from ..decode import BrokenError
from ..source import plain
from ..truth import UNKNOWN
from .opened import opened
from .place import Place


@dataclass(frozen=True)
class Legend:
    """Names of the values 0, 1, 2, … of a map of classes, and a colour for each."""

    names: tuple[str, ...]
    palette: np.ndarray  # uint8 (n, 3)
    coloured: bool = True  # whether maps may be drawn in these colours, each of which then means one value

    @cached_property
    def by_colour(self) -> dict[int, int]:
        """r·2¹⁶ + g·2⁸ + b -> value."""
        codes = self.palette.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
        return {code: value for value, code in reversed(list(enumerate(codes.tolist())))}


def numbered_legend(n: int) -> Legend:
    """A legend for values that nobody has named, in colours that are easily told apart."""
    hues = [(0.61803398875 * k % 1, 0.55 + 0.4 * (k % 3 == 0), 0.95 - 0.3 * (k % 2)) for k in range(n)]
    colours = np.array([colorsys.hsv_to_rgb(*hue) for hue in hues]).reshape(n, 3)
    return Legend(tuple(str(k) for k in range(n)), np.rint(255 * colours).astype(np.uint8), coloured=False)


def read_legend(place: Place, name: str) -> Legend:
    """Lines of name or name,r,g,b; a heading "name,…" is passed over. Raises UserError for anything else."""
    rows = place.table(name)
    if rows and rows[0][0].lower() == "name":
        rows = rows[1:]
    where = f"{place.name}: {plain(name)}"
    if not 0 < len(rows) <= UNKNOWN:
        raise UserError(f"{where} has {len(rows)} lines; a legend has 1 to {UNKNOWN}")
    widths = {len(row) for row in rows}
    if widths == {1}:
        return Legend(tuple(plain(row[0]) for row in rows), numbered_legend(len(rows)).palette, coloured=False)
    colours = np.zeros((len(rows), 3), np.uint8)
    for k, row in enumerate(rows):
        parts = row[1:]
        if len(parts) != 3 or not all(len(p) < 4 and p.isascii() and p.isdecimal() and int(p) < 256 for p in parts):
            raise UserError(f"{where}: line {k + 1}, {plain(','.join(row))[:60]!r}, is no name,r,g,b with 0 … 255")
        colours[k] = [int(part) for part in parts]
    return Legend(tuple(plain(row[0]) for row in rows), colours)


def read_map(data: bytes, legend: Legend | None = None, sound: bool = False) -> np.ndarray:
    """The values of a map as they are: int32 (h, w).

    One channel of 1, 8, 16 or 32 bits, or a palette, whose indices are the values. With a legend in colours, a picture
    in just these colours is read by them. Raises BrokenError if the file is damaged or in other colours.
    """
    with opened(data, sound) as image:
        if image.format == "JPEG":
            raise BrokenError("a JPEG, which does not keep the values of a map: use PNG")
        if image.mode in ("RGB", "RGBA") or (image.mode == "P" and legend and _palette_known(image, legend)):
            return _by_colour(np.asarray(image.convert("RGB")), legend)
        if image.mode not in ("1", "L", "P", "I", "I;16", "I;16B"):
            raise BrokenError(f"{image.mode}, where a map has one number for each pixel")
        values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() >= 2**31:
        raise BrokenError(f"a map with the value {values.min() if values.min() < 0 else values.max()}")
    return values.astype(np.int32)


def _palette_known(image: Image.Image, legend: Legend) -> bool:
    """Whether a palette holds no colour in use but the legend's."""
    if not legend.coloured:
        return False
    used = image.convert("RGB").getcolors(256) or []
    return all((r << 16) + (g << 8) + b in legend.by_colour for _, (r, g, b) in used)  # type: ignore[misc]


def _by_colour(pixels: np.ndarray, legend: Legend | None) -> np.ndarray:
    if legend is None or not legend.coloured:
        raise BrokenError(
            "3 channels, where a map has one number for each pixel; colours need lines of name,r,g,b in legend.csv"
        )
    codes = pixels.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    found, inverse = np.unique(codes, return_inverse=True)
    for code in found.tolist():
        if code not in legend.by_colour:
            r, g, b = code >> 16, code >> 8 & 255, code & 255
            raise BrokenError(f"the colour {r},{g},{b}, which is not in the legend")
    return np.array([legend.by_colour[code] for code in found.tolist()], np.int32)[inverse].reshape(codes.shape)


def check_classes(values: np.ndarray, n: int) -> None:
    """Raises BrokenError if a map of classes has a value of n or more other than 255, unknown."""
    top = int(np.where(values == UNKNOWN, 0, values).max())
    if top >= n:
        raise BrokenError(f"the value {top}, but the legend ends at {n - 1}")


def in_three_bytes(values: np.ndarray) -> np.ndarray:
    """Integers below 2²⁴ as bytes: (…) -> uint8 (…, 3)."""
    return np.stack([values >> 16, values >> 8 & 255, values & 255], axis=-1).astype(np.uint8)


def from_three_bytes(values: np.ndarray) -> np.ndarray:
    """Back again: uint8 (…, 3) -> int32 (…)."""
    return values.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)


def outlines(values: np.ndarray) -> np.ndarray:
    """Both sides of every place where a map changes, as in pix2pixHD (1711.11585, section 3.3): (n, h, w) -> bool."""
    found = np.zeros(values.shape, bool)
    right, down = values[:, :, 1:] != values[:, :, :-1], values[:, 1:] != values[:, :-1]
    found[:, :, 1:] |= right
    found[:, :, :-1] |= right
    found[:, 1:] |= down
    found[:, :-1] |= down
    return found
