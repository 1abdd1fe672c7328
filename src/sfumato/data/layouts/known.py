"""What layouts have in common: sources made of functions, truth made of functions, and what says what is missing."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...errors import UserError
from ..cache import packed
from ..decode import Fitting
from ..source import Base, Item, Source, plain
from ..truth import Truth, Unknown

Reader = Callable[[Sequence[str], int], np.ndarray]  # (names, size) -> the array that truth.FIELDS describes
MAPS = "images/1.png with labels/1.png, an index for each pixel, and lines of name,r,g,b in legend.csv"
EXAMPLES: Mapping[str, str] = {
    "captions": "lines of name,caption in captions.csv, or 1.txt beside 1.png",
    "semantic": MAPS,
    "instance": "images/1.png with instances/1.png: 0 = none, a number for each object; and labels/1.png",
    "edges": MAPS,
    "keypoints": "parts/part_locs.txt of CUB, or annotations/person_keypoints_train.json of COCO",
    "boxes": "bounding_boxes.txt of CUB, or annotations/instances_train.json of COCO",
    "source": "source/1.png with target/1.png, A/1.png with B/1.png, or both side by side in one file",
    "domain": "A/horse.png and B/zebra.png, or trainA/ and trainB/",
    "clip": "walk.mp4, walk.gif, or a folder of numbered frames, walk/001.png, walk/002.png",
    "motion": "walk.mp4, coded as H.264 or MPEG-4, whose motion vectors are read",
}


@dataclass(kw_only=True)
class Laid(Base):
    """The pictures of a layout: whatever a function makes of its files."""

    seal: str  # what changes when the files do
    make: Callable[[int], Iterable[Item]]  # size -> items
    tell: Callable[[Fitting], Truth] = field(default=lambda fitting: Unknown("the source"))
    n: int | None = None

    def stamp(self) -> str:
        """What changes when the content does."""
        return self.seal

    def count(self) -> int | None:
        """How many items there will be, if that is known."""
        return self.n

    def items(self, size: int) -> Iterator[Item]:
        """What the function makes."""
        yield from self.make(size)

    def truth(self, fitting: Fitting) -> Truth:
        """What the files beside the pictures tell."""
        return self.tell(fitting)


@dataclass(kw_only=True)
class Told(Base):
    """A source as it is, about which more is told."""

    source: Source
    tell: Callable[[Fitting], Truth]
    change: Callable[[Item], Item] | None = None  # of pictures that nothing is told about
    seal: str = ""  # what changes when `change` does

    def stamp(self) -> str:
        """The source's own, and so its cache, unless pictures are changed."""
        return self.source.stamp() + self.seal

    def count(self) -> int | None:
        """As the source."""
        return self.source.count()

    def items(self, size: int) -> Iterator[Item]:
        """The source's own, changed."""
        for item in self.source.items(size):
            yield self.change(item) if self.change else item
        self.classes, self.labels_file = self.source.classes, self.source.labels_file

    def truth(self, fitting: Fitting) -> Truth:
        """What is told."""
        return self.tell(fitting)


def told(
    source: Source,
    tell: Callable[[Fitting], Truth],
    change: Callable[[Item], Item] | None = None,
    seal: str = "",
) -> Told:
    """A source about which more is told; `change` makes broken items of pictures that it needs more about."""
    return Told(
        source.name,
        source.kind,
        source.classes,
        source.notes,
        source.ignored,
        source=source,
        tell=tell,
        change=change,
        seal=seal,
    )


@dataclass
class Known(Unknown):
    """Truth that functions tell."""

    readers: Mapping[str, Reader] = field(default_factory=dict)
    sentences: Callable[[str], list[str]] | None = None
    values: Mapping[str, Callable[[str], int]] = field(default_factory=dict)  # of factors
    hint: str = ""  # what else may serve

    def __post_init__(self) -> None:
        said = ("captions",) if self.sentences else ()
        self.fields = frozenset([*self.readers, *self.values, *said])

    def get(self, fields: Sequence[str], names: Sequence[str], size: int) -> dict[str, np.ndarray]:
        """The arrays of these fields. Raises UserError for one that there is not, and for an unknown name."""
        for name in fields:
            if name not in self.readers:
                raise UserError(self.lacks(name))
        return {name: self.readers[name](names, size) for name in fields}

    def factor(self, name: str, names: Sequence[str]) -> np.ndarray:
        """A factor of these pictures: (n,) int64. Raises UserError if there is no such."""
        if name not in self.values:
            raise UserError(self.lacks(name))
        return np.array([self.values[name](picture) for picture in names], np.int64)

    def captions(self, names: Sequence[str]) -> list[list[str]]:
        """Sentences about these pictures. Raises UserError if there are none."""
        if self.sentences is None:
            raise UserError(self.lacks("captions"))
        return [self.sentences(name) for name in names]

    def lacks(self, field: str) -> str:
        """What would be needed, with an example."""
        if field not in EXAMPLES:
            return f"{self.name} does not tell {field!r}, and no layout of files does: the built-in worlds may"
        return f"{self.name} does not tell {field!r}; what would is, for example, {EXAMPLES[field]}{self.hint}"


@dataclass
class Rows:
    """Arrays of bytes by the names of pictures, made once and kept as pictures are: see `cache.packed`."""

    source: Source
    fitting: Fitting
    sizes: dict[int, tuple[np.ndarray, dict[str, int], dict[str, str]]] = field(default_factory=dict)

    def __call__(self, names: Sequence[str], size: int) -> np.ndarray:
        """uint8 (n, h, w, channels). Raises UserError for a name that has none."""
        if size not in self.sizes:
            content = packed(self.source, replace(self.fitting, size=size))
            rows = {name: i for i, name in enumerate(content.names)}
            self.sizes[size] = content.images, rows, dict(content.skipped)
        images, rows, skipped = self.sizes[size]
        for name in names:
            if name not in rows:
                reason = skipped.get(name, "there is no such picture")
                raise UserError(f"{self.source.name} has no {self.source.kind} of {plain(name)}: {plain(reason)}")
        return images[[rows[name] for name in names]]
