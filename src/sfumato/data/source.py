"""What every source of pictures has in common: its items, and which of its files are pictures."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Protocol

import numpy as np

from .decode import EXTENSIONS, BrokenError, Fitting
from .truth import Truth, Unknown

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".gz", ".7z", ".rar", ".bz2", ".xz", ".zst")
LABEL_FILES = ("dataset.json", "labels.json", "labels.csv")
LARGEST = 512 * 1024**2  # bytes; a file that is larger is no picture


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of a source, not read yet."""

    name: str  # relative, with forward slashes
    read: Callable[[], bytes | np.ndarray]  # a file's bytes, or an array as `decode` takes; may raise BrokenError
    label: int = -1  # an index into the source's `classes`; only where the format itself has labels
    split: str = ""  # "train" or "test"; only where the format itself has splits
    cost: int = 0  # bytes to read, about


class Source(Protocol):
    """Pictures from one place. What `items` finds out on its way is complete once it is exhausted."""

    name: str  # for messages
    kind: str  # "folder", "zip archive", "MNIST", …
    classes: tuple[str, ...] | None  # as the format gives them; None: folders or a labels file may
    notes: list[str]  # plain lines worth logging
    ignored: Counter[str]  # extensions of files that are no pictures
    labels_file: tuple[str, bytes] | None  # name and bytes of a labels file that lay among the pictures

    def stamp(self) -> str:
        """What changes when the content does: paths, sizes, times of modification."""

    def count(self) -> int | None:
        """How many items there will be, if that is known beforehand."""

    def items(self, size: int) -> Iterator[Item]:
        """Every item in a fixed order. What is rendered is rendered at `size`."""

    def truth(self, fitting: Fitting) -> Truth:
        """What is known of the items besides their pixels, by their names, fitted as they were themselves."""


@dataclass
class Base:
    """The fields of a source."""

    name: str
    kind: str
    classes: tuple[str, ...] | None = None
    notes: list[str] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    labels_file: tuple[str, bytes] | None = None

    def truth(self, fitting: Fitting) -> Truth:
        """Nothing but the pictures."""
        return Unknown(self.name)

    def offer_labels(self, name: str, read: Callable[[], bytes]) -> None:
        """Keep a labels file; of several, the one nearest to the root."""
        if self.labels_file is None or name.count("/") < self.labels_file[0].count("/"):
            try:
                self.labels_file = name, read()
            except BrokenError as e:
                self.notes.append(f"ignored: labels file {name} {e}")


def at_hand(content: bytes | np.ndarray) -> Callable[[], bytes | np.ndarray]:
    """How an item is read whose content is known already."""
    return lambda: content


def broken(name: str, reason: str) -> Item:
    """An item that is known to be unusable before it is read."""

    def read() -> bytes:
        raise BrokenError(reason)

    return Item(name, read)


def plain(text: str) -> str:
    """A name or reason fit for a terminal and any encoding: what cannot be printed becomes "?"."""
    return "".join(c if c.isprintable() else "?" for c in text)


def hidden(name: str) -> bool:
    """Whether a path is one that systems leave behind: .DS_Store, ._photo.png, __MACOSX/…"""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def suffix(name: str) -> str:
    """A file's extension in lower case, ".tar.gz" whole, "" if it has none."""
    lower = name.rsplit("/", 1)[-1].lower()
    return ".tar.gz" if lower.endswith(".tar.gz") else PurePosixPath(lower).suffix


def is_picture(name: str) -> bool:
    """Whether a file's extension is a picture's."""
    return suffix(name) in EXTENSIONS


def is_labels(name: str) -> bool:
    """Whether a file is a labels file by its name."""
    return name.rsplit("/", 1)[-1].lower() in LABEL_FILES
