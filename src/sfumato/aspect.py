"""The shape of pictures: how many pixels high and wide they are, from the shorter side and a ratio."""

import re
from math import gcd

from .errors import UserError

SQUARE = "1:1"
LIMIT = 8  # how many times longer than the other a side can be


def sides(size: int, aspect: str = SQUARE) -> tuple[int, int]:
    """Height and width, pixels, of pictures whose shorter side is `size`: 64 and "3:2" -> (64, 96); "2:3" -> (96, 64).

    `aspect` is width:height. Raises UserError for what is no ratio, one beyond 8, and sides that are no whole numbers.
    """
    wide, high = ratio(aspect)
    if max(wide, high) > LIMIT * min(wide, high):
        raise UserError(f"aspect {aspect}: one side can be {LIMIT} times as long as the other, and no longer")
    if size % min(wide, high):
        longer = size * max(wide, high) / min(wide, high)
        raise UserError(
            f"aspect {aspect}: with a shorter side of {size} px the longer one has {longer:.6g}; "
            f"give a size that {min(wide, high)} divides"
        )
    unit = size // min(wide, high)
    return high * unit, wide * unit


def ratio(aspect: str) -> tuple[int, int]:
    """Width and height in the smallest whole numbers: "6:4" -> (3, 2). Raises UserError if it is no ratio."""
    found = re.fullmatch(r"([1-9]\d{0,4}):([1-9]\d{0,4})", str(aspect), re.ASCII)
    if found is None:
        raise UserError(f"aspect {aspect!r} is no shape: give width:height in whole numbers above 0, like 3:2 or 9:16")
    wide, high = int(found[1]), int(found[2])
    common = gcd(wide, high)
    return wide // common, high // common


def turned(aspect: str) -> str:
    """The shape of a picture that lies on its side: "3:2" -> "2:3"."""
    return ":".join(reversed(aspect.split(":")))


def shown(size: int, aspect: str = SQUARE) -> str:
    """Width and height as people write them: 64 and "3:2" -> "96×64"."""
    high, wide = sides(size, aspect)
    return f"{wide}×{high}"
