"""COCO as published (Lin et al. 2014, 1405.0312): `annotations/KIND_SPLIT.json` of pictures in `SPLIT/`.

KIND is captions, instances (of which the boxes are read) or person_keypoints (of the largest person in each picture);
SPLIT is train2017, val2017, … A picture is looked for as SPLIT/file_name, then by the end of its path.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from ...errors import UserError
from ..decode import Fitting
from ..source import Item, broken, plain
from .geometry import fitted_boxes, fitted_points
from .known import Known, Laid, Reader
from .place import Lookup, Place, splits

_FILE = re.compile(r"(?:.*/)?(captions|instances|person_keypoints)_(\w+)\.json")


@dataclass
class Coco:
    """The json files of such a data set."""

    place: Place
    files: Mapping[str, list[tuple[str, str]]]  # kind -> [(file, split folder)]
    notes: list[str] = field(default_factory=list)

    def entries(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        """(picture, annotation) of every annotation of a picture that there is."""
        found, absent = [], []
        for file, split in self.files.get(kind, ()):
            content = self.place.json(file)
            names = {n: self.lookup(f"{split}/{name}") for n, name in self._images(file, content)}
            for k, entry in enumerate(self._list(file, content, "annotations")):
                number = entry.get("image_id")
                if not isinstance(number, int) or number not in names:
                    raise UserError(f"{self._where(file)}: annotations[{k}] is of no picture in its list of images")
                if (name := names[number]) is None:
                    absent.append(number)
                else:
                    found.append((name, {**entry, "_place": f"{self._where(file)}: annotations[{k}]"}))
        if absent:
            self.notes.append(
                f"{len(absent)} annotations of {kind} are of pictures that are not there, the first: number {absent[0]}"
            )
        return found

    @cached_property
    def lookup(self) -> Lookup:
        """From names in the files to pictures."""
        return Lookup(self.place.pictures)

    def _images(self, file: str, content: Any) -> Iterable[tuple[int, str]]:
        for k, entry in enumerate(self._list(file, content, "images")):
            number, name = entry.get("id"), entry.get("file_name")
            if not isinstance(number, int) or not isinstance(name, str):
                raise UserError(f"{self._where(file)}: images[{k}] has no id and file_name")
            yield number, name

    def _list(self, file: str, content: Any, key: str) -> list[dict[str, Any]]:
        found = content.get(key) if isinstance(content, dict) else None
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            raise UserError(f"{self._where(file)} has no list of {key}")
        return found

    def _where(self, file: str) -> str:
        return f"{self.place.name}: {plain(file)}"

    @cached_property
    def said(self) -> dict[str, list[str]]:
        """Picture -> sentences."""
        found: dict[str, list[str]] = {}
        for name, entry in self.entries("captions"):
            if not isinstance(entry.get("caption"), str):
                raise UserError(f"{entry['_place']} has no caption")
            if sentence := " ".join(entry["caption"].split()):
                found.setdefault(name, []).append(sentence)
        return found

    @cached_property
    def people(self) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """(picture, box (4,), keypoints (k, 3): x, y, whether there is one) of every person."""
        found = [
            (name, self._box(entry), _numbers(entry, "keypoints", None).reshape(-1, 3))
            for name, entry in self.entries("person_keypoints")
        ]
        if len({len(points) for _, _, points in found}) > 1:
            raise UserError(f"{self.place.name}: not all people have the same number of keypoints")
        return found

    @cached_property
    def boxes(self) -> dict[str, list[np.ndarray]]:
        """Picture -> boxes (4,) in pixels: of all objects, else of people."""
        found: dict[str, list[np.ndarray]] = {}
        if "instances" in self.files:
            for name, entry in self.entries("instances"):
                found.setdefault(name, []).append(self._box(entry))
        else:
            for name, box, _ in self.people:
                found.setdefault(name, []).append(box)
        return found

    def _box(self, entry: dict[str, Any]) -> np.ndarray:
        x, y, w, h = _numbers(entry, "bbox", 4)
        return np.array([x, y, x + w, y + h])

    @cached_property
    def points(self) -> dict[str, np.ndarray]:
        """Picture -> keypoints (k, 2) of the largest person, in pixels, NaN where there are none."""
        largest: dict[str, tuple[float, np.ndarray]] = {}
        for name, (x0, y0, x1, y1), points in self.people:
            area = float((x1 - x0) * (y1 - y0))
            if points[:, 2].any() and area >= largest.get(name, (0.0,))[0]:
                largest[name] = area, np.where(points[:, 2:] > 0, points[:, :2], np.nan)
        return {name: points for name, (_, points) in largest.items()}

    @cached_property
    def point_names(self) -> tuple[str, ...]:
        """Names of the keypoints, as the first file has them: "left eye"; numbers if it has none."""
        count = len(self.people[0][2]) if self.people else 0
        content = self.place.json(self.files["person_keypoints"][0][0])
        try:
            names = tuple(plain(str(name)).replace("_", " ") for name in content["categories"][0]["keypoints"])
        except (KeyError, IndexError, TypeError):
            names = ()
        return names if len(names) == count else tuple(str(k) for k in range(count))

    def items(self, kind: str, size: int) -> Iterable[Item]:
        """The pictures of the files of a kind; broken is one without a sentence, if they are asked for."""
        split, seen = splits({folder for _, folder in self.files[kind]}), set[str | None]({None})
        for file, folder in self.files[kind]:
            names = {self.lookup(f"{folder}/{name}") for _, name in self._images(file, self.place.json(file))} - seen
            seen |= names
            for name in sorted(name for name in names if name):
                if kind == "captions" and name not in self.said:
                    yield broken(name, f"{file} has no caption of it")
                else:
                    cost = self.place.files[name].size
                    yield Item(name, partial(self.place.read, name), split=split[folder], cost=cost)

    def truth(self, fitting: Fitting) -> Known:
        """What the files tell."""
        readers: dict[str, Reader] = {}
        points: tuple[str, ...] = ()
        if {"instances", "person_keypoints"} & self.files.keys():
            most = max((len(some) for some in self.boxes.values()), default=1)
            readers["boxes"] = lambda names, size: np.stack(
                [self._boxes_of(name, most, replace(fitting, size=size)) for name in names]
            )
        if "person_keypoints" in self.files:
            points = self.point_names
            readers["keypoints"] = lambda names, size: np.stack(
                [self._points_of(name, replace(fitting, size=size)) for name in names]
            )
        said = (lambda name: self.said.get(name, [])) if "captions" in self.files else None
        return Known(self.place.name, points=points, readers=readers, sentences=said)

    def _boxes_of(self, name: str, most: int, fitting: Fitting) -> np.ndarray:
        found = np.full((most, 4), np.nan, np.float32)
        sides = self.place.sides(name)
        if sides and (some := self.boxes.get(name)):
            found[: len(some)] = fitted_boxes(np.stack(some), *sides, fitting)
        return found

    def _points_of(self, name: str, fitting: Fitting) -> np.ndarray:
        sides, points = self.place.sides(name), self.points.get(name)
        if sides is None or points is None:
            return np.full((len(self.point_names), 2), np.nan, np.float32)
        return fitted_points(points, *sides, fitting)


def _numbers(entry: dict[str, Any], key: str, n: int | None) -> np.ndarray:
    """A list of n numbers, or of triples. Raises UserError."""
    values = entry.get(key)
    if not isinstance(values, list) or (len(values) != n if n else len(values) % 3):
        values = [None]
    if not all(isinstance(value, int | float) and abs(value) < 1e9 for value in values):
        raise UserError(f"{entry['_place']} has no {key} of {n or 'three times as many'} numbers")
    return np.array(values, np.float64)


def open_coco(place: Place, captions: bool) -> Laid | None:
    """The pictures with sentences, or with boxes and keypoints; None if there are no such files."""
    files: dict[str, list[tuple[str, str]]] = {}
    for name in place.files:
        if found := _FILE.fullmatch(name):
            files.setdefault(found[1], []).append((name, found[2]))
    kind = "captions" if captions else "person_keypoints" if "person_keypoints" in files else "instances"
    if kind not in files:
        return None
    coco = Coco(place, files)
    title = f"pictures with {'sentences' if captions else 'boxes and keypoints'} of COCO"
    return Laid(place.name, title, (), coco.notes, seal=place.seal(), make=partial(coco.items, kind), tell=coco.truth)
