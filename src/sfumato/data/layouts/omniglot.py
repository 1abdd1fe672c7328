"""Omniglot as published (Lake et al. 2015): characters of many alphabets, twenty drawings of each.

`images_background.zip` is trained on, `images_evaluation.zip` tested on: their alphabets differ. The two "small"
archives hold some alphabets of the first. One archive, a folder of several, and what was unpacked from them are read:
SET/ALPHABET/character01/0108_01.png, whose class is "ALPHABET/character01".
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from ..archives import Zip
from ..decode import Fitting
from ..folder import Folder
from ..source import Item, Source
from .known import Known, Laid
from .place import Place

_DRAWING = re.compile(r"(?:.*/)?images_(background|evaluation)\w*/([^/]+)/(character\d+)/(\d+_\d+\.png)")
_ARCHIVE = re.compile(r"images_(?:background|evaluation)\w*\.zip")


def open_omniglot(place: Place) -> Laid | None:
    """The drawings with a class for each character, None if there are none."""
    parts: list[Source] = [
        Zip(place.name, "zip archive", path=file.path)
        for name, file in place.files.items()
        if _ARCHIVE.fullmatch(PurePosixPath(name).name)
    ]
    if any(map(_DRAWING.fullmatch, place.files)):
        parts.append(Folder(place.name, "folder", path=place.path))
    names = [found for item in _drawings(parts, 1) if (found := _DRAWING.fullmatch(item.name))]
    if not names:
        return None
    classes = tuple(sorted({f"{found[2]}/{found[3]}" for found in names}))
    alphabets = tuple(sorted({found[2] for found in names}))
    number = {name: i for i, name in enumerate(classes)}
    tests = {"background", "evaluation"} <= {found[1] for found in names}

    def make(size: int) -> Iterable[Item]:
        for item in _drawings(parts, size):
            found = _DRAWING.fullmatch(item.name)
            assert found is not None
            split = "test" if tests and found[1] == "evaluation" else "train"
            yield replace(item, label=number[f"{found[2]}/{found[3]}"], split=split)

    def alphabet(name: str) -> int:
        found = _DRAWING.fullmatch(name)
        return alphabets.index(found[2]) if found else -1

    def tell(fitting: Fitting) -> Known:
        return Known(place.name, factors={"alphabet": alphabets}, values={"alphabet": alphabet})

    notes = ["the ink of Omniglot is black on white, that of MNIST white on black"]
    return Laid(place.name, "Omniglot", classes, notes, seal=place.seal(), make=make, tell=tell, n=len(names))


def _drawings(parts: Iterable[Source], size: int) -> Iterable[Item]:
    """Every drawing once: the small archives repeat what is in the large one, and each other."""
    seen = set()
    for part in parts:
        for item in part.items(size):
            found = _DRAWING.fullmatch(item.name)
            if found and found.groups() not in seen:
                seen.add(found.groups())
                yield item
