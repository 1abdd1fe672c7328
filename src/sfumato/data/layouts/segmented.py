"""Pictures with maps of their classes and objects, in one of three layouts.

Cityscapes as published (`leftImg8bit/`, `gtFine/`), as pix2pixHD keeps it (`train_img/`, `train_label/`,
`train_inst/`), or any pictures in `images/` with maps of the same name in `labels/` (or `annotations/`) and
`instances/`, each with folders for splits or without. `legend.csv` at the root names the classes; without it
Cityscapes' own files have Cityscapes' ids, and in others the classes are numbers.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import PurePosixPath

import numpy as np

from ..cache import packed
from ..decode import BrokenError, Fitting
from ..source import Item, broken, is_picture, plain
from ..truth import UNKNOWN
from . import cityscapes
from .geometry import nearest_pixels
from .known import Known, Laid, Rows
from .maps import (
    Legend,
    check_classes,
    from_three_bytes,
    in_three_bytes,
    numbered_legend,
    outlines,
    read_legend,
    read_map,
)
from .opened import header
from .place import Place, split_name, splits

_PIX2PIXHD = re.compile(r"(?:.*/)?(\w+)_(img|label|inst)/([^/]+)")
_KINDS = {"img": "images", "label": "labels", "inst": "instances", "annotations": "labels"}
_FOLDERS = ("images", "labels", "instances", "annotations")
_LEGEND = "legend.csv"


@dataclass
class Segmented:
    """The pictures of such a layout by what their names share: (split, rest)."""

    place: Place
    images: dict[tuple[str, str], str] = field(default_factory=dict)
    labels: dict[tuple[str, str], str] = field(default_factory=dict)
    instances: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def ids(self) -> bool:
        """Whether the classes are Cityscapes' ids."""
        return _LEGEND not in self.place.files and all(cityscapes.is_ids(name) for name in self.labels.values())

    @cached_property
    def legend(self) -> Legend | None:
        """Of the classes, None if nobody has named them."""
        if _LEGEND in self.place.files:
            return read_legend(self.place, _LEGEND)
        return cityscapes.LEGEND if self.ids else None

    def items(self, size: int) -> Iterable[Item]:
        """Every picture; broken is one that has no map where others have, or one that does not fit it."""
        split = splits({key[0] for key in self.images}, val_first=self.ids)
        for key, name in sorted(self.images.items(), key=lambda pair: pair[1]):
            if key not in self.labels:
                yield broken(name, f"there is no map of its classes like {next(iter(self.labels.values()))}")
            elif self.instances and key not in self.instances:
                yield broken(name, f"there is no map of its objects like {next(iter(self.instances.values()))}")
            else:
                cost = sum(self.place.files[some[key]].size for some in self.kinds())
                yield Item(name, partial(self.checked, key), split=split[key[0]], cost=cost)

    def kinds(self) -> list[dict[tuple[str, str], str]]:
        """Pictures and maps, those there are."""
        return [some for some in (self.images, self.labels, self.instances) if some]

    def checked(self, key: tuple[str, str]) -> bytes:
        """A picture's bytes. Raises BrokenError unless its maps can be read, and are of its size."""
        data = self.place.read(self.images[key])
        width, height = header(data)
        for some in self.kinds()[1:]:
            try:
                values = self.values(some, key)
            except BrokenError as e:
                raise BrokenError(f"its map {some[key]}: {e}") from None
            if values.shape != (height, width):
                sizes = f"{width}×{height}", f"{values.shape[1]}×{values.shape[0]}"
                raise BrokenError(f"its map {some[key]} is {sizes[1]}, the picture {sizes[0]}")
        return data

    def values(self, some: dict[tuple[str, str], str], key: tuple[str, str], sound: bool = False) -> np.ndarray:
        """A map as it is, int32 (h, w); of objects with numbers below 2²⁴. Raises BrokenError."""
        data = self.place.read(some[key])
        if some is self.labels:
            values = read_map(data, self.legend, sound)
            check_classes(values, len(self.legend.names) if self.legend else UNKNOWN)
            return values
        values = read_map(data, None, sound)
        if values.max() >= 1 << 24:
            values = np.unique(values, return_inverse=True)[1].reshape(values.shape) + (values.min() > 0)
        return values.astype(np.int32)

    def truth(self, fitting: Fitting) -> Known:
        """What the maps tell."""
        semantic = Rows(self.maps(self.labels, fitting), replace(fitting, channels=1))
        objects = Rows(self.maps(self.instances, fitting), replace(fitting, channels=3))
        legend = self.legend or numbered_legend(self.highest() + 1)

        def classes(names: Sequence[str], size: int) -> np.ndarray:
            return semantic(names, size)[..., 0]

        def numbers(names: Sequence[str], size: int) -> np.ndarray:
            values = from_three_bytes(objects(names, size))
            return np.where(values >= cityscapes.FIRST_OBJECT, values, 0) if self.ids else values

        def edges(names: Sequence[str], size: int) -> np.ndarray:
            found = outlines(classes(names, size))
            return found | outlines(numbers(names, size)) if self.instances else found

        readers = {"semantic": classes, "edges": edges} | ({"instance": numbers} if self.instances else {})
        hint = "; --view paired-map translates its maps of classes"
        return Known(self.place.name, legend=legend.names, palette=legend.palette, readers=readers, hint=hint)

    def maps(self, some: dict[tuple[str, str], str], fitting: Fitting) -> Laid:
        """The maps as a source, under the names of the pictures; at the size of `items`, in one or three bytes."""

        def item(key: tuple[str, str], size: int) -> Item:
            def read() -> np.ndarray:
                outside = UNKNOWN if some is self.labels else 0
                values = nearest_pixels(self.values(some, key, sound=True), replace(fitting, size=size), outside)
                return in_three_bytes(values) if some is self.instances else values[..., None].astype(np.uint8)

            return Item(self.images[key], read, cost=self.place.files[some[key]].size)

        def make(size: int) -> Iterable[Item]:
            return (item(key, size) for key in sorted(self.images) if key in some)

        kind = "map of objects" if some is self.instances else "map of classes"
        return Laid(self.place.name, kind, seal=self.place.seal(), make=make)

    def highest(self) -> int:
        """The highest class in any map: each has one pixel in the cache for it, as all have to be read."""

        def read(name: str) -> np.ndarray:
            values = read_map(self.place.read(name))
            check_classes(values, UNKNOWN)
            return np.full((1, 1, 1), np.where(values == UNKNOWN, 0, values).max(), np.uint8)

        items = [Item(name, partial(read, name)) for name in self.labels.values()]
        source = Laid(self.place.name, "highest class", seal=self.place.seal(), make=lambda size: items)
        return int(packed(source, Fitting(1, 1)).images.max(initial=0))


def open_segmented(place: Place) -> Laid | None:
    """The pictures of a folder with maps of their classes, None if it is laid out in another way."""
    for style in (cityscapes.published, _pix2pixhd, _plain):
        found = Segmented(place)
        parts = {"images": found.images, "labels": found.labels, "instances": found.instances}
        for name in place.files:
            if is_picture(name) and (role := style(name)):
                parts[role[0]].setdefault(role[1:], name)
        if found.images and found.labels:
            break
    else:
        return None
    kind = "pictures with maps of Cityscapes' classes" if found.ids else "pictures with maps of classes"
    notes = [
        f"{len(lone)} {what} have no picture, the first: {plain(min(lone))}"
        for what, some in (("maps of classes", found.labels), ("maps of objects", found.instances))
        if (lone := [name for key, name in some.items() if key not in found.images])
    ]
    return Laid(place.name, kind, (), notes, seal=place.seal(), make=found.items, tell=found.truth, n=len(found.images))


def _pix2pixhd(name: str) -> tuple[str, str, str] | None:
    found = _PIX2PIXHD.fullmatch(name)
    if not found:
        return None
    return _KINDS[found[2]], found[1], cityscapes.without_ending(PurePosixPath(found[3]).stem)


def _plain(name: str) -> tuple[str, str, str] | None:
    """`images/…`, `labels/…`, `instances/…` at any depth; the split is a folder above or below."""
    path = PurePosixPath(name)
    folders = list(path.parts[:-1])
    kind = next((folder for folder in folders if folder in _FOLDERS), None)
    if kind is None:
        return None
    folders.remove(kind)
    split = next((folder for folder in folders if split_name(folder)), "")
    return _KINDS.get(kind, kind), split, "/".join([*folders, path.stem])
