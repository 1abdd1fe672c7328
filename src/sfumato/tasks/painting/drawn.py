"""Maps of classes and objects as files, to be painted: which belong together, what their values mean, which style."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...data.decode import BrokenError, strict_pillow
from ...data.layouts.cityscapes import FIRST_OBJECT
from ...data.layouts.maps import Legend, check_classes, numbered_legend, read_map
from ...data.sources import open_source
from ...errors import UserError, nearest
from ..model import Model

_LABELS = re.compile(r"(^|/)(labels|annotations|\w+_label)/|_labelIds\.")
_OBJECTS = re.compile(r"(^|/)(instances|\w+_inst)/|_instanceIds\.")
_PARTNERS = (
    ("labels/", "instances/"),
    ("annotations/", "instances/"),
    ("_label/", "_inst/"),
    ("_labelIds", "_instanceIds"),
)


def map_files(found: Mapping[str, Path]) -> dict[str, Path]:
    """Of the pictures of a folder, by name, the maps of classes: all but maps of objects if no name says so."""
    said = {name: path for name, path in found.items() if _LABELS.search(name)}
    return said or {name: path for name, path in found.items() if not _OBJECTS.search(name)}


@dataclass(frozen=True)
class Mapped:
    """What a system that paints maps of classes understands."""

    legend: Legend
    classes: int  # values that it knows
    objects: bool  # whether it has to be told of objects

    def read(self, path: Path) -> tuple[Tensor, Tensor]:
        """A map of classes and the one of objects that belongs to it: (1, h, w) int64 each, 255 and 0 for none.

        Raises BrokenError if either is damaged, missing, of another size, or has a class that is not known.
        """
        with strict_pillow():
            semantic = read_map(_bytes(path), self.legend)
            check_classes(semantic, self.classes)
            instance = np.zeros_like(semantic)
            if self.objects:
                partner = _partner(path)
                if partner is None or not partner.exists():
                    like = partner or path.parent.parent / "instances" / path.name
                    raise BrokenError(f"there is no map of its objects: {like.parent.name}/{like.name}")
                instance = read_map(_bytes(partner))
                if _OBJECTS.search(partner.name):  # Cityscapes' own: lower values are classes
                    instance = np.where(instance >= FIRST_OBJECT, instance, 0)
        if instance.shape != semantic.shape:
            h, w = instance.shape
            raise BrokenError(
                f"its map of objects is {w}×{h}, the map of classes {semantic.shape[1]}×{semantic.shape[0]}"
            )
        return torch.from_numpy(semantic.astype(np.int64))[None], torch.from_numpy(instance.astype(np.int64))[None]

    def chosen(self, words: Sequence[str], system: Any) -> dict[tuple[int, int], int]:
        """Styles by class and object, 0 for all of its objects, from "road=2" and "car#3=1". Raises UserError."""
        found = {}
        for word in (part for words_ in words for part in words_.split(",")):
            said = re.fullmatch(r"\s*(.+?)\s*(?:#(\d+))?\s*=\s*(\d+)\s*", word)
            if not said:
                raise UserError(f"--style {word!r}: give CLASS=NUMBER, or CLASS#OBJECT=NUMBER for one object")
            name, number = said[1], int(said[3])
            kind = int(name) if name.isdecimal() and int(name) < self.classes else -1
            kind = kind if kind >= 0 else self.legend.names.index(nearest(name, self.legend.names, "class"))
            there = system.styles(kind)
            if number >= there:
                what = f"styles 0 … {there - 1}" if there else "no styles: training saw none of it"
                raise UserError(f"--style {word}: {self.legend.names[kind]} has {what}")
            found[kind, int(said[2] or 0)] = number
        return found


def mapped(model: Model) -> Mapped:
    """What a model that paints maps understands; names and colours of classes are those of its data, if still there."""
    system: Any = model.system
    classes, objects = int(system.legend), bool(system.objects)
    legend = numbered_legend(classes)
    try:
        facts = model.facts
        truth = open_source(facts.source, facts.view).truth(facts.fitting())
        if 0 < len(truth.legend) <= classes:
            legend = Legend(tuple(truth.legend), truth.palette)
    except UserError:
        pass  # the data has moved away; classes have numbers
    return Mapped(legend, classes, objects)


def _partner(path: Path) -> Path | None:
    """Where the map of objects of a map of classes should be, None if its name does not say."""
    name = path.resolve().as_posix()
    for label, instance in _PARTNERS:
        head, found, tail = name.rpartition(label)
        name = f"{head}{instance}{tail}" if found else name
    return Path(name) if name != path.resolve().as_posix() else None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise BrokenError(e.strerror or str(e)) from None
