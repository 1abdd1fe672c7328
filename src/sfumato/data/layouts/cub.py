"""CUB-200-2011 as published (Wah et al. 2011), and the sentences of Reed et al. 2016 (1605.05395) about it.

`images.txt` lists the pictures below `images/`; `bounding_boxes.txt`, `parts/part_locs.txt` and `train_test_split.txt`
know them by its numbers. `text_c10/CLASS/NAME.txt`, ten lines each, may lie anywhere, as may `testclasses.txt`, the
split of Reed et al. whose classes to test on are not in training. Oxford Flowers comes in the same form: sentences in
`text_c10/class_00001/image_00001.txt` of pictures in `jpg/image_00001.jpg`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import PurePosixPath

import numpy as np

from ..decode import Fitting
from ..source import Item, broken, is_picture, plain
from .geometry import fitted_boxes, fitted_points
from .known import Known, Laid, Reader
from .place import LONGEST, Lookup, Place
from .sentences import lines

Fit = Callable[[np.ndarray, int, int, Fitting], np.ndarray]

_TEXTS = ("text_c10", "text")


@dataclass
class Birds:
    """The files of such a data set."""

    place: Place
    root: str | None  # where images.txt lies: "", "CUB_200_2011/"; None if there is none
    notes: list[str] = field(default_factory=list)

    @cached_property
    def texts(self) -> dict[str, str]:
        """CLASS/NAME -> file of sentences."""
        paths = [PurePosixPath(name) for name in self.place.files if name.endswith(".txt")]
        return {f"{p.parts[-2]}/{p.stem}": str(p) for p in paths if len(p.parts) > 2 and p.parts[-3] in _TEXTS}

    @cached_property
    def stems(self) -> dict[str, str]:
        """NAME -> CLASS/NAME of a file of sentences, where one class alone has it."""
        found: dict[str, str] = {}
        for key in self.texts:
            stem = key.split("/")[1]
            found[stem] = "" if stem in found else key
        return found

    def key(self, name: str) -> str:
        """CLASS/NAME of a picture: as its own path has it, or that of its sentences."""
        path = PurePosixPath(name)
        own = f"{path.parent.name}/{path.stem}"
        return own if own in self.texts else self.stems.get(path.stem) or own

    @cached_property
    def numbers(self) -> dict[int, str]:
        """Number -> picture, by images.txt."""
        if self.root is None:
            return {}
        lookup = Lookup(self.place.pictures)
        found = {n: lookup(f"images/{path}") for n, path in self.place.records(f"{self.root}images.txt", int, str)}
        if absent := [n for n, name in found.items() if name is None]:
            self.notes.append(f"{len(absent)} lines of images.txt name no picture, the first: number {absent[0]}")
        return {n: name for n, name in found.items() if name}

    @cached_property
    def names(self) -> list[str]:
        """The pictures: those that images.txt lists, or those with sentences."""
        if self.root is not None:
            return sorted(self.numbers.values())
        return [name for name in self.place.pictures if self.key(name) in self.texts]

    def sentences(self, name: str) -> list[str]:
        """What is said of a picture."""
        text = self.texts.get(self.key(name))
        return lines(self.place.text(text, LONGEST)) if text else []

    def rows(self, name: str, *kinds: Callable) -> list[list]:
        """Lines of a file beside images.txt whose first column is a picture's number; [] if there is no such file."""
        file = f"{self.root}{name}"
        return self.place.records(file, int, *kinds) if self.root is not None and file in self.place.files else []

    def tested(self) -> Callable[[str], bool]:
        """Whether a picture is for testing: by its class, else by its number."""
        files = [name for name in self.place.files if PurePosixPath(name).name == "testclasses.txt"]
        if files:
            classes = set(lines(self.place.text(files[0])))
            return lambda name: self.key(name).split("/")[0] in classes
        tested = {self.numbers.get(n) for n, trained in self.rows("train_test_split.txt", int) if not trained}
        return tested.__contains__

    def items(self, captions: bool, classes: tuple[str, ...], size: int) -> Iterable[Item]:
        """Every picture; broken is one without sentences, if they are asked for."""
        tested, label = self.tested(), {name: i for i, name in enumerate(classes)}
        for name in self.names:
            if captions and not self.sentences(name):
                yield broken(name, f"there is no text_c10/{self.key(name)}.txt that says something")
            else:
                split = "test" if tested(name) else "train"
                which, cost = label[self.key(name).split("/")[0]], self.place.files[name].size
                yield Item(name, partial(self.place.read, name), which, split, cost)
        absent = set(self.texts) - {self.key(name) for name in self.names}
        if absent:
            self.notes.append(f"{len(absent)} files of sentences are of no picture, the first: {plain(min(absent))}")

    @cached_property
    def boxes(self) -> dict[str, np.ndarray]:
        """Picture -> box, x0, y0, x1, y1 in pixels (1, 4)."""
        rows = self.rows("bounding_boxes.txt", float, float, float, float)
        return {self.numbers[n]: np.array([[x, y, x + w, y + h]]) for n, x, y, w, h in rows if n in self.numbers}

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts, by their numbers from 1."""
        return tuple(plain(name) for _, name in self.rows("parts/parts.txt", str))

    @cached_property
    def points(self) -> dict[str, np.ndarray]:
        """Picture -> where its parts are, in pixels (k, 2); NaN where they cannot be seen."""
        found = {name: np.full((len(self.parts), 2), np.nan) for name in self.names}
        for n, part, x, y, visible in self.rows("parts/part_locs.txt", int, float, float, int):
            if visible and n in self.numbers and 0 < part <= len(self.parts):
                found[self.numbers[n]][part - 1] = x, y
        return found

    def truth(self, fitting: Fitting) -> Known:
        """What there is besides the pictures."""

        def fitted(fit: Fit, known: dict[str, np.ndarray], shape: tuple[int, int]) -> Reader:
            def read(names: Sequence[str], size: int) -> np.ndarray:
                found = np.full((len(names), *shape), np.nan, np.float32)
                for row, name in zip(found, names, strict=True):
                    if name in known and (sides := self.place.sides(name)):
                        row[:] = fit(known[name], *sides, replace(fitting, size=size))
                return found

            return read

        readers: dict[str, Reader] = {}
        if self.boxes:
            readers["boxes"] = fitted(fitted_boxes, self.boxes, (1, 4))
        if self.parts:
            readers["keypoints"] = fitted(fitted_points, self.points, (len(self.parts), 2))
        said = self.sentences if self.texts else None
        return Known(self.place.name, points=self.parts, readers=readers, sentences=said)


def open_cub(place: Place, captions: bool) -> Laid | None:
    """The data set, with `captions` those pictures of it that have sentences; None if it is laid out otherwise."""
    lists = [name.removesuffix("images.txt") for name in place.files if PurePosixPath(name).name == "images.txt"]
    root = next((r for r in lists if f"{r}bounding_boxes.txt" in place.files or f"{r}classes.txt" in place.files), None)
    found = Birds(place, root)
    if not (found.texts if captions else root is not None) or not any(map(is_picture, place.files)):
        return None
    classes = tuple(sorted({found.key(name).split("/")[0] for name in found.names}))
    make = partial(found.items, captions, classes)
    kind = "pictures with sentences" if captions else "pictures with boxes and parts"
    return Laid(
        place.name, kind, classes, found.notes, seal=place.seal(), make=make, tell=found.truth, n=len(found.names)
    )
