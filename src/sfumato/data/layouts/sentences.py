"""Pictures with sentences: lines of name,caption in `captions.csv`, a `captions.json`, or `1.txt` beside `1.png`.

The json is {name: caption or list of captions} or a list of [name, caption] or of {"file_name": …, "caption": …}. A
picture may have several. Names are paths from the root, or file names where only one picture has them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from ...errors import UserError
from ..decode import Fitting
from ..folder import Folder
from ..source import Item, broken, plain
from .known import Known, Told, told
from .place import LONGEST, Lookup, Place

TABLES = ("captions.csv", "captions.tsv", "captions.json")
_NAMES = ("name", "file", "file_name", "filename", "image", "image_name", "picture")
_SAID = ("caption", "sentence", "text", "description", "comment")


def open_sentences(place: Place) -> Told | None:
    """The pictures of a folder with their sentences, None if there are none."""
    if not place.path.is_dir():
        return None
    folder = Folder(place.name, "folder", path=place.path)
    tables = [name for name in place.files if PurePosixPath(name).name.lower() in TABLES]
    beside = [text for name in place.pictures if (text := text_of(name)) in place.files]
    if tables:
        table = Table(place, min(tables, key=lambda name: name.count("/")), folder.notes)
        return with_sentences(folder, table.of, f"no caption in {table.file}", place.seal([table.file]))
    if not beside:
        return None

    def of(name: str) -> list[str]:
        text = text_of(name)
        return lines(place.text(text, LONGEST)) if text in place.files else []

    return with_sentences(folder, of, "no caption in a .txt file of its name", place.seal(beside))


def text_of(name: str) -> str:
    """The text beside a picture: a/1.png -> a/1.txt."""
    return str(PurePosixPath(name).with_suffix(".txt"))


def lines(text: str) -> list[str]:
    """Lines that say something."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def with_sentences(folder: Folder, of: Callable[[str], list[str]], reason: str, seal: str) -> Told:
    """A folder whose pictures have sentences; those that have none are broken, for this reason."""

    def tell(fitting: Fitting) -> Known:
        return Known(folder.name, sentences=of)

    return told(folder, tell, spoken(of, reason), seal)


def spoken(of: Callable[[str], list[str]], reason: str) -> Callable[[Item], Item]:
    """A function that makes broken items of pictures without a sentence."""

    def change(item: Item) -> Item:
        return item if of(item.name) else broken(item.name, reason)

    return change


@dataclass
class Table:
    """A file of names and sentences."""

    place: Place
    file: str
    notes: list[str]

    def of(self, name: str) -> list[str]:
        """The sentences about a picture."""
        return self.said.get(name, [])

    @cached_property
    def said(self) -> dict[str, list[str]]:
        """Picture -> sentences. Raises UserError if the file cannot be read."""
        rows = self.json() if self.file.lower().endswith(".json") else self.csv()
        return by_picture(rows, Lookup(self.place.pictures), self.notes)

    def csv(self) -> Iterable[tuple[str, str]]:
        """Rows of a csv file, with a heading or without."""
        rows = self.place.table(self.file)
        head = [cell.lower() for cell in rows[0]] if rows else []
        name, said = (next((head.index(k) for k in known if k in head), -1) for known in (_NAMES, _SAID))
        if name < 0 and said < 0:
            name, said, width = 0, 1, 2
        elif name < 0 or said < 0:
            missing = _NAMES if name < 0 else _SAID
            raise UserError(
                f"{self.place.name}: {plain(self.file)} has the columns {plain(', '.join(head))[:80]}, but none called "
                f"{' or '.join(missing[:3])}"
            )
        else:
            rows, width = rows[1:], len(head)
        for k, row in enumerate(rows, 1):
            if len(row) <= max(name, said):
                raise UserError(f"{self.place.name}: row {k} of {plain(self.file)} has no name and caption")
            last = said == width - 1  # a sentence with commas and without quotes
            yield row[name], ", ".join(row[said:]) if last else row[said]

    def json(self) -> Iterable[tuple[str, str]]:
        """Entries of a json file."""
        content = self.place.json(self.file)
        for row in content.items() if isinstance(content, dict) else content if isinstance(content, list) else [None]:
            name, said = self._entry(row)
            yield from ((name, sentence) for sentence in said)

    def _entry(self, row: Any) -> tuple[str, list[str]]:
        if isinstance(row, dict):
            row = [next((row[k] for k in known if k in row), None) for known in (_NAMES, _SAID)]
        if isinstance(row, list | tuple) and len(row) == 2 and isinstance(row[0], str):
            said = [row[1]] if isinstance(row[1], str) else row[1]
            if isinstance(said, list) and all(isinstance(sentence, str) for sentence in said):
                return row[0], said
        raise UserError(
            f"{self.place.name}: {plain(self.file)} has {plain(str(row))[:60]!r}; it is {{name: caption}}, "
            '[[name, caption], …] or [{"file_name": …, "caption": …}, …]'
        )


def by_picture(rows: Iterable[tuple[str, str]], lookup: Lookup, notes: list[str]) -> dict[str, list[str]]:
    """Sentences by the full name of their picture; what names no picture goes to the notes."""
    said: dict[str, list[str]] = {}
    absent = []
    for name, sentence in rows:
        picture = lookup(name)
        if picture is None:
            absent.append(name)
        elif sentence.strip():
            said.setdefault(picture, []).append(" ".join(sentence.split()))
    if absent:
        notes.append(f"{len(absent)} captions are of pictures that are not there, the first: {plain(absent[0])[:80]}")
    return said
