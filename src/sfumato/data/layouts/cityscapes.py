"""What is particular to Cityscapes (Cordts et al. 2016, 1604.01685): the names of its files, its ids, its instances.

The ids, names and colours are those of its own `labels.py`. An instance map holds id·1000 + k for object number k of a
class, and the id alone, below 1000, where there are no separate objects.
"""

import re

import numpy as np

from .maps import Legend

FIRST_OBJECT = 1000  # values below are classes

_LEGEND = (
    ("unlabeled", 0x000000), ("ego vehicle", 0x000000), ("rectification border", 0x000000), ("out of roi", 0x000000),
    ("static", 0x000000), ("dynamic", 0x6F4A00), ("ground", 0x510051), ("road", 0x804080), ("sidewalk", 0xF423E8),
    ("parking", 0xFAAAA0), ("rail track", 0xE6968C), ("building", 0x464646), ("wall", 0x66669C), ("fence", 0xBE9999),
    ("guard rail", 0xB4A5B4), ("bridge", 0x966464), ("tunnel", 0x96785A), ("pole", 0x999999), ("polegroup", 0x999999),
    ("traffic light", 0xFAAA1E), ("traffic sign", 0xDCDC00), ("vegetation", 0x6B8E23), ("terrain", 0x98FB98),
    ("sky", 0x4682B4), ("person", 0xDC143C), ("rider", 0xFF0000), ("car", 0x00008E), ("truck", 0x000046),
    ("bus", 0x003C64), ("caravan", 0x00005A), ("trailer", 0x00006E), ("train", 0x005064), ("motorcycle", 0x0000E6),
    ("bicycle", 0x770B20),
)  # fmt: skip

LEGEND = Legend(
    tuple(name for name, _ in _LEGEND),
    np.array([(colour >> 16, colour >> 8 & 255, colour & 255) for _, colour in _LEGEND], np.uint8),
    coloured=False,  # several ids share a colour
)

_KINDS = {"leftImg8bit": "images", "labelIds": "labels", "instanceIds": "instances"}
_PUBLISHED = re.compile(
    r"(?:.*/)?(?:leftImg8bit|gtFine)/([^/]+)/[^/]+/"
    r"([^/]+)_(?:(leftImg8bit)|gtFine_(labelIds|instanceIds))\.png"
)
_ENDING = re.compile(r"_(leftImg8bit|gtFine_(labelIds|instanceIds))$")


def published(name: str) -> tuple[str, str, str] | None:
    """Kind, split and the rest of a file's name as published, None if it is none of pictures and maps."""
    found = _PUBLISHED.fullmatch(name)
    return (_KINDS[found[3] or found[4]], found[1], found[2]) if found else None


def is_ids(name: str) -> bool:
    """Whether a map of classes says by its name that it holds these ids."""
    return name.endswith("_labelIds.png")


def without_ending(stem: str) -> str:
    """What the names of a picture and its maps share."""
    return _ENDING.sub("", stem)
