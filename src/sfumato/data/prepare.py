"""From a source to pictures in memory: decoded once, all alike, with their labels, and with what was left out."""

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from ..aspect import SQUARE, sides
from ..errors import UserError, nearest
from .cache import Packed, Progress, packed
from .decode import OBLONG, REMARKS, WHITE, Colour, Fit, Fitting
from .labels import assign, clip_of, from_folders, held_out, read_labels
from .source import Source, plain
from .sources import LOOKED_FOR, open_source
from .truth import Truth, Unknown

Split = Literal["train", "test"]
_FITTED = {"crop": "cropped to the centre {}", "fit": "stretched to the {}", "pad": "padded to the {}"}


class Skipped(NamedTuple):
    """A picture that could not be used."""

    name: str
    reason: str


@dataclass(frozen=True)
class Pictures:
    """Pictures of one size, ready to be batched."""

    images: np.ndarray  # uint8 (n, h, w, channels); mapped from a file when large; read-only
    labels: np.ndarray  # int64 (n,), indices into `classes`, -1 = unknown
    classes: tuple[str, ...]  # () when there are no labels
    names: Sequence[str]  # where each came from
    skipped: tuple[Skipped, ...]  # everything broken in the source, of all splits
    notes: tuple[str, ...]  # lines for the log
    fingerprint: str  # of pixels, names, labels: the same on every machine
    source: str = ""  # what the user named
    truth: Truth = field(default_factory=lambda: Unknown("the source"))  # what else is known, by name

    def __len__(self) -> int:
        return len(self.images)

    @property
    def n(self) -> int:
        """How many."""
        return len(self.images)

    @property
    def size(self) -> int:
        """Shorter side, pixels."""
        return min(self.sides)

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.images.shape[1], self.images.shape[2]

    @property
    def channels(self) -> int:
        """1, 3, or 4 with transparency."""
        return self.images.shape[3]

    def subset(self, indices: np.ndarray | Sequence[int]) -> "Pictures":
        """These pictures alone, in this order; the classes stay."""
        rows = np.asarray(indices)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        return replace(
            self,
            images=_take(self.images, rows),
            labels=self.labels[rows],
            names=tuple(self.names[i] for i in rows.tolist()),
            fingerprint=_hash(self.fingerprint, rows.tobytes()),
        )


def prepare(
    data: str | Path,
    *,
    size: int,
    aspect: str = SQUARE,
    channels: int | None = None,
    fit: Fit = "crop",
    split: Split = "train",
    labels: Path | None = None,
    holdout: float = 0.0,
    view: str = "image",
    cache: Path | None = None,
    background: Colour = WHITE,
    progress: Progress | None = None,
) -> Pictures:
    """The pictures of one split of a source (see `open_source`), decoded, or mapped from the cache if they were before.

    `size` is the shorter side, `aspect` the shape, width:height. `channels` is 1, 3, 4 (what is transparent stays so),
    or None: 1 if every picture is grey, else 3.
    `split="test"` is the source's own test split, or else the fraction `holdout` of it, chosen by name. `labels` is a
    csv or json file (see `read_labels`); without it, class folders or a labels file among the pictures serve. `view`
    is what batches will be made of: some sources have other files for other views.
    Raises UserError if there is no picture, no such split, or a labels file that cannot be read.
    """
    if channels not in (None, 1, 3, 4):
        raise UserError(f"pictures have 1 or 3 channels, or 4 with transparency, not {channels}")
    if not 1 <= size <= 8192:
        raise UserError(f"the size of pictures is 1 to 8192 pixels, not {size}")
    high, wide = sides(size, aspect)
    if not 0 <= holdout < 1:
        raise UserError(f"the fraction held out is at least 0 and below 1, not {holdout}")
    nearest(fit, get_args(Fit), "way to fit pictures")
    nearest(split, get_args(Split), "split")
    source = open_source(data, view)
    if source.kind == "built-in" and high != wide:
        raise UserError(f"{source.name}, built in, are squares: leave out --aspect {aspect}, or take other pictures")
    fitting = Fitting(size, channels, fit, background, aspect)
    content = packed(source, fitting, cache, progress)
    if not content.names:
        raise UserError(nothing_in(source.name, content))
    whole = arranged(source, content, labels)
    rows, notes = _rows(whole, split, holdout, clip_of if source.kind == "clips" else str)
    chosen = whole.labels[rows]
    names = tuple(content.names[i] for i in rows.tolist())
    images = _take(content.images, rows)
    facts = (*_summary(whole, images, [content.remarks[i] for i in rows.tolist()], fitting), *notes, *whole.notes)
    fingerprint = _hash(content.digest, rows.tobytes(), chosen.tobytes(), "\0".join(names), "\0".join(whole.classes))
    skipped = listed(content)
    truth = source.truth(replace(fitting, channels=images.shape[3]))
    return Pictures(images, chosen, whole.classes, names, skipped, facts, fingerprint, str(data), truth)


@dataclass(frozen=True)
class Arranged:
    """Labels and splits of everything in a source."""

    source: str
    labels: np.ndarray
    classes: tuple[str, ...]
    splits: np.ndarray  # of str
    names: list[str]
    notes: tuple[str, ...]
    skipped: int


def arranged(source: Source, content: Packed, labels: Path | None = None) -> Arranged:
    """Who belongs to which class and split: as the format says, else by a labels file, else by folders."""
    notes = list(content.notes)
    if content.classes is not None:
        result, classes, splits = np.array(content.labels, np.int64), tuple(content.classes), content.splits
    else:
        folders, splits, more = from_folders(content.names)
        result, classes, _ = assign(content.names, dict(zip(content.names, folders, strict=True)))
        notes += more
    given = _labels_of(content, labels, notes)
    if given is not None:
        result, classes, more = assign(content.names, given)
        notes += more
        if not classes:
            message = f"no label in {labels or 'the labels file'} belongs to a picture of {source.name}"
            if labels:
                raise UserError(f"{message}: it has {next(iter(given), 'nothing')!r}, the source {content.names[0]!r}")
            notes.append(message)
    if len(result) and result.max() >= len(classes):
        classes = tuple(str(i) for i in range(int(result.max()) + 1))
    return Arranged(source.name, result, classes, np.array(splits), content.names, tuple(notes), len(content.skipped))


def _labels_of(content: Packed, labels: Path | None, notes: list[str]) -> dict[str, str | int] | None:
    if labels is not None:
        try:
            return read_labels(str(labels), Path(labels).read_bytes())
        except OSError as e:
            raise UserError(f"labels file {labels} cannot be read: {e.strerror}") from None
    if content.labels_file is None:
        return None
    name, text = content.labels_file
    try:
        found = read_labels(name, text.encode("latin-1"))
    except UserError as e:
        notes.append(f"ignored: {e}")
        return None
    if found:
        notes.append(f"labels from {name}")
    return found or None


def _rows(whole: Arranged, split: Split, holdout: float, unit: Callable[[str], str]) -> tuple[np.ndarray, list[str]]:
    """Indices of a split's pictures, and notes for the log."""
    own = bool((whole.splits == "test").any())
    if own:
        notes = [f"the test split is {whole.source}'s own; nothing else is held out"] if holdout else []
        rows = np.flatnonzero(whole.splits == split)
        if not len(rows):
            raise UserError(f"{whole.source} has no usable picture in its {split} split")
        return rows, notes
    if not holdout:
        if split == "test":
            raise UserError(
                f"{whole.source} has no test split: put pictures in train/ and test/ folders, or hold out a fraction"
            )
        return np.flatnonzero(whole.splits == "train"), []
    test = np.array([held_out(unit(name), holdout) for name in whole.names])
    rows = np.flatnonzero(test if split == "test" else ~test)
    if not len(rows):
        raise UserError(f"holding out {holdout:g} of {len(whole.names)} pictures leaves none to {split} on")
    return rows, [f"{test.sum()} of {len(test)} pictures held out for testing, by name"]


def _summary(whole: Arranged, images: np.ndarray, remarks: list[int], fitting: Fitting) -> list[str]:
    n, high, wide, channels = images.shape
    colour = {1: "grey", 3: "colour"}.get(channels, "colour with transparency")
    lines = [f"{n} pictures of {whole.source}, {wide}×{high}, {colour}"]
    counts = Counter(bit for value in remarks for bit in REMARKS if value & bit)
    square = high == wide
    said = {} if square else {OBLONG: "of another shape"}
    fitted = ", " + _FITTED[fitting.fit].format("square" if square else fitting.aspect)
    lines += [
        f"{counts[bit]} {said.get(bit, text)}{fitted if bit == OBLONG else ''}"
        for bit, text in REMARKS.items()
        if counts[bit]
    ]
    if whole.classes:
        lines.append(f"{len(whole.classes)} classes: {', '.join(whole.classes[:10])}{' …' * (len(whole.classes) > 10)}")
    if whole.skipped:
        lines.append(f"{whole.skipped} skipped: see skipped.csv")
    return lines


def listed(content: Packed) -> tuple[Skipped, ...]:
    """What could not be used, in words that can be printed."""
    return tuple(Skipped(plain(name), plain(reason)) for name, reason in content.skipped)


def nothing_in(name: str, content: Packed) -> str:
    """The message for a source without a usable picture."""
    if content.skipped:
        reasons = "; ".join(f"{s.name}: {s.reason}" for s in listed(content)[:3])
        more = f"; and {len(content.skipped) - 3} more" if len(content.skipped) > 3 else ""
        return f"no picture in {name} can be used ({len(content.skipped)} are broken): {reasons}{more}"
    kinds = ", ".join(f"{plain(k)} ×{v}" for k, v in Counter(content.ignored).most_common(5))
    return f"there is no picture in {name}: looked for {LOOKED_FOR}; found {'only ' + kinds if kinds else 'nothing'}"


def write_skipped(pictures: Pictures, path: Path) -> None:
    """List what was left out and why: csv with a header."""
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as f:
        writer = csv.writer(f)
        writer.writerow(Skipped._fields)
        writer.writerows(pictures.skipped)


def _take(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Some of the pictures: a view if they follow each other, else a copy in memory."""
    if len(rows) and (np.diff(rows) == 1).all():
        return images[rows[0] : rows[-1] + 1]
    return images[rows]


def _hash(*parts: str | bytes) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogateescape")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
